//! Memberships, as far as a decision needs them.

use bailiwick_proof::id::{Id, UserId, WorkspaceId};

use super::{Role, WorkspaceRef};
use crate::db::{AccountTx, DbError, WorkspaceTx};

/// The person's memberships that a path may mean: at most one by id, perhaps several by slug.
pub(super) async fn memberships(
    tx: &mut AccountTx,
    workspace: &WorkspaceRef,
) -> Result<Vec<(WorkspaceId, String)>, DbError> {
    let user = tx.user().uuid();
    let (id, slug) = match workspace {
        WorkspaceRef::Id(id) => (Some(id.uuid()), None),
        WorkspaceRef::Slug(slug) => (None, Some(slug.as_str())),
    };
    let rows = sqlx::query!(
        "SELECT m.workspace_id, m.role FROM memberships m JOIN workspaces w ON w.workspace_id = m.workspace_id
         WHERE m.user_id = $1 AND (w.workspace_id = $2 OR w.slug = $3) ORDER BY m.workspace_id",
        user,
        id,
        slug
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.workspace_id), row.role)).collect())
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
