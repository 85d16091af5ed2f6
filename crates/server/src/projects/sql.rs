//! Projects.

use bailiwick_proof::id::Id;
use uuid::Uuid;

use super::Project;
use crate::db::{DbError, WorkspaceTx};

pub(super) async fn insert(tx: &mut WorkspaceTx, project: &Project) -> Result<(), DbError> {
    let workspace = tx.workspace().uuid();
    sqlx::query!(
        "INSERT INTO projects (workspace_id, environment, id, name, created_at) VALUES ($1, $2, $3, $4, $5)",
        workspace,
        project.environment.as_str(),
        project.id.uuid(),
        project.name,
        project.created_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Projects by id, which is the order of their making, one more than `limit`.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut WorkspaceTx, after: Option<Uuid>, limit: u16) -> Result<Vec<Project>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment());
    let rows = sqlx::query!(
        "SELECT id, name, created_at FROM projects WHERE workspace_id = $1 AND environment = $2
           AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4",
        workspace,
        environment.as_str(),
        after,
        i64::from(limit) + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    let projects = rows.into_iter().map(|row| Project {
        id: Id::from_uuid(row.id),
        name: row.name,
        environment,
        created_at: row.created_at,
    });
    Ok(projects.collect())
}
