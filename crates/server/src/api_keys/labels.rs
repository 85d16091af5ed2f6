//! Labels: a customer's own words about a key, by which they find it.

use std::collections::BTreeMap;

use crate::name::is_hidden;
use serde::{Deserialize, Deserializer, Serialize};

/// The most labels of one key.
const MAX_LABELS: usize = 16;
const MAX_NAME_CHARS: usize = 63;
const MAX_VALUE_CHARS: usize = 128;

/// Up to 16 labels: name and value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

/// The text is no label, or there are too many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabels {
    /// More than a key can have.
    #[error("at most {MAX_LABELS} labels")]
    TooMany,
    /// The name of one.
    #[error("a label's name has 1 to {MAX_NAME_CHARS} of a-z 0-9 . _ - with a letter or digit at both ends")]
    Name,
    /// The value of one.
    #[error("a label's value has at most {MAX_VALUE_CHARS} characters, and no invisible ones")]
    Value,
}

impl Labels {
    /// These.
    ///
    /// # Errors
    /// See [`InvalidLabels`].
    pub fn of(labels: BTreeMap<String, String>) -> Result<Self, InvalidLabels> {
        if labels.len() > MAX_LABELS {
            return Err(InvalidLabels::TooMany);
        }
        if !labels.keys().all(|name| is_name(name)) {
            return Err(InvalidLabels::Name);
        }
        if !labels.values().all(|value| is_value(value)) {
            return Err(InvalidLabels::Value);
        }
        Ok(Self(labels))
    }

    /// From lines of `name=value`, as a form has them; empty lines count for nothing.
    ///
    /// # Errors
    /// See [`InvalidLabels`]; a name that stands twice is no name.
    pub fn from_lines(text: &str) -> Result<Self, InvalidLabels> {
        let mut labels = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once('=').ok_or(InvalidLabels::Name)?;
            if labels.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
                return Err(InvalidLabels::Name);
            }
        }
        Self::of(labels)
    }

    /// Name and value of each, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= MAX_NAME_CHARS
        && bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain)
        && bytes.iter().all(|b| plain(*b) || matches!(b, b'.' | b'_' | b'-'))
}

fn is_value(value: &str) -> bool {
    value.chars().count() <= MAX_VALUE_CHARS && !value.chars().any(is_hidden)
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(BTreeMap::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_back() {
        let labels = Labels::from_lines("team = core\r\n\n env=prod\nnote=a=b").unwrap();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("env", "prod"), ("note", "a=b"), ("team", "core")]);
        for (text, wrong) in [
            ("team", InvalidLabels::Name),
            ("=x", InvalidLabels::Name),
            ("Team=x", InvalidLabels::Name),
            ("a=1\na=2", InvalidLabels::Name),
            ("a=\u{7}", InvalidLabels::Value),
            (&format!("a={}", "x".repeat(129)), InvalidLabels::Value),
            (&(0..17).map(|n| format!("l{n}=x\n")).collect::<String>(), InvalidLabels::TooMany),
        ] {
            assert_eq!(Labels::from_lines(text), Err(wrong), "{text}");
        }
    }
}
