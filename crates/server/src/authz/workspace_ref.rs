//! `{workspace}` in a path: an id, or a slug among the caller's own workspaces.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use bailiwick_proof::id::WorkspaceId;
use serde::{Deserialize, Deserializer, Serialize};

/// A workspace's short name: 1 to 48 of `a-z`, `0-9` and inner `-`; never beginning with `ws_`, which
/// the alphabet already sees to. Not unique in the cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

/// The text is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a slug has 1 to 48 lower-case letters, digits and hyphens, and neither begins nor ends with a hyphen")]
pub struct InvalidSlug;

impl Slug {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if (1..=48).contains(&text.len()) && letters && !text.starts_with('-') && !text.ends_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidSlug)
        }
    }
}

impl<'de> Deserialize<'de> for Slug {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The present slug of a workspace, which all that is kept in memory of it shares: renamed once, renamed everywhere.
#[derive(Clone, Debug, Default)]
pub struct SharedSlug(Arc<RwLock<Box<str>>>);

impl SharedSlug {
    /// With this slug.
    #[must_use]
    pub fn of(slug: &str) -> Self {
        Self(Arc::new(RwLock::new(slug.into())))
    }

    /// From now on it is this one.
    pub fn set(&self, slug: &str) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = slug.into();
    }

    /// Is it this one?
    #[must_use]
    pub fn is(&self, slug: &Slug) -> bool {
        **self.0.read().unwrap_or_else(PoisonError::into_inner) == *slug.as_str()
    }
}

/// How a path names a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkspaceRef {
    /// By its id, which means the same to everybody.
    Id(WorkspaceId),
    /// By its slug, which is resolved among the caller's memberships.
    Slug(Slug),
}

impl WorkspaceRef {
    /// `None` for what can name no workspace at all: not found, like an id that never was.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Id).ok().or_else(|| text.parse().map(Self::Slug).ok())
    }
}
