//! Memberships, as far as a decision needs them.

use bailiwick_proof::id::{ApiKeyId, Id, UserId};

use super::Role;
use super::membership::Membership;
use crate::db::{AccountTx, DbError, WorkspaceTx};

/// All memberships of the person.
pub(super) async fn memberships(tx: &mut AccountTx) -> Result<Vec<Membership>, DbError> {
    let user = tx.user().uuid();
    let rows = sqlx::query!(
        "SELECT m.workspace_id, w.slug, m.role FROM memberships m JOIN workspaces w ON w.workspace_id = m.workspace_id
         WHERE m.user_id = $1 ORDER BY m.workspace_id",
        user
    )
    .fetch_all(tx.connection()?)
    .await?;
    let rows = rows.into_iter().map(|row| Membership {
        workspace: Id::from_uuid(row.workspace_id),
        slug: row.slug,
        role: row.role.parse().ok(),
    });
    Ok(rows.collect())
}

/// A member's role, read again inside the transaction that acts on it, and held until it ends.
pub(super) async fn role_for_share(tx: &mut WorkspaceTx, user: UserId) -> Result<Option<Role>, DbError> {
    let workspace = tx.workspace().uuid();
    let role = sqlx::query_scalar!(
        "SELECT role FROM memberships WHERE workspace_id = $1 AND user_id = $2 FOR SHARE",
        workspace,
        user.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(role.and_then(|word| word.parse().ok()))
}

/// Whether a key works, asked inside the transaction that acts by it; it works until that ends.
pub(super) async fn key_works_for_share(tx: &mut WorkspaceTx, key: ApiKeyId) -> Result<bool, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let works = sqlx::query_scalar!(
        r#"SELECT true AS "works!" FROM api_keys
           WHERE workspace_id = $1 AND environment = $2 AND id = $3 AND revoked_at IS NULL
             AND (expires_at IS NULL OR expires_at > clock_timestamp())
           FOR SHARE"#,
        workspace,
        environment,
        key.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(works.is_some())
}
