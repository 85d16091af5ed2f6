//! The queue's statements: into it, and out of it in batches. Those by which a job ends are the workers' own.
//!
//! Under a long transaction elsewhere, ended jobs stay in the index as dead entries that every scan would have to step
//! over. So a claim begins where the last one of its lane ended, and only [`due_lanes`], which is asked once a second at
//! most, begins at the beginning. Each subquery has a limit, so that no plan reads a lane to its end.

use time::OffsetDateTime;
use uuid::Uuid;

use super::wake::Lane;
use crate::db::{DbError, LEASE_SECONDS, SystemTx, WorkspaceTx};

/// A job as it is enqueued.
pub(super) struct New {
    pub(super) id: Uuid,
    pub(super) payload_sealed: Option<Vec<u8>>,
}

/// A job as it was claimed.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) workspace_id: Uuid,
    pub(super) environment: String,
    pub(super) project_id: Option<Uuid>,
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) retrying: bool,
    pub(super) due_at: OffsetDateTime,
    pub(super) attempts: i16,
    pub(super) fence: i64,
    pub(super) payload_sealed: Option<Vec<u8>>,
}

/// How much is claimed of a lane, and from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) lane: Lane,
    /// Due time and id of the last job that was claimed of it.
    pub(super) after: (OffsetDateTime, Uuid),
    pub(super) at_most: usize,
}

/// A claimed job, as every end names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ending {
    pub(super) workspace: Uuid,
    pub(super) id: Uuid,
    pub(super) fence: i64,
}

/// How the statements of a transaction find their rows. PostgreSQL would choose by what it counted last, and a queue that
/// was empty then is taken for empty for as long as nobody counts again: it would read all of it for each batch. Here
/// each way leaves one plan that is right for a short queue and for a long one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finding {
    /// Along the index of the lanes, in its order.
    InOrder,
    /// Each by its key.
    ByKey,
}

impl Finding {
    /// Until the end of the transaction.
    pub(super) async fn plan(self, tx: &mut SystemTx) -> Result<(), DbError> {
        let (in_order, by_key) = match self {
            Self::InOrder => ("on", "off"),
            // An index can be read to its end for its order; by way of a bitmap it is read for a key alone.
            Self::ByKey => ("off", "on"),
        };
        sqlx::query!(
            r#"SELECT set_config('enable_indexscan', $1, true) AS a, set_config('enable_bitmapscan', $2, true) AS b,
                 set_config('enable_seqscan', 'off', true) AS c, set_config('enable_sort', 'off', true) AS d,
                 set_config('enable_hashjoin', 'off', true) AS e, set_config('enable_mergejoin', 'off', true) AS f,
                 set_config('jit', 'off', true) AS g, set_config('plan_cache_mode', 'force_custom_plan', true) AS h"#,
            in_order,
            by_key
        )
        .fetch_one(tx.connection()?)
        .await?;
        Ok(())
    }
}

/// A lane in which something is due.
#[derive(Clone, Debug)]
pub(super) struct DueLane {
    pub(super) workspace_id: Uuid,
    pub(super) kind: String,
    pub(super) retrying: bool,
}

/// How many of a kind wait or run, and since when the oldest is due.
pub(super) struct Count {
    pub(super) kind: String,
    pub(super) waiting: i64,
    pub(super) running: i64,
    pub(super) dead: i64,
    pub(super) oldest_due_at: Option<OffsetDateTime>,
}

/// Adds jobs to the workspace's own lane of the kind.
pub(super) async fn enqueue(
    tx: &mut WorkspaceTx,
    kind: &str,
    due_at: OffsetDateTime,
    jobs: Vec<New>,
) -> Result<(), DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let project = tx.project().project().map(|project| project.uuid());
    let (ids, payloads) = columns(jobs);
    sqlx::query!(
        "WITH new AS (SELECT * FROM unnest($6::uuid[], $7::bytea[]) AS n (id, payload_sealed)),
         payloads AS (
             INSERT INTO job_payloads (workspace_id, environment, project_id, id, payload_sealed)
             SELECT $1, $2, $3, id, payload_sealed FROM new WHERE payload_sealed IS NOT NULL)
         INSERT INTO jobs_ready (workspace_id, environment, project_id, id, kind, due_at)
         SELECT $1, $2, $3, id, $4, $5 FROM new",
        workspace,
        environment,
        project,
        kind,
        due_at,
        &ids,
        &payloads as &[Option<Vec<u8>>]
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Adds a job without content to a workspace's lane of the kind.
pub(super) async fn enqueue_for(
    tx: &mut SystemTx,
    (workspace, environment): (Uuid, &str),
    kind: &str,
    due_at: OffsetDateTime,
    id: Uuid,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO jobs_ready (workspace_id, environment, id, kind, due_at) VALUES ($1, $2, $3, $4, $5)",
        workspace,
        environment,
        id,
        kind,
        due_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Adds a job to the cell's lane of the kind.
pub(super) async fn enqueue_in_cell(
    tx: &mut SystemTx,
    kind: &str,
    due_at: OffsetDateTime,
    job: New,
) -> Result<(), DbError> {
    sqlx::query!(
        "WITH payload AS (
             INSERT INTO job_payloads (workspace_id, environment, id, payload_sealed)
             SELECT $1, 'live', $2, $5::bytea WHERE $5 IS NOT NULL)
         INSERT INTO jobs_ready (workspace_id, environment, id, kind, due_at) VALUES ($1, 'live', $2, $3, $4)",
        Uuid::nil(),
        job.id,
        kind,
        due_at,
        job.payload_sealed
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

fn columns(jobs: Vec<New>) -> (Vec<Uuid>, Vec<Option<Vec<u8>>>) {
    jobs.into_iter().map(|job| (job.id, job.payload_sealed)).unzip()
}

/// The lanes of these kinds in which something is due and not leased, after this one in their order; at most `at_most`.
/// It steps from lane to lane: a lane costs two looks into the index, however long it is.
pub(super) async fn due_lanes(
    tx: &mut SystemTx,
    kinds: &[String],
    after: &DueLane,
    now: OffsetDateTime,
    at_most: i64,
) -> Result<Vec<DueLane>, DbError> {
    let lanes = sqlx::query_as!(
        DueLane,
        r#"WITH RECURSIVE lanes AS (
             SELECT $2::uuid AS workspace_id, $3::text COLLATE "C" AS kind, $4::boolean AS retrying
             UNION ALL
             SELECT next.workspace_id, next.kind, next.retrying FROM lanes l CROSS JOIN LATERAL (
                 SELECT r.workspace_id, r.kind, r.retrying FROM jobs_ready r
                 WHERE (r.workspace_id, r.kind, r.retrying) > (l.workspace_id, l.kind, l.retrying)
                 ORDER BY r.workspace_id, r.kind, r.retrying LIMIT 1) next)
         SELECT l.workspace_id AS "workspace_id!", l.kind AS "kind!", l.retrying AS "retrying!"
         FROM lanes l CROSS JOIN LATERAL (
             SELECT FROM jobs_ready r
             WHERE r.workspace_id = l.workspace_id AND r.kind = l.kind AND r.retrying = l.retrying AND r.due_at <= $5
               AND (r.leased_until IS NULL OR r.leased_until < now())
             LIMIT 1) due
         WHERE l.kind = ANY ($1) AND (l.workspace_id, l.kind, l.retrying) > ($2, $3, $4)
         LIMIT $6"#,
        kinds,
        after.workspace_id,
        after.kind,
        after.retrying,
        now,
        at_most
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(lanes)
}

/// Claims what is due in these lanes, oldest first in each: leases it, raises its fence and hands it out with its payload.
/// What was picked is locked, so it is still where it was found when it is written; a row that was written meanwhile by
/// somebody else stays for the next claim.
pub(super) async fn claim(tx: &mut SystemTx, asks: &[Ask], now: OffsetDateTime) -> Result<Vec<Row>, DbError> {
    Finding::InOrder.plan(tx).await?;
    let workspaces: Vec<Uuid> = asks.iter().map(|ask| ask.lane.workspace).collect();
    let kinds: Vec<String> = asks.iter().map(|ask| ask.lane.kind.to_owned()).collect();
    let retrying: Vec<bool> = asks.iter().map(|ask| ask.lane.retrying).collect();
    let (after_due, after_id): (Vec<OffsetDateTime>, Vec<Uuid>) = asks.iter().map(|ask| ask.after).unzip();
    let at_most: Vec<i64> = asks.iter().map(|ask| i64::try_from(ask.at_most).unwrap_or(i64::MAX)).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"WITH picked AS MATERIALIZED (
             SELECT job.place FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::timestamptz[], $5::uuid[], $6::bigint[])
                 AS ask (workspace_id, kind, retrying, after_due, after_id, at_most)
             CROSS JOIN LATERAL (
                 SELECT r.ctid AS place FROM jobs_ready r
                 WHERE r.workspace_id = ask.workspace_id AND r.kind = ask.kind AND r.retrying = ask.retrying
                   AND (r.due_at, r.id) > (ask.after_due, ask.after_id) AND r.due_at <= $7
                   AND (r.leased_until IS NULL OR r.leased_until < now())
                 ORDER BY r.due_at, r.id LIMIT ask.at_most FOR UPDATE SKIP LOCKED) job),
         claimed AS (
             UPDATE jobs_ready r
             SET fence = least(r.fence, 9223372036854775806) + 1, attempts = least(r.attempts, 32766) + 1,
                 leased_until = now() + make_interval(secs => $8)
             WHERE r.ctid = ANY (ARRAY(SELECT place FROM picked))
             RETURNING r.workspace_id, r.environment, r.project_id, r.id, r.kind, r.retrying, r.due_at, r.attempts, r.fence)
         SELECT c.workspace_id AS "workspace_id!", c.environment AS "environment!", c.project_id, c.id AS "id!",
             c.kind AS "kind!", c.retrying AS "retrying!", c.due_at AS "due_at!", c.attempts AS "attempts!",
             c.fence AS "fence!", p.payload_sealed AS "payload_sealed?"
         FROM claimed c LEFT JOIN LATERAL (
             SELECT p.payload_sealed FROM job_payloads p
             WHERE p.workspace_id = c.workspace_id AND p.id = c.id LIMIT 1) p ON true
         ORDER BY c.due_at, c.id"#,
        &workspaces,
        &kinds,
        &retrying,
        &after_due,
        &after_id,
        &at_most,
        now,
        LEASE_SECONDS
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows)
}

/// What there is of each kind.
pub(super) async fn counts(tx: &mut SystemTx) -> Result<Vec<Count>, DbError> {
    let counts = sqlx::query_as!(
        Count,
        r#"SELECT kind AS "kind!", sum(waiting)::bigint AS "waiting!", sum(running)::bigint AS "running!",
             sum(dead)::bigint AS "dead!", min(oldest_due_at) AS oldest_due_at
         FROM (
             SELECT kind, count(*) FILTER (WHERE leased_until IS NULL OR leased_until < now()) AS waiting,
                 count(*) FILTER (WHERE leased_until >= now()) AS running, 0 AS dead,
                 min(due_at) FILTER (WHERE leased_until IS NULL OR leased_until < now()) AS oldest_due_at
             FROM jobs_ready GROUP BY kind
             UNION ALL SELECT kind, 0, 0, count(*), NULL FROM jobs_dead GROUP BY kind) AS each
         GROUP BY kind ORDER BY kind"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(counts)
}

/// Tells other nodes, when the transaction commits.
pub(super) async fn notify(tx: &mut SystemTx, channel: &str, payload: &str) -> Result<(), DbError> {
    sqlx::query!("SELECT pg_notify($1, $2)", channel, payload).execute(tx.connection()?).await?;
    Ok(())
}

/// What was given up before that moment goes, with its payload.
pub(super) async fn expire_dead(tx: &mut SystemTx, before: OffsetDateTime) -> Result<(), DbError> {
    sqlx::query!(
        "WITH expired AS (DELETE FROM jobs_dead WHERE died_at < $1 RETURNING workspace_id, id)
         DELETE FROM job_payloads p USING expired WHERE p.workspace_id = expired.workspace_id AND p.id = expired.id",
        before
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
