//! What a member has: one role in a workspace.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::permission::{Permission as P, PermissionSet};

/// A member's role. The words are those of the database and of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, and the only one who changes roles.
    Owner,
    /// Runs the workspace.
    Admin,
    /// Builds with it.
    Developer,
    /// Works in it.
    Member,
    /// Pays for it.
    Billing,
    /// Looks at it.
    Viewer,
}

/// The word names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a role")]
pub struct UnknownRole;

impl Role {
    /// From the most to the least powerful.
    pub const ALL: [Self; 6] = [Self::Owner, Self::Admin, Self::Developer, Self::Member, Self::Billing, Self::Viewer];

    /// The one table of what roles may do. The golden file is `docs/reference/permissions.md`.
    #[must_use]
    pub const fn permissions(self) -> PermissionSet {
        match self {
            Self::Owner => PermissionSet::ALL,
            Self::Admin => PermissionSet::ALL.without(PermissionSet::OWNERS_ALONE),
            Self::Developer => PermissionSet::of(&[
                P::ReadWorkspace,
                P::LeaveWorkspace,
                P::ReadMembers,
                P::ReadProjects,
                P::CreateProject,
                P::ReadKeys,
                P::ReadAudit,
                P::ReadSecrets,
                P::ReadRetention,
            ]),
            Self::Member | Self::Viewer => {
                PermissionSet::of(&[P::ReadWorkspace, P::LeaveWorkspace, P::ReadMembers, P::ReadProjects])
            }
            Self::Billing => PermissionSet::of(&[P::ReadWorkspace, P::LeaveWorkspace]),
        }
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Member => "member",
            Self::Billing => "billing",
            Self::Viewer => "viewer",
        }
    }
}

impl<'de> Deserialize<'de> for Role {
    /// From its word alone: a derived one would take `{"owner": null}` as well.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = || serde::de::Error::custom("a role is owner, admin, developer, member, billing or viewer");
        word.parse().map_err(|UnknownRole| known())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == word).ok_or(UnknownRole)
    }
}
