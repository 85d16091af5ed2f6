//! Registered actions, as they are asked for and shown.

use std::str::FromStr;

use bailiwick_proof::entry::ActionName;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

use crate::name::Name;

/// The most bytes of a registered action.
const MAX_BYTES: usize = 64;

/// The words of an action that can be registered: dotted, lower-case, without digits, so that no two look alike and none is a name or
/// an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(ActionName);

/// The text cannot be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an action has two lower-case words or more with dots between them, and {MAX_BYTES} bytes at most")]
pub struct InvalidWords;

impl Words {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Words {
    type Err = InvalidWords;

    fn from_str(text: &str) -> Result<Self, InvalidWords> {
        let name = text.parse().map_err(|_| InvalidWords)?;
        if text.len() > MAX_BYTES { Err(InvalidWords) } else { Ok(Self(name)) }
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What registers an action.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterAction {
    /// Two lower-case words or more with dots between them, 64 bytes at most, such as `invoice.paid`. It can never be erased, so it names
    /// nobody.
    #[schema(value_type = String, max_length = 64, example = "invoice.paid")]
    pub action: Words,
    /// What it means, in a line of 80 characters at most.
    #[schema(value_type = Option<String>, max_length = 80)]
    pub description: Option<Name>,
}

/// An action that programs may record.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RegisteredAction {
    /// Its words.
    pub action: String,
    /// What it means.
    pub description: Option<String>,
    /// Who registered it.
    pub registered_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: OffsetDateTime,
}

/// All that are registered in the environment.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RegisteredActions {
    /// In the order of the alphabet.
    pub actions: Vec<RegisteredAction>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_no_address_and_nothing_that_looks_like_another_word() {
        let longest = format!("a.{}", "b".repeat(62));
        for good in ["invoice.paid", "door.opened_by_force", "a.b.c", &longest] {
            assert_eq!(good.parse::<Words>().unwrap().as_str(), good);
        }
        let long = format!("{longest}c");
        for bad in
            ["", "paid", "Invoice.paid", "invoice.раid", "invoice.pa1d", "ada@example.com", "a.b ", "a..b", &long]
        {
            assert!(bad.parse::<Words>().is_err(), "{bad}");
        }
    }
}
