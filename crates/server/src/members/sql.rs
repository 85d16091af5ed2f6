//! Memberships with their people.

use bailiwick_proof::id::Id;
use uuid::Uuid;

use super::Member;
use crate::db::{DbError, WorkspaceTx};

/// Members by id, one more than `limit`. A row whose role is no word of ours is no membership.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut WorkspaceTx, after: Option<Uuid>, limit: u16) -> Result<Vec<Member>, DbError> {
    let workspace = tx.workspace().uuid();
    let rows = sqlx::query!(
        "SELECT m.user_id, u.email, m.role, m.created_at FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND ($2::uuid IS NULL OR m.user_id > $2) ORDER BY m.user_id LIMIT $3",
        workspace,
        after,
        i64::from(limit) + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    let members = rows.into_iter().filter_map(|row| {
        let (user_id, role) = (Id::from_uuid(row.user_id), row.role.parse().ok()?);
        Some(Member { user_id, email: row.email, role, joined_at: row.created_at })
    });
    Ok(members.collect())
}
