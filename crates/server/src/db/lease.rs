//! A job's transaction commits under the job's lease, or not at all.
//!
//! The row in the queue is locked before the commit and compared by its fence, so a claim by somebody else comes either
//! before, and then nothing is committed here, or after, and then it finds what was committed.

use bailiwick_proof::id::WorkspaceId;

use super::DbError;
use super::authority::Lease;
use super::tx::Tx;

/// For how long a claim, a renewal or a commit of the job's own holds the job, by the database's clock.
pub const LEASE_SECONDS: f64 = 60.0;

/// Locks the row until the transaction ends, and renews the lease.
///
/// # Errors
/// [`DbError::LeaseLost`] when somebody else has claimed the job since.
pub(super) async fn hold(tx: &mut Tx, workspace: WorkspaceId, lease: Lease) -> Result<(), DbError> {
    let held = sqlx::query!(
        "UPDATE jobs_ready SET leased_until = now() + make_interval(secs => $4)
         WHERE workspace_id = $1 AND id = $2 AND fence = $3",
        workspace.uuid(),
        lease.job,
        lease.fence,
        LEASE_SECONDS
    )
    .execute(tx.connection()?)
    .await?;
    if held.rows_affected() == 1 { Ok(()) } else { Err(DbError::LeaseLost) }
}

/// Ends the job with the transaction: its row and its payload are gone when the change is there.
///
/// # Errors
/// As [`hold`].
pub(super) async fn end(tx: &mut Tx, workspace: WorkspaceId, lease: Lease) -> Result<(), DbError> {
    let ended = sqlx::query!(
        r#"WITH ended AS (
             DELETE FROM jobs_ready WHERE workspace_id = $1 AND id = $2 AND fence = $3 RETURNING workspace_id, id),
         scrubbed AS (
             DELETE FROM job_payloads p USING ended
             WHERE p.workspace_id = $1 AND p.id = $2 AND p.workspace_id = ended.workspace_id AND p.id = ended.id)
         SELECT count(*) AS "ended!" FROM ended"#,
        workspace.uuid(),
        lease.job,
        lease.fence
    )
    .fetch_one(tx.connection()?)
    .await?;
    if ended.ended == 1 { Ok(()) } else { Err(DbError::LeaseLost) }
}
