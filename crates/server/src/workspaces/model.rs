//! A workspace as its members see it.

use bailiwick_proof::id::WorkspaceId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::authz::{Role, Slug};
use crate::name::Name;

/// What founds a workspace.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWorkspace {
    /// 1 to 80 characters.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    pub name: Name,
    /// 1 to 48 of a-z, 0-9 and inner hyphens.
    #[schema(value_type = String, pattern = "^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$")]
    pub slug: Slug,
}

/// A workspace, with the caller's role in it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Workspace {
    /// `ws_…`
    #[schema(value_type = String)]
    pub id: WorkspaceId,
    /// As its members call it.
    pub name: String,
    /// Its name in paths, among one's own workspaces.
    pub slug: String,
    /// The caller's role; null for an API key.
    pub role: Option<Role>,
    /// When it was founded.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
}
