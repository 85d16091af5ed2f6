//! Names that people give to things.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The most characters of a name.
const MAX_CHARS: usize = 80;

/// A name of 1 to 80 characters without line breaks, other controls or bidirectional overrides, and
/// without white space at its ends: it stands as it is in lists, mails and logs of a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// The text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {MAX_CHARS} characters, no line breaks or invisible controls")]
pub struct InvalidName;

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_CHARS || text.chars().any(is_hidden) {
            return Err(InvalidName);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether a character shows nothing of its own, or changes how others are shown.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}'
            | '\u{e0000}'..='\u{10ffff}')
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_on_one_line() {
        assert_eq!("  Acme, Inc. ".parse::<Name>().unwrap().as_str(), "Acme, Inc.");
        assert!("ü".repeat(80).parse::<Name>().is_ok());
        for bad in [
            "",
            "   ",
            "\u{ad}",
            "\u{3164}",
            "a\u{fe0f}",
            "\u{2800}",
            "\u{e0041}x",
            "\u{fffd}",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{7}b",
            "\0",
            &"x".repeat(81),
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
