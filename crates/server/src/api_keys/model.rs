//! A key, with and without its secret.

use std::str::FromStr;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ApiKeyId, ProjectId};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

use super::labels::Labels;
use crate::authz::{Audiences, Scope};
use crate::http::moment_in_utc;
use crate::name::Name;
use crate::networks::Networks;

/// What makes a key.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// 1 to 80 characters; names need not differ.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    pub name: Name,
    /// At least one.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// Confines the key to one project of its environment.
    #[schema(value_type = Option<String>)]
    pub project_id: Option<ProjectId>,
    /// When it stops working; in the future.
    #[serde(default, deserialize_with = "moment_in_utc")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<OffsetDateTime>,
    /// Words of the maker's own: up to 16, name and value.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub labels: Labels,
    /// The services that it is for; all, if none is named. Bailiwick's own API is `bailiwick`.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 16)]
    pub audiences: Audiences,
    /// Where it may be used from, as addresses or CIDR networks; anywhere, if none is named.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 32)]
    pub allowed_networks: Networks,
}

/// What is changed of a key; what is left out stays.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateApiKey {
    /// As in its making.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 80)]
    pub name: Option<Name>,
    /// All of them; those that are left out are gone.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    pub labels: Option<Labels>,
    /// When it stops working; null for never.
    #[serde(default, deserialize_with = "moment_or_never")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Option<OffsetDateTime>>,
    /// All of them; none for anywhere.
    #[schema(value_type = Option<Vec<String>>, max_items = 32)]
    pub allowed_networks: Option<Networks>,
}

impl UpdateApiKey {
    /// Is everything left out?
    #[must_use]
    pub const fn changes_nothing(&self) -> bool {
        self.name.is_none() && self.labels.is_none() && self.expires_at.is_none() && self.allowed_networks.is_none()
    }
}

/// How a key gets its successor.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateApiKey {
    /// So long the old key goes on working: a day if nothing is said, 30 days at most, 0 for not at all.
    #[schema(maximum = 2_592_000, minimum = 0)]
    pub overlap_seconds: Option<u32>,
}

fn moment_or_never<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<OffsetDateTime>>, D::Error> {
    moment_in_utc(deserializer).map(Some)
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl Status {
    /// The word in the API and in the console's filter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// What a key's times say at a moment.
    #[must_use]
    pub fn at(now: OffsetDateTime, expires_at: Option<OffsetDateTime>, revoked_at: Option<OffsetDateTime>) -> Self {
        if revoked_at.is_some() {
            Self::Revoked
        } else if expires_at.is_some_and(|at| at <= now) {
            Self::Expired
        } else {
            Self::Active
        }
    }
}

impl FromStr for Status {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [Self::Active, Self::Expired, Self::Revoked].into_iter().find(|status| status.as_str() == word).ok_or(())
    }
}

/// A key without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApiKey {
    /// `key_…`
    #[schema(value_type = String)]
    pub id: ApiKeyId,
    /// What its maker called it.
    pub name: String,
    /// live or test.
    #[schema(value_type = String)]
    pub environment: Environment,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The project that confines it, if one does.
    #[schema(value_type = Option<String>)]
    pub project_id: Option<ProjectId>,
    /// The public characters after the prefix, by which one tells keys apart.
    pub lookup: String,
    /// Whether it works.
    pub status: Status,
    /// `usr_…` or `key_…`
    pub created_by: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// When it stops working, if it does.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<OffsetDateTime>,
    /// When it was revoked, if it was.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<OffsetDateTime>,
    /// Words of the maker's own.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub labels: Labels,
    /// The services that it is for; all, if none is named.
    #[schema(value_type = Vec<String>)]
    pub audiences: Audiences,
    /// Where it may be used from; anywhere, if none is named.
    #[schema(value_type = Vec<String>)]
    pub allowed_networks: Networks,
    /// The key whose successor it is, if it is one.
    #[schema(value_type = Option<String>)]
    pub rotated_from: Option<ApiKeyId>,
    /// Its own successor, if it has one; it ends when the overlap does.
    #[schema(value_type = Option<String>)]
    pub successor_id: Option<ApiKeyId>,
}

/// A key with its secret: the one answer that has it.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreatedApiKey {
    /// The secret; it is not shown again.
    pub key: String,
    /// All the rest.
    #[serde(flatten)]
    pub api_key: ApiKey,
}
