//! A project.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::ProjectId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::name::Name;

/// What makes a project.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    /// 1 to 80 characters, not in use in this environment.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    pub name: Name,
}

/// A project of a workspace's environment.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Project {
    /// `prj_…`
    #[schema(value_type = String)]
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// live or test.
    #[schema(value_type = String)]
    pub environment: Environment,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
}
