//! Jobs as an operator sees and changes them. An id is looked for in all lanes, which reads the whole queue: an operator
//! asks rarely.

use bailiwick_proof::id::{Id, JobId, WorkspaceId};
use time::OffsetDateTime;

use super::{State, View};
use crate::db::{DbError, SystemTx};

/// Which jobs are meant; all of them if nothing is said.
#[derive(Clone, Debug)]
pub struct Filter {
    /// This one.
    pub id: Option<JobId>,
    /// Those of this kind.
    pub kind: Option<String>,
    /// Those that were given up.
    pub dead_only: bool,
    /// So many at most.
    pub limit: i64,
}

impl Default for Filter {
    fn default() -> Self {
        Self { id: None, kind: None, dead_only: false, limit: 100 }
    }
}

pub(super) async fn list(tx: &mut SystemTx, filter: &Filter) -> Result<Vec<View>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT workspace_id AS "workspace_id!", environment AS "environment!", id AS "id!", kind AS "kind!",
             state AS "state!", attempts AS "attempts!", at AS "at!", error, can_be_retried AS "can_be_retried!"
         FROM (
             SELECT workspace_id, environment, id, kind, 'dead' AS state, attempts, died_at AS at, error,
                 NOT is_scrubbed AS can_be_retried, 0 AS part
             FROM jobs_dead
             UNION ALL
             SELECT workspace_id, environment, id, kind,
                 CASE WHEN leased_until >= now() THEN 'running' WHEN retrying THEN 'retrying' ELSE 'waiting' END,
                 attempts, due_at, last_error, coalesce(leased_until < now(), true), 1
             FROM jobs_ready WHERE NOT $3) AS job
         WHERE ($1::uuid IS NULL OR id = $1) AND ($2::text IS NULL OR kind = $2)
         ORDER BY part, at, id LIMIT $4"#,
        filter.id.map(Id::uuid),
        filter.kind,
        filter.dead_only,
        filter.limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| View {
            id: Id::from_uuid(row.id),
            kind: row.kind,
            state: match row.state.as_str() {
                "dead" => State::Dead,
                "running" => State::Running,
                "retrying" => State::Retrying,
                _ => State::Waiting,
            },
            workspace: (!row.workspace_id.is_nil()).then(|| WorkspaceId::from_uuid(row.workspace_id).to_string()),
            environment: row.environment,
            attempts: row.attempts,
            at: row.at,
            error: row.error,
            can_be_retried: row.can_be_retried,
        })
        .collect())
}

/// A job that was given up waits again, with all its tries before it and its fence where it was.
pub(super) async fn revive(tx: &mut SystemTx, id: JobId, now: OffsetDateTime) -> Result<bool, DbError> {
    let revived = sqlx::query!(
        "WITH dead AS (DELETE FROM jobs_dead WHERE id = $1 AND NOT is_scrubbed RETURNING *)
         INSERT INTO jobs_ready (workspace_id, environment, project_id, id, kind, retrying, due_at, fence, last_error)
         SELECT workspace_id, environment, project_id, id, kind, true, $2, fence, error FROM dead",
        id.uuid(),
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(revived.rows_affected() == 1)
}

/// A job that waits is due now.
pub(super) async fn hasten(tx: &mut SystemTx, id: JobId, now: OffsetDateTime) -> Result<bool, DbError> {
    let hastened = sqlx::query!(
        "UPDATE jobs_ready SET due_at = $2, attempts = 0 WHERE id = $1 AND (leased_until IS NULL OR leased_until < now())",
        id.uuid(),
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(hastened.rows_affected() == 1)
}

/// A job that nobody runs goes, waiting or given up, and its payload with it.
pub(super) async fn discard(tx: &mut SystemTx, id: JobId) -> Result<bool, DbError> {
    let gone = sqlx::query!(
        r#"WITH ready AS (
             DELETE FROM jobs_ready WHERE id = $1 AND (leased_until IS NULL OR leased_until < now())
             RETURNING workspace_id, id),
         dead AS (DELETE FROM jobs_dead WHERE id = $1 RETURNING workspace_id, id),
         gone AS (SELECT * FROM ready UNION ALL SELECT * FROM dead),
         scrubbed AS (
             DELETE FROM job_payloads p USING gone WHERE p.workspace_id = gone.workspace_id AND p.id = gone.id)
         SELECT count(*) AS "gone!" FROM gone"#,
        id.uuid()
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(gone.gone == 1)
}
