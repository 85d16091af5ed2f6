//! A member as the others see them.

use bailiwick_proof::id::UserId;
use serde::Serialize;
use time::OffsetDateTime;

use crate::authz::Role;

/// A person in a workspace.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
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
