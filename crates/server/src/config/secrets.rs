//! The server's own secrets as types: parsed once, never printed.
//!
//! Those that `bailiwickd dev` makes carry a mark in their text ([`DEV_MARK`]), so that `serve` can refuse them.

use secrecy::{ExposeSecret, SecretString};

use crate::entropy::Entropy;

/// What a secret made by `bailiwickd dev` begins with.
pub const DEV_MARK: &str = "dev-";
const INTERNAL_KEY_MIN_CHARS: usize = 32;
const DISTINCT_MIN: usize = 8;

/// Why a secret does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It has not the form that was asked for.
    #[error("it is not {0}")]
    Form(&'static str),
    /// It has the form, and anybody could guess it.
    #[error("it is too short or too regular to be a secret")]
    Weak,
}

/// The credential that the operator's services present to `/internal`. All of its text counts, the mark included.
#[derive(Clone, Debug)]
pub struct InternalKey(SecretString);

impl InternalKey {
    /// Parses at least 32 visible ASCII characters.
    ///
    /// # Errors
    /// [`SecretError::Form`] for characters that no header carries, [`SecretError::Weak`] when it is short or regular.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::Form("made of visible ASCII characters"));
        }
        if text.len() < INTERNAL_KEY_MIN_CHARS || distinct(text.bytes()) < DISTINCT_MIN {
            return Err(SecretError::Weak);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// A new credential as text with the mark.
    #[must_use]
    pub fn make_for_dev(entropy: &Entropy) -> String {
        let digits: String = entropy.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{DEV_MARK}{digits}")
    }

    /// The credential.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Whether `bailiwickd dev` made it.
    #[must_use]
    pub fn is_made_by_dev(&self) -> bool {
        without_mark(self.0.expose_secret()).1
    }
}

fn without_mark(text: &str) -> (&str, bool) {
    text.strip_prefix(DEV_MARK).map_or((text, false), |rest| (rest, true))
}

fn distinct(bytes: impl IntoIterator<Item = u8>) -> usize {
    bytes.into_iter().collect::<std::collections::BTreeSet<u8>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dev_makes_is_parsed_and_known() {
        let entropy = Entropy::system();
        assert!(InternalKey::parse(&InternalKey::make_for_dev(&entropy)).unwrap().is_made_by_dev());
        assert!(!InternalKey::parse("0123456789abcdef0123456789abcdef").unwrap().is_made_by_dev());
    }

    #[test]
    fn weak_and_malformed_secrets_are_refused() {
        assert!(matches!(InternalKey::parse("short"), Err(SecretError::Weak)));
        assert!(matches!(InternalKey::parse(&"ab".repeat(20)), Err(SecretError::Weak)));
        assert!(matches!(InternalKey::parse(&"a b".repeat(20)), Err(SecretError::Form(_))));
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        let key = InternalKey::parse("0123456789abcdef0123456789abcdef").unwrap();
        assert!(!format!("{key:?}").contains("0123"));
        assert!(format!("{key:?}").contains("REDACTED"), "{key:?}");
    }
}
