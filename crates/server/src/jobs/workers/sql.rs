//! The ends that a claimed job can come to. Each statement is for many jobs at once and answers the ids of those whose
//! fence was still the claim's; the others have been claimed by somebody else.

use std::collections::HashSet;

use time::OffsetDateTime;
use uuid::Uuid;

use super::ender::PutOff;
use crate::db::{DbError, LEASE_SECONDS, SystemTx};
use crate::jobs::sql::Ending;

struct Columns {
    workspaces: Vec<Uuid>,
    ids: Vec<Uuid>,
    fences: Vec<i64>,
}

impl Columns {
    fn of<'a>(jobs: impl Iterator<Item = &'a Ending>) -> Self {
        let mut columns = Self { workspaces: Vec::new(), ids: Vec::new(), fences: Vec::new() };
        for job in jobs {
            columns.workspaces.push(job.workspace);
            columns.ids.push(job.id);
            columns.fences.push(job.fence);
        }
        columns
    }
}

/// Their work is done: rows and payloads go.
pub(super) async fn finish(tx: &mut SystemTx, jobs: &[Ending]) -> Result<HashSet<Uuid>, DbError> {
    let Columns { workspaces, ids, fences } = Columns::of(jobs.iter());
    let ended = sqlx::query_scalar!(
        "WITH ended AS (
             DELETE FROM jobs_ready r USING unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS e (workspace_id, id, fence)
             WHERE r.workspace_id = e.workspace_id AND r.id = e.id AND r.fence = e.fence
             RETURNING r.workspace_id, r.id),
         scrubbed AS (
             DELETE FROM job_payloads p USING ended WHERE p.workspace_id = ended.workspace_id AND p.id = ended.id)
         SELECT id FROM ended",
        &workspaces,
        &ids,
        &fences
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(ended.into_iter().collect())
}

/// They are tried again later. A try that failed through nobody's fault is not counted.
pub(super) async fn put_off(tx: &mut SystemTx, jobs: &[PutOff]) -> Result<HashSet<Uuid>, DbError> {
    let Columns { workspaces, ids, fences } = Columns::of(jobs.iter().map(|put_off| &put_off.job));
    let due: Vec<OffsetDateTime> = jobs.iter().map(|put_off| put_off.due_at).collect();
    let errors: Vec<String> = jobs.iter().map(|put_off| put_off.error.clone()).collect();
    let uncounted: Vec<i16> = jobs.iter().map(|put_off| i16::from(!put_off.is_counted)).collect();
    let put_off = sqlx::query_scalar!(
        "UPDATE jobs_ready r SET retrying = true, due_at = e.due_at, leased_until = NULL, last_error = e.error,
             attempts = greatest(r.attempts - e.uncounted, 0)
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[], $6::smallint[])
             AS e (workspace_id, id, fence, due_at, error, uncounted)
         WHERE r.workspace_id = e.workspace_id AND r.id = e.id AND r.fence = e.fence RETURNING r.id",
        &workspaces,
        &ids,
        &fences,
        &due,
        &errors,
        &uncounted
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(put_off.into_iter().collect())
}

/// They are given up. The payload goes where nobody could use it any more.
pub(super) async fn bury(
    tx: &mut SystemTx,
    jobs: &[(Ending, String, bool)],
    now: OffsetDateTime,
) -> Result<HashSet<Uuid>, DbError> {
    let Columns { workspaces, ids, fences } = Columns::of(jobs.iter().map(|(job, ..)| job));
    let errors: Vec<String> = jobs.iter().map(|(_, error, _)| error.clone()).collect();
    let scrubs: Vec<bool> = jobs.iter().map(|(.., scrub)| *scrub).collect();
    let buried = sqlx::query_scalar!(
        "WITH ended AS (
             DELETE FROM jobs_ready r
             USING unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::boolean[])
                 AS e (workspace_id, id, fence, error, scrub)
             WHERE r.workspace_id = e.workspace_id AND r.id = e.id AND r.fence = e.fence
             RETURNING r.workspace_id, r.environment, r.project_id, r.id, r.kind, r.attempts, r.fence, e.error, e.scrub),
         scrubbed AS (
             DELETE FROM job_payloads p USING ended
             WHERE ended.scrub AND p.workspace_id = ended.workspace_id AND p.id = ended.id)
         INSERT INTO jobs_dead (workspace_id, environment, project_id, id, kind, attempts, fence, error, is_scrubbed,
             died_at)
         SELECT workspace_id, environment, project_id, id, kind, attempts, fence, error, scrub, $6 FROM ended RETURNING id",
        &workspaces,
        &ids,
        &fences,
        &errors,
        &scrubs,
        now
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(buried.into_iter().collect())
}

/// They were claimed and never begun: anybody may take them at once, and the try does not count.
pub(super) async fn give_back(tx: &mut SystemTx, jobs: &[Ending]) -> Result<(), DbError> {
    let Columns { workspaces, ids, fences } = Columns::of(jobs.iter());
    sqlx::query!(
        "UPDATE jobs_ready r SET leased_until = NULL, attempts = r.attempts - 1
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS e (workspace_id, id, fence)
         WHERE r.workspace_id = e.workspace_id AND r.id = e.id AND r.fence = e.fence",
        &workspaces,
        &ids,
        &fences
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// They are still at hand.
pub(super) async fn renew(tx: &mut SystemTx, jobs: &[Ending]) -> Result<HashSet<Uuid>, DbError> {
    let Columns { workspaces, ids, fences } = Columns::of(jobs.iter());
    let held = sqlx::query_scalar!(
        "UPDATE jobs_ready r SET leased_until = now() + make_interval(secs => $4)
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS e (workspace_id, id, fence)
         WHERE r.workspace_id = e.workspace_id AND r.id = e.id AND r.fence = e.fence RETURNING r.id",
        &workspaces,
        &ids,
        &fences,
        LEASE_SECONDS
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(held.into_iter().collect())
}
