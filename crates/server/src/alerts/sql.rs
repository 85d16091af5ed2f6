//! Findings, on the path that writes them down.

use time::OffsetDateTime;
use uuid::Uuid;

use super::AlertView;
use crate::db::{DbError, SystemTx};
use crate::vault::Alert;

/// Whether it is new, or back after it was resolved.
pub(super) async fn upsert(
    tx: &mut SystemTx,
    id: Uuid,
    alert: &Alert,
    row: &str,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let open = sqlx::query_scalar!(
        r#"WITH before AS (
               SELECT resolved_at IS NULL AS open FROM alerts
               WHERE workspace_id = $1 AND what = $2 AND of_what = $3 AND row_name = $4)
           INSERT INTO alerts AS a (workspace_id, id, what, of_what, row_name, first_seen_at, last_seen_at, seen)
           VALUES ($1, $5, $2, $3, $4, $6, $6, 1)
           ON CONFLICT ON CONSTRAINT alerts_once
               DO UPDATE SET last_seen_at = excluded.last_seen_at, seen = a.seen + 1, resolved_at = NULL
           RETURNING coalesce((SELECT open FROM before), false) AS "open!""#,
        alert.workspace,
        alert.what,
        alert.of,
        row,
        id,
        now
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(!open)
}

pub(super) async fn workspace_is_there(tx: &mut SystemTx, workspace: Uuid) -> Result<bool, DbError> {
    let found = sqlx::query_scalar!("SELECT workspace_id FROM workspaces WHERE workspace_id = $1", workspace)
        .fetch_optional(tx.connection()?)
        .await?;
    Ok(found.is_some())
}

pub(super) async fn list(tx: &mut SystemTx, resolved_too: bool) -> Result<Vec<AlertView>, DbError> {
    let rows = sqlx::query!(
        "SELECT workspace_id, id, what, of_what, row_name, first_seen_at, last_seen_at, seen, resolved_at FROM alerts
         WHERE $1 OR resolved_at IS NULL ORDER BY last_seen_at DESC, id DESC",
        resolved_too
    )
    .fetch_all(tx.connection()?)
    .await?;
    let alerts = rows.into_iter().map(|row| AlertView {
        id: row.id,
        what: row.what,
        of: row.of_what,
        workspace: (!row.workspace_id.is_nil()).then_some(row.workspace_id),
        row: row.row_name,
        first_seen_at: row.first_seen_at,
        last_seen_at: row.last_seen_at,
        seen: row.seen,
        resolved_at: row.resolved_at,
    });
    Ok(alerts.collect())
}

pub(super) async fn resolve(tx: &mut SystemTx, id: Option<Uuid>, now: OffsetDateTime) -> Result<u64, DbError> {
    let done = sqlx::query!(
        "UPDATE alerts SET resolved_at = $2 WHERE resolved_at IS NULL AND ($1::uuid IS NULL OR id = $1)",
        id,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected())
}
