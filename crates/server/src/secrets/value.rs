//! A value in memory: wiped when it is dropped, shown by nothing that prints.

use std::fmt;

use serde::{Deserialize, Deserializer, Serializer};
use zeroize::Zeroizing;

/// The most bytes of a value.
pub(super) const MAX_VALUE_BYTES: usize = 64 * 1024;

/// The value of a secret: 1 to 65,536 bytes of UTF-8 without NUL.
pub struct SecretValue(Zeroizing<String>);

/// The text is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value is text of 1 to {MAX_VALUE_BYTES} bytes, without null characters")]
pub struct InvalidValue;

impl SecretValue {
    /// # Errors
    /// [`InvalidValue`].
    pub fn new(text: Zeroizing<String>) -> Result<Self, InvalidValue> {
        if (1..=MAX_VALUE_BYTES).contains(&text.len()) && !text.contains('\0') {
            Ok(Self(text))
        } else {
            Err(InvalidValue)
        }
    }

    /// The text. Whoever asks for it seals it, checks its shape, or sends the one answer that has it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for SecretValue {
    /// What is no text is refused without a word of it: serde's own errors quote what was sent.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer).map_err(|_quotes_it| serde::de::Error::custom(InvalidValue))?;
        Self::new(Zeroizing::new(text)).map_err(serde::de::Error::custom)
    }
}

/// Into the one answer that has it. There is no `Serialize`, so that no other answer, event or job can have one.
///
/// # Errors
/// The serializer's.
pub(super) fn into_answer<S: Serializer>(value: &SecretValue, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_bounded_and_shown_by_nothing() {
        let value = |text: &str| SecretValue::new(Zeroizing::new(text.to_owned()));
        assert!(value("").is_err() && value("a\0b").is_err());
        assert!(value(&"é".repeat(MAX_VALUE_BYTES / 2)).is_ok());
        assert!(value(&"x".repeat(MAX_VALUE_BYTES + 1)).is_err());
        assert_eq!(format!("{:?}", value("hunter2").unwrap()), "[redacted]");
    }

    #[test]
    fn what_is_no_text_is_refused_without_being_quoted() {
        for sent in ["123456789", "[\"hunter2\"]", "{\"hunter2\": 1}", "\"\""] {
            let error = serde_json::from_str::<SecretValue>(sent).unwrap_err().to_string();
            assert!(!error.contains("123456789") && !error.contains("hunter2"), "{error}");
        }
    }
}
