//! Workspaces and the membership that each begins with.

use bailiwick_proof::id::{Id, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{CreateWorkspace, Workspace};
use crate::authz::{Role, Slug};
use crate::db::{AccountTx, DbError, WorkspaceTx};

/// Only while founding, when the founder's own rows are visible too. Takes a lock on the name for the founder until
/// the transaction ends: of two foundings at once the second sees the first.
pub(super) async fn founder_has_slug(tx: &mut WorkspaceTx, user: UserId, slug: &Slug) -> Result<bool, DbError> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        format!("founding {} {}", user.uuid(), slug.as_str())
    )
    .execute(tx.connection()?)
    .await?;
    let has = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM memberships m JOIN workspaces w ON w.workspace_id = m.workspace_id
             WHERE m.user_id = $1 AND w.slug = $2) AS "has!""#,
        user.uuid(),
        slug.as_str()
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(has)
}

pub(super) async fn insert_workspace(
    tx: &mut WorkspaceTx,
    new: &CreateWorkspace,
    created_at: OffsetDateTime,
) -> Result<(), DbError> {
    let workspace = tx.workspace().uuid();
    sqlx::query!(
        "INSERT INTO workspaces (workspace_id, name, slug, created_at) VALUES ($1, $2, $3, $4)",
        workspace,
        new.name.as_str(),
        new.slug.as_str(),
        created_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn insert_member(
    tx: &mut WorkspaceTx,
    user: UserId,
    role: Role,
    created_at: OffsetDateTime,
) -> Result<(), DbError> {
    let workspace = tx.workspace().uuid();
    sqlx::query!(
        "INSERT INTO memberships (workspace_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)",
        workspace,
        user.uuid(),
        role.as_str(),
        created_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn list(tx: &mut AccountTx, after: Option<Uuid>, rows: i64) -> Result<Vec<Workspace>, DbError> {
    let user = tx.user().uuid();
    let rows = sqlx::query!(
        "SELECT w.workspace_id, w.name, w.slug, w.created_at, m.role
         FROM memberships m JOIN workspaces w ON w.workspace_id = m.workspace_id
         WHERE m.user_id = $1 AND ($2::uuid IS NULL OR m.workspace_id > $2) ORDER BY m.workspace_id LIMIT $3",
        user,
        after,
        rows
    )
    .fetch_all(tx.connection()?)
    .await?;
    let rows = rows.into_iter().map(|row| Workspace {
        id: Id::from_uuid(row.workspace_id),
        name: row.name,
        slug: row.slug,
        role: row.role.parse().ok(),
        created_at: row.created_at,
    });
    Ok(rows.collect())
}

pub(super) async fn get(tx: &mut WorkspaceTx, role: Option<Role>) -> Result<Option<Workspace>, DbError> {
    let workspace = tx.workspace().uuid();
    let row =
        sqlx::query!("SELECT workspace_id, name, slug, created_at FROM workspaces WHERE workspace_id = $1", workspace)
            .fetch_optional(tx.connection()?)
            .await?;
    Ok(row.map(|row| Workspace {
        id: Id::from_uuid(row.workspace_id),
        name: row.name,
        slug: row.slug,
        role,
        created_at: row.created_at,
    }))
}
