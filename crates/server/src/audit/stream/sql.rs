//! Streams, within a workspace, and on the operational path of what follows their logs.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{Id, WorkspaceId};
use bailiwick_proof::log::Log;
use time::OffsetDateTime;
use uuid::Uuid;

use super::fault::Fault;
use super::model::Row;
use super::operator::Head;
use crate::db::{DbError, SystemTx, WorkspaceTx};

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The stream of the environment, if it has one.
pub(super) async fn get(tx: &mut WorkspaceTx) -> Result<Option<Row>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query!(
        "SELECT settings_sealed, set_by, set_at, size, written_at, fault, fault_object, fault_at, failures, is_stopped, job, due_at
         FROM audit_streams WHERE workspace_id = $1 AND environment = $2",
        workspace,
        environment
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| Row {
        settings_sealed: row.settings_sealed,
        set_by: row.set_by,
        set_at: row.set_at,
        size: count(row.size),
        written_at: row.written_at,
        fault: row.fault.zip(row.fault_at),
        fault_object: row.fault_object,
        failures: u32::try_from(row.failures).unwrap_or_default(),
        is_stopped: row.is_stopped,
        job: row.job,
        due_at: row.due_at,
    }))
}

/// Sets the stream up, or anew: nothing is known of the bucket then, and the job is the one that writes first.
pub(super) async fn set(tx: &mut WorkspaceTx, sealed: &[u8], job: Uuid) -> Result<(), DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let (by, now) = (tx.actor().to_owned(), tx.context().received_at);
    sqlx::query!(
        "INSERT INTO audit_streams (workspace_id, environment, settings_sealed, set_by, set_at, job, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $5)
         ON CONFLICT (workspace_id, environment) DO UPDATE
         SET settings_sealed = EXCLUDED.settings_sealed, set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at, generation = 1, size = 0,
             written_at = NULL, fault = NULL, fault_object = NULL, fault_at = NULL, failures = 0, is_stopped = false,
             job = EXCLUDED.job, due_at = EXCLUDED.due_at",
        workspace,
        environment,
        sealed,
        by,
        now,
        job
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Whether there was one.
pub(super) async fn remove(tx: &mut WorkspaceTx) -> Result<bool, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let removed =
        sqlx::query!("DELETE FROM audit_streams WHERE workspace_id = $1 AND environment = $2", workspace, environment)
            .execute(tx.connection()?)
            .await?;
    Ok(removed.rows_affected() > 0)
}

/// Stops a stream that this job was to write; whether it still was.
pub(super) async fn stop(tx: &mut WorkspaceTx, job: Uuid, fault: &Fault) -> Result<bool, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let now = tx.context().received_at;
    let stopped = sqlx::query!(
        "UPDATE audit_streams SET is_stopped = true, fault = $4, fault_object = $5, fault_at = $6, failures = failures + 1,
             job = NULL, due_at = NULL
         WHERE workspace_id = $1 AND environment = $2 AND job = $3",
        workspace,
        environment,
        job,
        fault.code.as_str(),
        fault.object,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(stopped.rows_affected() > 0)
}

/// A stream and the job that writes it.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) workspace: WorkspaceId,
    pub(super) environment: Environment,
    pub(super) job: Uuid,
}

/// The bucket has this much of the generation now; whether the job is still the one that writes.
pub(super) async fn written(
    tx: &mut SystemTx,
    at: At,
    (generation, size): (u32, u64),
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let updated = sqlx::query!(
        "UPDATE audit_streams SET generation = $4, size = $5, written_at = $6, fault = NULL, fault_object = NULL, fault_at = NULL,
             failures = 0
         WHERE workspace_id = $1 AND environment = $2 AND job = $3",
        at.workspace.uuid(),
        at.environment.as_str(),
        at.job,
        i32::try_from(generation).unwrap_or(i32::MAX),
        i64::try_from(size).unwrap_or(i64::MAX),
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(updated.rows_affected() > 0)
}

/// The job has done its work. What has grown meanwhile is found again.
pub(super) async fn rest(tx: &mut SystemTx, at: At) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE audit_streams SET job = NULL, due_at = NULL WHERE workspace_id = $1 AND environment = $2 AND job = $3",
        at.workspace.uuid(),
        at.environment.as_str(),
        at.job
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Hands over to another job, with what kept this one from going on; whether this one was still to write.
pub(super) async fn hand_over(
    tx: &mut SystemTx,
    at: At,
    (next, due_at): (Uuid, OffsetDateTime),
    fault: Option<(&Fault, OffsetDateTime)>,
) -> Result<bool, DbError> {
    let (what, now) = fault.unzip();
    let updated = sqlx::query!(
        "UPDATE audit_streams SET job = $4, due_at = $5, fault = $6, fault_object = $7, fault_at = $8,
             failures = CASE WHEN $6::text IS NULL THEN 0 ELSE failures + 1 END
         WHERE workspace_id = $1 AND environment = $2 AND job = $3",
        at.workspace.uuid(),
        at.environment.as_str(),
        at.job,
        next,
        due_at,
        what.map(|fault| fault.code.as_str()),
        what.and_then(|fault| fault.object.as_deref()),
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(updated.rows_affected() > 0)
}

/// What is worth a step: this many entries, or a few that have waited so long.
pub(super) struct Worth {
    pub(super) entries: i64,
    pub(super) waited_since: OffsetDateTime,
    /// A job that was due before is lost.
    pub(super) lost_before: OffsetDateTime,
}

/// Streams whose logs have gone on, and that no job is to write; locked, and none that somebody else has locked.
pub(super) async fn behind(
    tx: &mut SystemTx,
    worth: &Worth,
    at_most: i64,
) -> Result<Vec<(WorkspaceId, Environment)>, DbError> {
    let rows = sqlx::query!(
        "SELECT s.workspace_id, s.environment FROM audit_streams s
         JOIN ledger_heads h ON h.workspace_id = s.workspace_id AND h.environment = s.environment
         WHERE NOT s.is_stopped AND (s.job IS NULL OR s.due_at < $3)
           AND (h.generation > s.generation OR h.size > s.size)
           AND (h.generation > s.generation OR h.size >= s.size + $1 OR s.written_at IS NULL OR s.written_at < $2)
         LIMIT $4 FOR NO KEY UPDATE OF s SKIP LOCKED",
        worth.entries,
        worth.waited_since,
        worth.lost_before,
        at_most
    )
    .fetch_all(tx.connection()?)
    .await?;
    let named = |workspace, environment: &str| Some((Id::from_uuid(workspace), environment.parse().ok()?));
    Ok(rows.into_iter().filter_map(|row| named(row.workspace_id, &row.environment)).collect())
}

/// From now on this job writes.
pub(super) async fn take_up(tx: &mut SystemTx, at: At, due_at: OffsetDateTime) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE audit_streams SET job = $3, due_at = $4 WHERE workspace_id = $1 AND environment = $2",
        at.workspace.uuid(),
        at.environment.as_str(),
        at.job,
        due_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Every log that has entries, the cell's among them.
pub(super) async fn heads(tx: &mut SystemTx) -> Result<Vec<Head>, DbError> {
    let rows = sqlx::query!(
        "SELECT workspace_id, environment, generation, size FROM ledger_heads WHERE size > 0 ORDER BY workspace_id, environment"
    )
    .fetch_all(tx.connection()?)
    .await?;
    let heads = rows.into_iter().filter_map(|row| {
        let log = if row.workspace_id.is_nil() {
            Log::Cell
        } else {
            Log::Workspace { workspace: Id::from_uuid(row.workspace_id), environment: row.environment.parse().ok()? }
        };
        Some(Head { log, generation: u32::try_from(row.generation).ok()?, size: u64::try_from(row.size).ok()? })
    });
    Ok(heads.collect())
}
