//! Whether a workspace lets in only those who have shown a factor beyond the mail.
//!
//! # Invariants
//! - It stands in every membership, under its MAC, and in each that is added later: no row can be taken away that says so without
//!   the membership that it limits.
//! - Only an owner whose own session is strong switches it on, so nobody locks themselves out.
//! - The answer comes when no node decides by what was before. Keys go on: a factor is a person's.

pub mod http;
mod ops;
pub mod page;
mod sql;

use serde::{Deserialize, Serialize};

/// What a workspace demands of those who sign in to it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkspaceSecurity {
    /// Whether it lets in only those who have shown a factor beyond the mail.
    pub require_mfa: bool,
    /// The addresses of members who have none, a hundred at most.
    pub members_without: Vec<String>,
}

/// `{"require_mfa": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWorkspaceSecurity {
    /// Whether it is to.
    pub require_mfa: bool,
}
