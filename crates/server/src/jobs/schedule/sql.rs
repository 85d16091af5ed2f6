//! Schedules, and whether their last job is done.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::{DbError, SystemTx};

/// A schedule as it stands.
#[derive(Clone, Debug)]
pub(in crate::jobs) struct ScheduleRow {
    pub(in crate::jobs) kind: String,
    pub(in crate::jobs) last_run_at: Option<OffsetDateTime>,
    pub(in crate::jobs) next_run_at: OffsetDateTime,
}

pub(in crate::jobs) async fn all(tx: &mut SystemTx) -> Result<Vec<ScheduleRow>, DbError> {
    let rows = sqlx::query_as!(ScheduleRow, "SELECT kind, last_run_at, next_run_at FROM job_schedules ORDER BY kind")
        .fetch_all(tx.connection()?)
        .await?;
    Ok(rows)
}

pub(super) async fn insert(tx: &mut SystemTx, kind: &str, first: OffsetDateTime) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO job_schedules (kind, next_run_at) VALUES ($1, $2) ON CONFLICT (kind) DO NOTHING",
        kind,
        first
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Moves it on, if it is still due; whoever comes second waits for the first and finds that it is not.
pub(super) async fn advance(
    tx: &mut SystemTx,
    kind: &str,
    now: OffsetDateTime,
    next: OffsetDateTime,
) -> Result<bool, DbError> {
    let moved = sqlx::query!(
        "UPDATE job_schedules SET last_run_at = $2, next_run_at = $3 WHERE kind = $1 AND next_run_at <= $2",
        kind,
        now,
        next
    )
    .execute(tx.connection()?)
    .await?;
    Ok(moved.rows_affected() == 1)
}

pub(super) async fn is_waiting(tx: &mut SystemTx, kind: &str) -> Result<bool, DbError> {
    let waiting = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM jobs_ready WHERE workspace_id = $1 AND kind = $2) AS "waiting!""#,
        Uuid::nil(),
        kind
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(waiting)
}
