//! Whether a workspace lets in only those who have shown a factor beyond the mail.
//!
//! # Invariants
//! - It stands in the workspace's own row, under its MAC, and a workspace whose row nobody vouches for demands it: a membership that
//!   was out of the way when it was said, and is put back, is limited by that. It stands in every membership, too, and in each that is
//!   added later: an older row of the workspace, put back, lets nobody in until it is found.
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
