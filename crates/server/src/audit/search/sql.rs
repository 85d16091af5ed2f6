//! Places in a log, each list by one index.
//!
//! Every statement has one upper bound, a row of time and place, and one lower bound, a time: what bounds an index from above twice is
//! walked from the looser of the two. Moments are text that is cast: what PostgreSQL does not know to be free of leaks, COALESCE among it, bounds no index
//! below row-level security, and is looked at row by row.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Span, Wanted};
use crate::audit::sql::{Joined, SealedRow};
use crate::db::{DbError, WorkspaceTx};

/// Where an entry stands in its log: generation and number.
pub(super) type Place = (i32, i64);

/// So many candidates there are, up to the limit, and how old the oldest of them is.
pub(super) struct Depth {
    pub(super) candidates: i64,
    pub(super) oldest: OffsetDateTime,
}

/// Has the planner take indexes in their order, for the rest of the transaction. Under row-level security it counts each wall twice and takes what a
/// tenant sees for a few rows, which it would rather collect, all of them, and sort.
pub(super) async fn keep_to_order(tx: &mut WorkspaceTx) -> Result<(), DbError> {
    sqlx::query!(
        "SELECT set_config('enable_seqscan', 'off', true) AS scan, set_config('enable_bitmapscan', 'off', true) AS collect,
             set_config('enable_sort', 'off', true) AS sort"
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(())
}

/// What stands below the event of a cursor: `None` when the caller sees no such event.
pub(super) async fn below(tx: &mut WorkspaceTx, event: Uuid, all: Span) -> Result<Option<Span>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query!(
        // Found before it is ordered, or the log may be walked in its order until the id comes by.
        r#"WITH named AS MATERIALIZED (SELECT recorded_at, generation, seq FROM ledger_entries
             WHERE workspace_id = $1 AND environment = $2 AND event_id = $3)
         SELECT recorded_at::text AS "until!", recorded_at > $4::text::timestamptz AS "is_later!", generation, seq
         FROM named ORDER BY generation, seq LIMIT 1"#,
        workspace,
        environment,
        event,
        all.until
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| match row.is_later {
        true => all,
        false => Span { since: all.since, until: row.until, generation: row.generation, seq: row.seq },
    }))
}

/// The newest of the whole log, by their places.
pub(super) async fn in_log(tx: &mut WorkspaceTx, span: &Span, limit: i64) -> Result<Vec<Place>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query!(
        "SELECT generation, seq FROM ledger_entries
         WHERE workspace_id = $1 AND environment = $2 AND (generation, seq) < ($3::integer, $4::bigint)
         ORDER BY generation DESC, seq DESC LIMIT $5",
        workspace,
        environment,
        span.generation,
        span.seq,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (row.generation, row.seq)).collect())
}

/// The newest by the time that they say.
pub(super) async fn by_time(tx: &mut WorkspaceTx, span: &Span, limit: i64) -> Result<Vec<Place>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query!(
        "SELECT generation, seq FROM ledger_entries
         WHERE workspace_id = $1 AND environment = $2 AND recorded_at >= $3::text::timestamptz
           AND (recorded_at, generation, seq) < ($4::text::timestamptz, $5::integer, $6::bigint)
         ORDER BY recorded_at DESC, generation DESC, seq DESC LIMIT $7",
        workspace,
        environment,
        span.since,
        span.until,
        span.generation,
        span.seq,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (row.generation, row.seq)).collect())
}

/// The newest of a project. Whoever is confined to it sees no others, and would walk over them in every other index.
pub(super) async fn by_project(
    tx: &mut WorkspaceTx,
    project: Uuid,
    span: &Span,
    limit: i64,
) -> Result<Vec<Place>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query!(
        "SELECT generation, seq FROM ledger_entries
         WHERE workspace_id = $1 AND environment = $2 AND project_id = $3
           AND recorded_at >= $4::text::timestamptz
           AND (recorded_at, generation, seq) < ($5::text::timestamptz, $6::integer, $7::bigint)
         ORDER BY recorded_at DESC, generation DESC, seq DESC LIMIT $8",
        workspace,
        environment,
        project,
        span.since,
        span.until,
        span.generation,
        span.seq,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (row.generation, row.seq)).collect())
}

/// The newest of an action.
pub(super) async fn by_action(
    tx: &mut WorkspaceTx,
    wanted: &Wanted,
    span: &Span,
    limit: i64,
) -> Result<Vec<Place>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query!(
        "SELECT generation, seq FROM ledger_entries
         WHERE workspace_id = $1 AND environment = $2 AND action = $3
           AND recorded_at >= $4::text::timestamptz
           AND (recorded_at, generation, seq) < ($5::text::timestamptz, $6::integer, $7::bigint)
         ORDER BY recorded_at DESC, generation DESC, seq DESC LIMIT $8",
        workspace,
        environment,
        wanted.action,
        span.since,
        span.until,
        span.generation,
        span.seq,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (row.generation, row.seq)).collect())
}

/// The newest of an actor. An index is asked for each of its values by itself: for several at once its order is lost.
pub(super) async fn by_actor(
    tx: &mut WorkspaceTx,
    wanted: &Wanted,
    span: &Span,
    limit: i64,
) -> Result<Vec<Place>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query!(
        r#"SELECT found.generation AS "generation!", found.seq AS "seq!"
         FROM UNNEST($3::bytea[]) AS value (blind) CROSS JOIN LATERAL (
             SELECT o.generation, o.seq, o.recorded_at FROM ledger_openings o
             WHERE o.workspace_id = $1 AND o.environment = $2 AND o.actor_index = value.blind
               AND o.recorded_at >= $4::text::timestamptz
               AND (o.recorded_at, o.generation, o.seq)
                   < ($5::text::timestamptz, $6::integer, $7::bigint)
             ORDER BY o.recorded_at DESC, o.generation DESC, o.seq DESC LIMIT $8
         ) found
         ORDER BY found.recorded_at DESC, found.generation DESC, found.seq DESC LIMIT $8"#,
        workspace,
        environment,
        wanted.actor.as_deref().unwrap_or_default(),
        span.since,
        span.until,
        span.generation,
        span.seq,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (row.generation, row.seq)).collect())
}

/// The newest about a target.
pub(super) async fn by_target(
    tx: &mut WorkspaceTx,
    wanted: &Wanted,
    span: &Span,
    limit: i64,
) -> Result<Vec<Place>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query!(
        r#"SELECT found.generation AS "generation!", found.seq AS "seq!"
         FROM UNNEST($3::bytea[]) AS value (blind) CROSS JOIN LATERAL (
             SELECT o.generation, o.seq, o.recorded_at FROM ledger_openings o
             WHERE o.workspace_id = $1 AND o.environment = $2 AND o.target_index = value.blind
               AND o.recorded_at >= $4::text::timestamptz
               AND (o.recorded_at, o.generation, o.seq)
                   < ($5::text::timestamptz, $6::integer, $7::bigint)
             ORDER BY o.recorded_at DESC, o.generation DESC, o.seq DESC LIMIT $8
         ) found
         ORDER BY found.recorded_at DESC, found.generation DESC, found.seq DESC LIMIT $8"#,
        workspace,
        environment,
        wanted.target.as_deref().unwrap_or_default(),
        span.since,
        span.until,
        span.generation,
        span.seq,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (row.generation, row.seq)).collect())
}

/// How far so many candidates reach, of the action, the actor and the target in turn; `None` for what is not asked for. What has fewer
/// candidates than the limit reaches to the end.
pub(super) async fn depths(
    tx: &mut WorkspaceTx,
    wanted: &Wanted,
    span: &Span,
    limit: i64,
) -> Result<[Option<Depth>; 3], DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query!(
        r#"SELECT asked.nth AS "nth!", count(*) AS "candidates!", coalesce(min(CASE
                 WHEN asked.recorded_at BETWEEN '0001-01-02' AND '9999-12-30' THEN asked.recorded_at END), 'epoch') AS "oldest!"
         FROM (
             (SELECT 0 AS nth, e.recorded_at FROM ledger_entries e
              WHERE $3::text IS NOT NULL AND e.workspace_id = $1 AND e.environment = $2 AND e.action = $3
                AND e.recorded_at >= $6::text::timestamptz
                AND (e.recorded_at, e.generation, e.seq)
                    < ($7::text::timestamptz, $8::integer, $9::bigint)
              ORDER BY e.recorded_at DESC, e.generation DESC, e.seq DESC LIMIT $10)
             UNION ALL
             SELECT 1, a.recorded_at FROM UNNEST($4::bytea[]) AS value (blind) CROSS JOIN LATERAL (
                 SELECT o.recorded_at FROM ledger_openings o
                 WHERE o.workspace_id = $1 AND o.environment = $2 AND o.actor_index = value.blind
                   AND o.recorded_at >= $6::text::timestamptz
                   AND (o.recorded_at, o.generation, o.seq)
                       < ($7::text::timestamptz, $8::integer, $9::bigint)
                 ORDER BY o.recorded_at DESC, o.generation DESC, o.seq DESC LIMIT $10) a
             UNION ALL
             SELECT 2, t.recorded_at FROM UNNEST($5::bytea[]) AS value (blind) CROSS JOIN LATERAL (
                 SELECT o.recorded_at FROM ledger_openings o
                 WHERE o.workspace_id = $1 AND o.environment = $2 AND o.target_index = value.blind
                   AND o.recorded_at >= $6::text::timestamptz
                   AND (o.recorded_at, o.generation, o.seq)
                       < ($7::text::timestamptz, $8::integer, $9::bigint)
                 ORDER BY o.recorded_at DESC, o.generation DESC, o.seq DESC LIMIT $10) t
         ) asked GROUP BY asked.nth"#,
        workspace,
        environment,
        wanted.action,
        wanted.actor.as_deref(),
        wanted.target.as_deref(),
        span.since,
        span.until,
        span.generation,
        span.seq,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let asked = [wanted.action.is_some(), wanted.actor.is_some(), wanted.target.is_some()];
    Ok([0, 1, 2].map(|nth| {
        let found = rows.iter().find(|row| usize::try_from(row.nth).ok() == Some(nth));
        let none = Depth { candidates: 0, oldest: OffsetDateTime::UNIX_EPOCH };
        let found = found.map_or(none, |row| Depth { candidates: row.candidates, oldest: row.oldest });
        asked.get(nth).copied().unwrap_or_default().then_some(found)
    }))
}

/// The entries at these places that are all that is wanted, in the order of the places.
pub(super) async fn at(tx: &mut WorkspaceTx, places: &[Place], wanted: &Wanted) -> Result<Vec<SealedRow>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let (generations, seqs): (Vec<i32>, Vec<i64>) = places.iter().copied().unzip();
    let rows = sqlx::query_as!(
        Joined,
        // A subquery with a limit is not turned around: each place is looked up by its key, whatever the planner knows.
        r#"SELECT e.event_id, e.project_id, e.generation, e.seq, e.action,
             CASE WHEN e.recorded_at BETWEEN '0001-01-02' AND '9999-12-30' THEN e.recorded_at ELSE 'epoch' END AS "recorded_at!",
             e.entry, o.actor_sealed AS "actor?", o.ip_sealed AS "ip?", o.meta_sealed AS "meta?", o.target_sealed AS "target?",
             o.actor_subject AS "actor_subject?", o.meta_subject AS "meta_subject?", o.target_subject AS "target_subject?"
         FROM UNNEST($3::integer[], $4::bigint[]) WITH ORDINALITY AS place (generation, seq, nth)
         JOIN LATERAL (SELECT l.* FROM ledger_entries l WHERE l.workspace_id = $1 AND l.environment = $2
             AND l.generation = place.generation AND l.seq = place.seq LIMIT 1) e ON true
         LEFT JOIN LATERAL (SELECT l.* FROM ledger_openings l WHERE l.workspace_id = $1 AND l.environment = $2
             AND l.generation = place.generation AND l.seq = place.seq LIMIT 1) o ON true
         WHERE ($5::text IS NULL OR e.action = $5)
           AND ($6::bytea[] IS NULL OR o.actor_index = ANY ($6))
           AND ($7::bytea[] IS NULL OR o.target_index = ANY ($7))
         ORDER BY place.nth"#,
        workspace,
        environment,
        &generations,
        &seqs,
        wanted.action,
        wanted.actor.as_deref(),
        wanted.target.as_deref()
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(SealedRow::from).collect())
}

/// The event at the last of these places that has one.
pub(super) async fn last_event(tx: &mut WorkspaceTx, places: &[Place]) -> Result<Option<Uuid>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let (generations, seqs): (Vec<i32>, Vec<i64>) = places.iter().copied().unzip();
    let event = sqlx::query_scalar!(
        r#"SELECT e.event_id AS "event!" FROM UNNEST($3::integer[], $4::bigint[]) WITH ORDINALITY AS place (generation, seq, nth)
         JOIN LATERAL (SELECT l.event_id FROM ledger_entries l WHERE l.workspace_id = $1 AND l.environment = $2
             AND l.generation = place.generation AND l.seq = place.seq LIMIT 1) e ON true
         ORDER BY place.nth DESC LIMIT 1"#,
        workspace,
        environment,
        &generations,
        &seqs
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(event)
}
