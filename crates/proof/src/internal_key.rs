//! Internal credentials: the text that a service of the operator's holds.
//!
//! ```text
//! credential = "bw_int_" secret checksum
//! secret     = 41 base-62 characters, 244 bits
//! checksum   = as in an API key
//! ```

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::checked_text::{CHECKSUM_CHARS, has_good_checksum, push_checksum, push_random};

/// What every internal credential begins with.
pub const INTERNAL_KEY_PREFIX: &str = "bw_int_";
const SECRET_CHARS: usize = 41;
/// Characters of a whole credential.
pub const INTERNAL_KEY_CHARS: usize = INTERNAL_KEY_PREFIX.len() + SECRET_CHARS + CHECKSUM_CHARS;
/// Random bytes to offer [`PlainInternalKey::from_entropy`].
pub const ENTROPY_BYTES: usize = 96;

/// A whole credential in the clear. Neither `Display` nor `Serialize`: it leaves by [`Self::reveal`] alone.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainInternalKey(Zeroizing<String>);

/// The text cannot be a credential that was ever handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an internal credential: expected {INTERNAL_KEY_PREFIX} and letters and digits with a good checksum")]
pub struct MalformedInternalKey;

impl PlainInternalKey {
    /// Makes a credential from random bytes; `None` when too few of them were usable: draw again.
    #[must_use]
    pub fn from_entropy(entropy: &[u8; ENTROPY_BYTES]) -> Option<Self> {
        let mut text = Zeroizing::new(String::with_capacity(INTERNAL_KEY_CHARS));
        text.push_str(INTERNAL_KEY_PREFIX);
        push_random(&mut text, SECRET_CHARS, entropy)?;
        push_checksum(&mut text);
        Some(Self(text))
    }

    /// The credential itself, to hand out once or to hash.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlainInternalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainInternalKey([redacted])")
    }
}

impl FromStr for PlainInternalKey {
    type Err = MalformedInternalKey;

    /// # Errors
    /// [`MalformedInternalKey`] for another length, prefix or alphabet, and for a wrong checksum.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix(INTERNAL_KEY_PREFIX).ok_or(MalformedInternalKey)?;
        let well_made = text.len() == INTERNAL_KEY_CHARS
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && has_good_checksum(text);
        if well_made { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(MalformedInternalKey) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frozen for ever: credentials made by the first release have this shape.
    #[test]
    fn a_golden_credential() {
        let entropy = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let key = PlainInternalKey::from_entropy(&entropy).unwrap();
        assert_eq!(key.reveal(), "bw_int_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde2Lc9R8");
        assert_eq!(format!("{key:?}"), "PlainInternalKey([redacted])");
        assert_eq!(key.reveal().parse(), Ok(key));
        assert!(PlainInternalKey::from_entropy(&[255; ENTROPY_BYTES]).is_none());
    }

    proptest! {
        #[test]
        fn a_changed_credential_is_refused(
            entropy in prop::array::uniform32(0u8..248),
            at in 0usize..INTERNAL_KEY_CHARS,
            letter in "[0-9A-Za-z_]",
        ) {
            let mut bytes = [0; ENTROPY_BYTES];
            bytes[..32].copy_from_slice(&entropy);
            let key = PlainInternalKey::from_entropy(&bytes).unwrap();
            let mut typo = key.reveal().to_owned();
            typo.replace_range(at..=at, &letter);
            prop_assert!(typo == key.reveal() || typo.parse::<PlainInternalKey>().is_err());
            prop_assert!(key.reveal()[..at].parse::<PlainInternalKey>().is_err());
            prop_assert!(key.reveal().repeat(2).parse::<PlainInternalKey>().is_err());
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(text in "(bw_int_)?\\PC{0,60}") {
            prop_assert!(text.parse::<PlainInternalKey>().is_err());
        }
    }
}
