//! A member as the others see them, and what can be asked of a membership.

use bailiwick_proof::id::UserId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::authz::Role;

/// A person in a workspace.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Member {
    /// `usr_…`
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Their address.
    pub email: String,
    /// Their role.
    pub role: Role,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub joined_at: OffsetDateTime,
}

/// `{"role": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRole {
    /// The role that they are to have.
    pub role: Role,
}

/// `{"to": …, "confirm": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferWorkspace {
    /// Who becomes an owner: a member, `usr_…`
    #[schema(value_type = String)]
    pub to: UserId,
    /// Their address, so that nobody is mistaken for another.
    #[schema(max_length = 254)]
    pub confirm: String,
}

/// `{"confirm": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaveWorkspace {
    /// The workspace's slug.
    #[schema(max_length = 48)]
    pub confirm: String,
}
