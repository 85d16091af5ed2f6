//! Saved filters.

use bailiwick_proof::id::{FilterId, Id};
use time::{Date, OffsetDateTime};

use super::MOST;
use crate::db::{DbError, WorkspaceTx};

/// A word for who or what, sealed.
#[derive(Clone, Default)]
pub(super) struct Sealed {
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) subject: Option<u32>,
}

/// A stored filter.
pub(super) struct Row {
    pub(super) id: FilterId,
    /// Whose it is; nobody's alone where it is the workspace's.
    pub(super) owner: Option<String>,
    pub(super) name: String,
    pub(super) action: Option<String>,
    pub(super) actor: Sealed,
    pub(super) target: Sealed,
    pub(super) from: Option<Date>,
    pub(super) to: Option<Date>,
    pub(super) saved_by: String,
    pub(super) saved_at: OffsetDateTime,
}

/// Whether there was room for it.
pub(super) async fn insert(tx: &mut WorkspaceTx, row: &Row) -> Result<bool, DbError> {
    let project = tx.project().project().map(Id::uuid);
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let done = sqlx::query!(
        "INSERT INTO audit_filters (workspace_id, environment, project_id, id, owner, name, action, actor_sealed, actor_subject, target_sealed,
             target_subject, from_day, to_day, saved_by, saved_at)
         SELECT $1, $2, $16, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
         WHERE (SELECT count(*) FROM audit_filters
                WHERE workspace_id = $1 AND environment = $2 AND owner IS NOT DISTINCT FROM $4) < $15",
        workspace,
        environment,
        row.id.uuid(),
        row.owner,
        row.name,
        row.action,
        row.actor.bytes,
        row.actor.subject.map(i64::from),
        row.target.bytes,
        row.target.subject.map(i64::from),
        row.from,
        row.to,
        row.saved_by,
        row.saved_at,
        MOST,
        project
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Somebody's own, and then the workspace's, which no project's wall lets through; or one of them.
pub(super) async fn of(tx: &mut WorkspaceTx, owner: &str, id: Option<FilterId>) -> Result<Vec<Row>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query!(
        "SELECT id, owner, name, action, actor_sealed, actor_subject, target_sealed, target_subject, from_day, to_day, saved_by,
             saved_at
         FROM audit_filters
         WHERE workspace_id = $1 AND environment = $2 AND (owner = $3 OR owner IS NULL) AND ($4::uuid IS NULL OR id = $4)
         ORDER BY owner IS NULL, name, id",
        workspace,
        environment,
        owner,
        id.map(Id::uuid)
    )
    .fetch_all(tx.connection()?)
    .await?;
    let subject = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let rows = rows.into_iter().map(|row| Row {
        id: Id::from_uuid(row.id),
        owner: row.owner,
        name: row.name,
        action: row.action,
        actor: Sealed { bytes: row.actor_sealed, subject: subject(row.actor_subject) },
        target: Sealed { bytes: row.target_sealed, subject: subject(row.target_subject) },
        from: row.from_day,
        to: row.to_day,
        saved_by: row.saved_by,
        saved_at: row.saved_at,
    });
    Ok(rows.collect())
}

/// Whether it was still there.
pub(super) async fn delete(tx: &mut WorkspaceTx, id: FilterId) -> Result<bool, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let done = sqlx::query!(
        "DELETE FROM audit_filters WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment,
        id.uuid()
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}
