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

/// What was due before a schedule is moved on, and what comes then.
pub(super) struct Step {
    pub(super) now: OffsetDateTime,
    /// No time beyond this one can have been set by a clock that is right.
    pub(super) latest: OffsetDateTime,
    pub(super) next: OffsetDateTime,
}

/// By how many seconds this node's `now` is ahead of the database's clock; behind it, if negative.
pub(super) async fn seconds_ahead(tx: &mut SystemTx, now: OffsetDateTime) -> Result<f64, DbError> {
    let ahead = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM $1::timestamptz - clock_timestamp())::float8 AS "ahead!""#,
        now
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(ahead)
}

/// Moves it on, if it is still due; whoever comes second waits for the first and finds that it is not.
pub(super) async fn advance(tx: &mut SystemTx, kind: &str, step: &Step) -> Result<bool, DbError> {
    let moved = sqlx::query!(
        "UPDATE job_schedules SET last_run_at = $2, next_run_at = $3
         WHERE kind = $1 AND (next_run_at <= $2 OR next_run_at > $4)",
        kind,
        step.now,
        step.next,
        step.latest
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
