//! What makes a change happen at most once: the `Idempotency-Key` of one run.
//!
//! The key is made once and goes with every retry, so that an answer lost on the way never leads
//! to a second API key. When a run ends without knowing, it says how to ask again.

use crate::failure::Failure;
use crate::surroundings;

/// The name of one change, and the options that repeat it.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    key: String,
    again: String,
}

impl Once {
    /// Takes the caller's key or makes one of 128 random bits.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub(crate) fn new(given: Option<String>) -> Result<Self, Failure> {
        let key = match given {
            Some(key) => key,
            None => format!("cli-{:032x}", surroundings::random()?),
        };
        let again = format!("--idempotency-key {key}");
        Ok(Self { key, again })
    }

    /// Adds an option that a repetition needs for its body to be the same.
    pub(crate) fn with_option(mut self, option: &str, value: &str) -> Self {
        self.again.push_str(&format!(" {option} {value}"));
        self
    }

    /// The header's value.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// What to tell somebody who does not know whether the change was made.
    pub(crate) fn advice(&self) -> String {
        format!(
            "it is not known whether the change was made; the same command with `{}` makes it once at most",
            self.again
        )
    }

    /// What to tell somebody to whom the answer about `made` could not be handed over.
    pub(crate) fn regain(&self, made: &str) -> String {
        format!("{made} was made; the same command with `{}` gives the same answer again", self.again)
    }
}

/// Accepts what the header may hold: 1 to 255 visible ASCII characters.
pub(crate) fn parse_key(text: &str) -> Result<String, String> {
    if (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 255 visible ASCII characters".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_keys_differ_and_are_valid() {
        let (one, two) = (Once::new(None).unwrap(), Once::new(None).unwrap());
        assert_ne!(one.key(), two.key());
        assert_eq!(parse_key(one.key()).as_deref(), Ok(one.key()));
    }

    #[test]
    fn the_advice_names_every_option_of_a_repetition() {
        let once = Once::new(Some("k1".to_owned())).unwrap().with_option("--expires-at", "2027-01-01T00:00:00Z");
        assert!(once.advice().contains("`--idempotency-key k1 --expires-at 2027-01-01T00:00:00Z`"));
    }

    #[test]
    fn keys_are_visible_ascii() {
        assert!(parse_key(&"k".repeat(255)).is_ok());
        for text in ["", "a b", "a\n", "é", &"k".repeat(256)] {
            assert!(parse_key(text).is_err(), "{text:?}");
        }
    }
}
