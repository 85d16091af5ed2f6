//! A secret without its value; and the one answer that has one.

use std::fmt;
use std::str::FromStr;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{EventId, ProjectId, SecretId};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

use super::kind::Kind;
use super::value::{self, SecretValue};

/// The most characters of a name.
const MAX_NAME_CHARS: usize = 80;

/// The name of a secret, by which programs ask for it: lower-case letters and digits in words that are joined by dots
/// or dashes. An id, which has an underscore, is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SecretName(String);

/// The text is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret's name has 1 to {MAX_NAME_CHARS} lower-case letters and digits, in words joined by dots or dashes")]
pub struct InvalidSecretName;

impl SecretName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = InvalidSecretName;

    fn from_str(text: &str) -> Result<Self, InvalidSecretName> {
        let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let fits = text.len() <= MAX_NAME_CHARS && text.split(['.', '-']).all(word);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidSecretName) }
    }
}

impl<'de> Deserialize<'de> for SecretName {
    /// Whoever mixes up two fields sends a value here: the error quotes nothing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text =
            String::deserialize(deserializer).map_err(|_quotes_it| serde::de::Error::custom(InvalidSecretName))?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What makes a secret.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSecret {
    /// Unique in its environment: lower-case letters and digits, in words joined by dots or dashes.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    pub name: SecretName,
    /// What it is; the value has to have its shape.
    pub kind: Kind,
    /// The project whose secret it is, if it is one's.
    #[schema(value_type = Option<String>)]
    pub project_id: Option<ProjectId>,
    /// 1 to 65,536 bytes of UTF-8.
    #[schema(value_type = String, min_length = 1, max_length = 65536)]
    pub value: SecretValue,
}

/// Another value of a secret.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddVersion {
    /// As in its making.
    #[schema(value_type = String, min_length = 1, max_length = 65536)]
    pub value: SecretValue,
}

/// What is to be read, and for how long.
#[derive(Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevealSecret {
    /// The newest if nothing is said.
    #[schema(minimum = 1)]
    pub version: Option<u32>,
    /// How long the value is going to be kept: 300 seconds if nothing is said, an hour at most.
    #[schema(minimum = 1, maximum = 3600)]
    pub lease_seconds: Option<u32>,
}

/// A secret, without its value.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Secret {
    /// `sec_…`
    #[schema(value_type = String)]
    pub id: SecretId,
    /// What programs call it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// live or test.
    #[schema(value_type = String)]
    pub environment: Environment,
    /// The project whose secret it is, if it is one's.
    #[schema(value_type = Option<String>)]
    pub project_id: Option<ProjectId>,
    /// The newest version, which is the one that is read if none is named.
    pub newest_version: u32,
    /// `usr_…` or `key_…`
    pub created_by: String,
    /// When it was entrusted to us.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
}

/// A version of a secret, without its value.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SecretVersion {
    /// Counts up from 1.
    pub version: u32,
    /// `usr_…` or `key_…`
    pub created_by: String,
    /// When it was entrusted to us.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// When it was revoked, if it was: its value is gone since.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<OffsetDateTime>,
    /// How often it was asked for since.
    pub refused_uses: u64,
    /// When it was asked for last since.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub refused_at: Option<OffsetDateTime>,
}

/// A secret with its versions, the newest first.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct SecretDetail {
    /// The secret.
    #[serde(flatten)]
    pub secret: Secret,
    /// All of them.
    pub versions: Vec<SecretVersion>,
}

/// The one answer that has a value.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RevealedSecret {
    /// The secret.
    #[schema(value_type = String)]
    pub id: SecretId,
    /// What programs call it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Which version.
    pub version: u32,
    /// The value.
    #[serde(serialize_with = "value::into_answer")]
    #[schema(value_type = String)]
    pub value: SecretValue,
    /// The lease: the id of the entry that records this reading.
    #[schema(value_type = String)]
    pub lease_id: EventId,
    /// Until when it may be kept; whoever needs it longer asks again.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
}

/// Somebody's reading of a secret, from its entry in the audit log.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct SecretAccess {
    /// The entry, which is the lease.
    #[schema(value_type = String)]
    pub event_id: EventId,
    /// `usr_…` or `key_…`
    pub read_by: Option<String>,
    /// The address that the request came from.
    pub client_ip: Option<String>,
    /// Which version.
    pub version: Option<u64>,
    /// How long it was going to be kept.
    pub lease_seconds: Option<u64>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub read_at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_of_programs() {
        for good in ["a", "stripe", "db.main", "api-key-2", "0"] {
            assert!(good.parse::<SecretName>().is_ok(), "{good}");
        }
        let long = "a".repeat(81);
        for bad in ["", "Stripe", "a..b", ".a", "a-", "a_b", "sec_01h455vb4pex5vsknk084sn02q", "a b", "ä", "a/b", &long]
        {
            assert_eq!(bad.parse::<SecretName>(), Err(InvalidSecretName), "{bad}");
        }
    }
}
