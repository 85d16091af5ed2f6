//! What a key has: a set of scopes.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::permission::{Permission as P, PermissionSet};

/// One scope of an API key. The words are those of the database and of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Published things.
    Read,
    /// Drafts as well.
    ReadDraft,
    /// Changes to what is in projects.
    Write,
    /// The workspace itself: members, keys.
    Management,
}

/// The word names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a scope")]
pub struct UnknownScope;

impl Scope {
    /// In the order in which they are shown and stored.
    pub const ALL: [Self; 4] = [Self::Read, Self::ReadDraft, Self::Write, Self::Management];

    /// The one table of what scopes may do.
    #[must_use]
    pub const fn permissions(self) -> PermissionSet {
        match self {
            Self::Read | Self::ReadDraft => PermissionSet::of(&[P::ReadWorkspace, P::ReadProjects]),
            Self::Write => PermissionSet::of(&[P::ReadWorkspace, P::ReadProjects, P::CreateProject, P::RecordEvent]),
            Self::Management => {
                PermissionSet::ALL.without(PermissionSet::OWNERS_ALONE).without(PermissionSet::PEOPLES_ALONE)
            }
        }
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadDraft => "read_draft",
            Self::Write => "write",
            Self::Management => "management",
        }
    }

    const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl<'de> Deserialize<'de> for Scope {
    /// From its word alone: a derived one would take `{"read": null}` as well.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = || serde::de::Error::custom("a scope is read, read_draft, write or management");
        word.parse().map_err(|UnknownScope| known())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word).ok_or(UnknownScope)
    }
}

/// The scopes of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(u8);

impl ScopeSet {
    /// Every scope: the ceiling of a person, whose role is what limits them.
    pub const ALL: Self = Self(0b1111);

    /// The set of these; doubles fold.
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// Reads what the database holds. A word that is not known grants nothing.
    #[must_use]
    pub fn from_words<W: AsRef<str>>(words: &[W]) -> Self {
        let known: Vec<Scope> = words.iter().filter_map(|word| word.as_ref().parse().ok()).collect();
        Self::of(&known)
    }

    /// Is it in?
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Is every scope of the other in this one?
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The scopes in it, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    /// The words, as the database and the API have them.
    #[must_use]
    pub fn words(self) -> Vec<String> {
        self.iter().map(|scope| scope.as_str().to_owned()).collect()
    }

    /// What they allow together.
    #[must_use]
    pub fn permissions(self) -> PermissionSet {
        self.iter().fold(PermissionSet::NONE, |all, scope| all.union(scope.permissions()))
    }
}
