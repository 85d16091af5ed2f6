//! What a key is good for besides its scopes: the operator's services, by the operator's own words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most audiences of one key or credential.
pub const MAX_AUDIENCES: usize = 16;
const MAX_CHARS: usize = 64;
/// Bailiwick's own API, as an audience: a key that is confined to others is refused there too.
const OWN: &str = "bailiwick";

/// A service's name: 1 to 64 of `a-z 0-9 . _ -`, a letter or digit at both ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")]
pub struct Audience(String);

/// The text is no service's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a service's name has 1 to {MAX_CHARS} of a-z 0-9 . _ - with a letter or digit at both ends")]
pub struct InvalidAudience;

impl Audience {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Bailiwick's own API.
    #[must_use]
    pub fn own() -> Self {
        Self(OWN.to_owned())
    }
}

impl FromStr for Audience {
    type Err = InvalidAudience;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let outer = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let bytes = text.as_bytes();
        let good = bytes.len() <= MAX_CHARS
            && outer(bytes.first().copied())
            && outer(bytes.last().copied())
            && bytes.iter().copied().all(inner);
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidAudience) }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which services something is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Audiences {
    /// All of them, also those that have no name yet.
    #[default]
    All,
    /// These alone; perhaps none.
    Only(Vec<Audience>),
}

impl Audiences {
    /// As they are stored: no word means all. A word that is none of ours admits nobody.
    #[must_use]
    pub fn from_words(words: &[String]) -> Self {
        if words.is_empty() {
            return Self::All;
        }
        Self::Only(words.iter().filter_map(|word| word.parse().ok()).collect())
    }

    /// These, each once and in order; none means all.
    #[must_use]
    pub fn of(mut named: Vec<Audience>) -> Self {
        if named.is_empty() {
            return Self::All;
        }
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named.dedup();
        Self::Only(named)
    }

    /// Is it for this service? One that did not say who it is, is none that was named.
    #[must_use]
    pub fn admit(&self, asking: Option<&Audience>) -> bool {
        match self {
            Self::All => true,
            Self::Only(named) => asking.is_some_and(|asking| named.contains(asking)),
        }
    }

    /// Is all of the other within this?
    #[must_use]
    pub fn include(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(own), Self::Only(other)) => other.iter().all(|audience| own.contains(audience)),
        }
    }

    /// Those that are named.
    #[must_use]
    pub fn named(&self) -> &[Audience] {
        match self {
            Self::All => &[],
            Self::Only(named) => named,
        }
    }

    /// As they are stored.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        self.named().iter().map(ToString::to_string).collect()
    }
}

impl Serialize for Audiences {
    /// The list of names.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.named().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Audiences {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let audiences = Self::of(Vec::deserialize(deserializer)?);
        if audiences.named().len() > MAX_AUDIENCES {
            return Err(serde::de::Error::custom(format!("at most {MAX_AUDIENCES} audiences")));
        }
        Ok(audiences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services() {
        for good in ["billing", "a", "api.example.com", "eu-1_b", &"x".repeat(64)] {
            assert_eq!(good.parse::<Audience>().unwrap().as_str(), good);
        }
        for bad in ["", "Billing", "-a", "a-", ".", "a b", "ä", "a\0", "a,b", &"x".repeat(65)] {
            assert!(bad.parse::<Audience>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn who_did_not_say_who_they_are_is_nobody_s_audience() {
        let billing: Audience = "billing".parse().unwrap();
        let only = Audiences::of(vec![billing.clone(), billing.clone()]);
        assert_eq!(only.named(), std::slice::from_ref(&billing));
        assert!(only.admit(Some(&billing)) && !only.admit(None) && !only.admit(Some(&Audience::own())));
        assert!(Audiences::All.admit(None) && Audiences::All.admit(Some(&billing)));
        assert!(Audiences::All.include(&only) && only.include(&only) && !only.include(&Audiences::All));
        // A row that somebody wrote by hand grants nothing.
        assert!(!Audiences::from_words(&["BILLING".to_owned()]).admit(Some(&billing)));
        assert_eq!(Audiences::from_words(&[]), Audiences::All);
    }
}
