//! API keys: the text that a customer's program holds.
//!
//! ```text
//! key      = "bw_" environment "_" lookup secret checksum
//! lookup   = 8 base-62 characters; public, an index that need not be unique
//! secret   = 33 base-62 characters, 196 bits
//! checksum = CRC-32 (ISO-HDLC) of all that stands before it, as 6 base-62 digits, big endian
//! ```
//!
//! The checksum tells a cut, mistyped or made-up key from a real one without asking anybody; it is
//! no protection. Whoever stores a key stores its SHA-256 and compares that in constant time.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::checked_text::{CHECKSUM_CHARS, has_good_checksum, push_checksum, push_random};
use crate::environment::Environment;

/// Characters of the public index after the prefix.
pub const LOOKUP_CHARS: usize = 8;
const SECRET_CHARS: usize = 33;
const PREFIX_CHARS: usize = "bw_live_".len();
/// Characters of a whole key.
pub const KEY_CHARS: usize = PREFIX_CHARS + LOOKUP_CHARS + SECRET_CHARS + CHECKSUM_CHARS;
/// Random bytes to offer [`PlainApiKey::from_entropy`].
pub const ENTROPY_BYTES: usize = 96;

/// A whole key in the clear. Neither `Display` nor `Serialize`: it leaves by [`Self::reveal`] alone.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainApiKey {
    text: Zeroizing<String>,
    environment: Environment,
}

/// The text cannot be a key that was ever handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an API key: expected bw_live_ or bw_test_ and {} letters and digits with a good checksum", KEY_CHARS - PREFIX_CHARS)]
pub struct MalformedApiKey;

impl PlainApiKey {
    /// Makes a key from random bytes, skipping those that would favour some characters.
    ///
    /// Returns `None` when fewer than 41 of the bytes were usable, which for
    /// [`ENTROPY_BYTES`] uniform bytes happens less than once in 2^100; draw again.
    #[must_use]
    pub fn from_entropy(environment: Environment, entropy: &[u8; ENTROPY_BYTES]) -> Option<Self> {
        let mut text = Zeroizing::new(String::with_capacity(KEY_CHARS));
        text.push_str("bw_");
        text.push_str(environment.as_str());
        text.push('_');
        push_random(&mut text, LOOKUP_CHARS + SECRET_CHARS, entropy)?;
        push_checksum(&mut text);
        Some(Self { text, environment })
    }

    /// The environment that the prefix names.
    #[must_use]
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// The public index: [`LOOKUP_CHARS`] characters.
    #[must_use]
    pub fn lookup(&self) -> &str {
        self.text.get(PREFIX_CHARS..PREFIX_CHARS + LOOKUP_CHARS).unwrap_or_default()
    }

    /// The key itself, to hand out once or to hash.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PlainApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainApiKey([redacted])")
    }
}

impl FromStr for PlainApiKey {
    type Err = MalformedApiKey;

    /// # Errors
    /// As [`ShownApiKey::read`].
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ShownApiKey { text, environment } = ShownApiKey::read(text)?;
        Ok(Self { text: Zeroizing::new(text.to_owned()), environment })
    }
}

/// A key that somebody shows, where it stands: what is asked at every use of a key copies nothing.
#[derive(Clone, Copy)]
pub struct ShownApiKey<'a> {
    text: &'a str,
    environment: Environment,
}

impl<'a> ShownApiKey<'a> {
    /// Reads what may be a key.
    ///
    /// # Errors
    /// [`MalformedApiKey`] for another length, prefix or alphabet, and for a wrong checksum.
    pub fn read(text: &'a str) -> Result<Self, MalformedApiKey> {
        let environment = match text.get(..PREFIX_CHARS) {
            Some("bw_live_") => Environment::Live,
            Some("bw_test_") => Environment::Test,
            _ => return Err(MalformedApiKey),
        };
        // All of them are looked at, wherever a wrong one stands: that is faster than to look where to stop.
        let letters = text.bytes().skip(PREFIX_CHARS).fold(true, |all, byte| all & byte.is_ascii_alphanumeric());
        if text.len() == KEY_CHARS && letters && has_good_checksum(text) {
            Ok(Self { text, environment })
        } else {
            Err(MalformedApiKey)
        }
    }

    /// The environment that the prefix names.
    #[must_use]
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// The public index.
    #[must_use]
    pub fn lookup(&self) -> [u8; LOOKUP_CHARS] {
        let mut lookup = [0; LOOKUP_CHARS];
        for (to, from) in lookup.iter_mut().zip(self.text.bytes().skip(PREFIX_CHARS)) {
            *to = from;
        }
        lookup
    }

    /// The key itself, to hash.
    #[must_use]
    pub const fn reveal(&self) -> &'a str {
        self.text
    }
}

impl fmt::Debug for ShownApiKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownApiKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frozen for ever: keys made by the first release have this shape.
    #[test]
    fn a_golden_key() {
        let entropy = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let key = PlainApiKey::from_entropy(Environment::Live, &entropy).unwrap();
        assert_eq!(key.reveal(), "bw_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde1dg76K");
        assert_eq!(key.lookup(), "01234567");
        assert_eq!(&ShownApiKey::read(key.reveal()).unwrap().lookup(), b"01234567");
    }

    #[test]
    fn too_little_entropy_gives_no_key() {
        assert!(PlainApiKey::from_entropy(Environment::Test, &[255; ENTROPY_BYTES]).is_none());
    }

    #[test]
    fn debug_tells_nothing() {
        let key = PlainApiKey::from_entropy(Environment::Live, &[7; ENTROPY_BYTES]).unwrap();
        assert_eq!(format!("{key:?}"), "PlainApiKey([redacted])");
        assert_eq!(format!("{:?}", ShownApiKey::read(key.reveal())), "Ok(ShownApiKey([redacted]))");
    }

    proptest! {
        #[test]
        fn text_and_back(entropy in prop::array::uniform32(0u8..248), test: bool) {
            let mut bytes = [0; ENTROPY_BYTES];
            bytes[..32].copy_from_slice(&entropy);
            let environment = if test { Environment::Test } else { Environment::Live };
            let key = PlainApiKey::from_entropy(environment, &bytes).unwrap();
            prop_assert_eq!(key.reveal().len(), KEY_CHARS);
            prop_assert_eq!(key.reveal().parse::<PlainApiKey>().unwrap().environment(), environment);
        }

        /// A typo anywhere, a cut, a doubled key and the other environment's prefix are all noticed.
        #[test]
        fn a_changed_key_is_refused(entropy in prop::array::uniform32(0u8..248), at in 0usize..KEY_CHARS, letter in "[0-9A-Za-z_]") {
            let mut bytes = [0; ENTROPY_BYTES];
            bytes[..32].copy_from_slice(&entropy);
            let key = PlainApiKey::from_entropy(Environment::Live, &bytes).unwrap();
            let mut typo = key.reveal().to_owned();
            typo.replace_range(at..=at, &letter);
            prop_assert!(typo == key.reveal() || typo.parse::<PlainApiKey>().is_err());
            prop_assert!(key.reveal()[..at].parse::<PlainApiKey>().is_err());
            prop_assert!(key.reveal().repeat(2).parse::<PlainApiKey>().is_err());
            prop_assert!(key.reveal().replace("live", "test").parse::<PlainApiKey>().is_err());
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(text in "(bw_live_)?\\PC{0,60}") {
            prop_assert!(text.parse::<PlainApiKey>().is_err());
        }
    }
}
