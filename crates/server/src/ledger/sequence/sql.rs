//! Heads, staged rows, entries.

use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{Frontier, Hash};
use uuid::Uuid;

use super::{Head, Linked, Moved, Run, Staged, Wait};
use crate::db::{DbError, SystemTx};
use crate::ledger::error::LedgerError;
use crate::ledger::openings::SealedOpenings;
use crate::ledger::place::{self, columns};

/// The logs in which something is staged.
pub(in crate::ledger) async fn logs_with_staged(tx: &mut SystemTx) -> Result<Vec<Log>, DbError> {
    let rows = sqlx::query!("SELECT DISTINCT workspace_id, environment FROM ledger_staged")
        .fetch_all(tx.connection()?)
        .await?;
    let mut logs: Vec<Log> = rows.iter().filter_map(|row| place::log(row.workspace_id, &row.environment)).collect();
    if has_staged(tx, Log::Cell).await? {
        logs.push(Log::Cell);
    }
    Ok(logs)
}

/// Whether anything is staged in a log.
pub(in crate::ledger) async fn has_staged(tx: &mut SystemTx, log: Log) -> Result<bool, DbError> {
    let (workspace, environment) = columns(log);
    let found =
        match log {
            Log::Cell => {
                sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM cell_ledger_staged) AS "found!""#)
                    .fetch_one(tx.connection()?)
                    .await?
            }
            Log::Workspace { .. } => sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM ledger_staged WHERE workspace_id = $1 AND environment = $2) AS "found!""#,
                workspace,
                environment
            )
            .fetch_one(tx.connection()?)
            .await?,
        };
    Ok(found)
}

/// How many rows are staged in a workspace's log; no more than `most` are counted.
pub(in crate::ledger) async fn count_staged(tx: &mut SystemTx, log: Log, most: usize) -> Result<usize, DbError> {
    let (workspace, environment) = columns(log);
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (
             SELECT FROM ledger_staged WHERE workspace_id = $1 AND environment = $2 LIMIT $3) AS counted"#,
        workspace,
        environment,
        i64::try_from(most).unwrap_or(i64::MAX)
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Whether the log has come to be.
pub(in crate::ledger) async fn has_head(tx: &mut SystemTx, log: Log) -> Result<bool, DbError> {
    let (workspace, environment) = columns(log);
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM ledger_heads WHERE workspace_id = $1 AND environment = $2) AS "found!""#,
        workspace,
        environment
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(found)
}

/// Locks the head: `None` when there is none, or when somebody else holds it and nobody wants to wait.
pub(in crate::ledger) async fn lock_head(tx: &mut SystemTx, log: Log, wait: Wait) -> Result<Option<Head>, LedgerError> {
    let (workspace, environment) = columns(log);
    // Two statements, for the words of a lock are no parameters.
    let row = match wait {
        Wait::ForIt => sqlx::query!(
            "SELECT generation, size, last_leaf, frontier FROM ledger_heads
             WHERE workspace_id = $1 AND environment = $2 FOR NO KEY UPDATE",
            workspace,
            environment
        )
        .fetch_optional(tx.connection()?)
        .await
        .map_err(DbError::from)?
        .map(|row| (row.generation, row.size, row.last_leaf, row.frontier)),
        Wait::No => sqlx::query!(
            "SELECT generation, size, last_leaf, frontier FROM ledger_heads
             WHERE workspace_id = $1 AND environment = $2 FOR NO KEY UPDATE SKIP LOCKED",
            workspace,
            environment
        )
        .fetch_optional(tx.connection()?)
        .await
        .map_err(DbError::from)?
        .map(|row| (row.generation, row.size, row.last_leaf, row.frontier)),
    };
    let Some((generation, size, last_leaf, frontier)) = row else { return Ok(None) };
    head(generation, size, &last_leaf, &frontier).map(Some).ok_or(LedgerError::MalformedHead { workspace, environment })
}

/// Locks the heads of these logs, but for those that somebody else holds.
pub(super) async fn lock_heads(tx: &mut SystemTx, logs: &[Log]) -> Result<Vec<(Log, Head)>, LedgerError> {
    let (workspaces, environments) = place::arrays(logs.iter().copied());
    let rows = sqlx::query!(
        "SELECT h.workspace_id, h.environment, h.generation, h.size, h.last_leaf, h.frontier FROM ledger_heads h
         JOIN UNNEST($1::uuid[], $2::text[]) AS wanted (workspace_id, environment)
             ON h.workspace_id = wanted.workspace_id AND h.environment = wanted.environment
         FOR NO KEY UPDATE OF h SKIP LOCKED",
        &workspaces,
        &environments
    )
    .fetch_all(tx.connection()?)
    .await
    .map_err(DbError::from)?;
    // A head that cannot be read is left out here, and said to be one by whoever looks at its log alone.
    let readable = rows.into_iter().filter_map(|row| {
        let log = place::log(row.workspace_id, &row.environment)?;
        Some((log, head(row.generation, row.size, &row.last_leaf, &row.frontier)?))
    });
    Ok(readable.collect())
}

fn head(generation: i32, size: i64, last_leaf: &[u8], frontier: &[u8]) -> Option<Head> {
    Some(Head {
        generation: u32::try_from(generation).ok()?,
        last_leaf: Hash::try_from(last_leaf).ok()?,
        frontier: Frontier::from_bytes(u64::try_from(size).ok()?, frontier).ok()?,
    })
}

/// The head of an empty log; false when somebody else was quicker.
pub(super) async fn insert_head(tx: &mut SystemTx, log: Log, generation: u32) -> Result<bool, DbError> {
    let (workspace, environment) = columns(log);
    let done = sqlx::query!(
        "INSERT INTO ledger_heads (workspace_id, environment, generation, size, last_leaf, frontier)
         VALUES ($1, $2, $3, 0, $4, '') ON CONFLICT DO NOTHING",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        Hash::ZERO.as_bytes().as_slice()
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What is staged in these logs of workspaces, at most so many rows of each: log by log, in the order of staging.
pub(in crate::ledger) async fn staged(tx: &mut SystemTx, logs: &[Log], each: usize) -> Result<Vec<Staged>, DbError> {
    let (workspaces, environments) = place::arrays(logs.iter().copied());
    let rows = sqlx::query_as!(
        Staged,
        r#"SELECT s.workspace_id AS "workspace_id?", s.environment, s.ctid::text AS "place?", s.id, s.event_id, s.project_id,
             s.action, s.actor, s.target, s.recorded_by, s.meta, s.trace_id, s.request_id, s.external_request_id,
             s.client_ip, CASE WHEN s.staged_at BETWEEN '0001-01-02' AND '9999-12-30'
                 THEN s.staged_at ELSE 'epoch' END AS "staged_at!", s.rows
         FROM UNNEST($1::uuid[], $2::text[]) AS wanted (workspace_id, environment)
         JOIN LATERAL (
             SELECT l.ctid, l.* FROM ledger_staged l
             WHERE l.workspace_id = wanted.workspace_id AND l.environment = wanted.environment ORDER BY l.id LIMIT $3
         ) s ON true
         ORDER BY s.workspace_id, s.environment, s.id"#,
        &workspaces,
        &environments,
        i64::try_from(each).unwrap_or(i64::MAX)
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows)
}

/// What is staged in the cell's own log.
pub(super) async fn staged_in_cell(tx: &mut SystemTx, limit: usize) -> Result<Vec<Staged>, DbError> {
    let rows = sqlx::query_as!(
        Staged,
        r#"SELECT NULL::uuid AS workspace_id, 'live' AS "environment!", ctid::text AS "place?", id, event_id,
             NULL::uuid AS project_id, action, actor, target, recorded_by, meta, trace_id, request_id,
             external_request_id, client_ip, CASE WHEN staged_at BETWEEN '0001-01-02' AND '9999-12-30'
                 THEN staged_at ELSE 'epoch' END AS "staged_at!", rows
         FROM cell_ledger_staged ORDER BY id LIMIT $1"#,
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows)
}

/// Takes these rows out of staging, and answers how many there were.
pub(super) async fn take(tx: &mut SystemTx, places: &[String]) -> Result<u64, DbError> {
    let done = sqlx::query!("DELETE FROM ledger_staged WHERE ctid = ANY ($1::text[]::tid[])", places)
        .execute(tx.connection()?)
        .await?;
    Ok(done.rows_affected())
}

/// The same in the cell's own log.
pub(super) async fn take_from_cell(tx: &mut SystemTx, places: &[String]) -> Result<u64, DbError> {
    let done = sqlx::query!("DELETE FROM cell_ledger_staged WHERE ctid = ANY ($1::text[]::tid[])", places)
        .execute(tx.connection()?)
        .await?;
    Ok(done.rows_affected())
}

pub(super) async fn insert_entries(tx: &mut SystemTx, linked: &[Linked]) -> Result<(), DbError> {
    let (workspaces, environments) = place::arrays(linked.iter().map(|entry| entry.log));
    let generations: Vec<i32> = linked.iter().map(|entry| narrow(entry.generation)).collect();
    let seqs: Vec<i64> = linked.iter().map(|entry| signed(entry.seq)).collect();
    let projects: Vec<Option<Uuid>> = linked.iter().map(|entry| entry.project_id).collect();
    let events: Vec<Uuid> = linked.iter().map(|entry| entry.event_id).collect();
    let actions: Vec<String> = linked.iter().map(|entry| entry.action.to_string()).collect();
    let times: Vec<time::OffsetDateTime> = linked.iter().map(|entry| entry.recorded_at).collect();
    let entries: Vec<Vec<u8>> = linked.iter().map(|entry| entry.entry.clone()).collect();
    sqlx::query!(
        "INSERT INTO ledger_entries (workspace_id, environment, generation, seq, project_id, event_id, action,
             recorded_at, entry)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::uuid[], $6::uuid[], $7::text[],
             $8::timestamptz[], $9::bytea[])",
        &workspaces,
        &environments,
        &generations,
        &seqs,
        &projects as &[Option<Uuid>],
        &events,
        &actions,
        &times,
        &entries
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn insert_openings(tx: &mut SystemTx, linked: &[Linked]) -> Result<(), DbError> {
    let (workspaces, environments) = place::arrays(linked.iter().map(|entry| entry.log));
    let generations: Vec<i32> = linked.iter().map(|entry| narrow(entry.generation)).collect();
    let seqs: Vec<i64> = linked.iter().map(|entry| signed(entry.seq)).collect();
    let projects: Vec<Option<Uuid>> = linked.iter().map(|entry| entry.project_id).collect();
    let sealed = |of: fn(&SealedOpenings) -> &Option<Vec<u8>>| -> Vec<Option<Vec<u8>>> {
        linked.iter().map(|entry| of(&entry.kept.sealed).clone()).collect()
    };
    let subjects = |of: fn(&SealedOpenings) -> Option<i64>| -> Vec<Option<i64>> {
        linked.iter().map(|entry| of(&entry.kept.sealed)).collect()
    };
    let actor_indexes: Vec<Option<Vec<u8>>> = linked.iter().map(|entry| entry.kept.actor_index.clone()).collect();
    let target_indexes: Vec<Option<Vec<u8>>> = linked.iter().map(|entry| entry.kept.target_index.clone()).collect();
    let rows: Vec<Option<Vec<u8>>> = linked.iter().map(|entry| entry.rows.clone()).collect();
    let times: Vec<time::OffsetDateTime> = linked.iter().map(|entry| entry.recorded_at).collect();
    sqlx::query!(
        "INSERT INTO ledger_openings (workspace_id, environment, generation, seq, project_id, actor_sealed, ip_sealed,
             meta_sealed, target_sealed, actor_subject, meta_subject, target_subject, actor_index, target_index, rows,
             recorded_at)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::uuid[], $6::bytea[], $7::bytea[],
             $8::bytea[], $9::bytea[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bytea[], $14::bytea[], $15::bytea[],
             $16::timestamptz[])",
        &workspaces,
        &environments,
        &generations,
        &seqs,
        &projects as &[Option<Uuid>],
        &sealed(|sealed| &sealed.actor) as &[Option<Vec<u8>>],
        &sealed(|sealed| &sealed.ip) as &[Option<Vec<u8>>],
        &sealed(|sealed| &sealed.meta) as &[Option<Vec<u8>>],
        &sealed(|sealed| &sealed.target) as &[Option<Vec<u8>>],
        &subjects(|sealed| sealed.actor_subject) as &[Option<i64>],
        &subjects(|sealed| sealed.meta_subject) as &[Option<i64>],
        &subjects(|sealed| sealed.target_subject) as &[Option<i64>],
        &actor_indexes as &[Option<Vec<u8>>],
        &target_indexes as &[Option<Vec<u8>>],
        &rows as &[Option<Vec<u8>>],
        &times
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn insert_hashes(tx: &mut SystemTx, runs: &[Run]) -> Result<(), DbError> {
    let (workspaces, environments) = place::arrays(runs.iter().map(|run| run.log));
    let generations: Vec<i32> = runs.iter().map(|run| narrow(run.generation)).collect();
    let levels: Vec<i16> = runs.iter().map(|run| i16::from(run.tile_level)).collect();
    let starts: Vec<i64> = runs.iter().map(|run| signed(run.start)).collect();
    let hashes: Vec<Vec<u8>> = runs.iter().map(|run| run.hashes.clone()).collect();
    sqlx::query!(
        "INSERT INTO ledger_hashes (workspace_id, environment, generation, tile_level, start, hashes)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::integer[], $4::smallint[], $5::bigint[], $6::bytea[])",
        &workspaces,
        &environments,
        &generations,
        &levels,
        &starts,
        &hashes
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Moves each head from the size that it had, and answers how many had it.
pub(super) async fn move_heads(tx: &mut SystemTx, moved: &[Moved]) -> Result<u64, DbError> {
    let (workspaces, environments) = place::arrays(moved.iter().map(|moved| moved.log));
    let generations: Vec<i32> = moved.iter().map(|moved| narrow(moved.head.generation)).collect();
    let before: Vec<i64> = moved.iter().map(|moved| signed(moved.before)).collect();
    let sizes: Vec<i64> = moved.iter().map(|moved| signed(moved.head.frontier.size())).collect();
    let leaves: Vec<Vec<u8>> = moved.iter().map(|moved| moved.head.last_leaf.as_bytes().to_vec()).collect();
    let frontiers: Vec<Vec<u8>> = moved.iter().map(|moved| moved.head.frontier.to_bytes()).collect();
    let done = sqlx::query!(
        "UPDATE ledger_heads h SET size = m.size, last_leaf = m.last_leaf, frontier = m.frontier
         FROM UNNEST($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[])
             AS m (workspace_id, environment, generation, before, size, last_leaf, frontier)
         WHERE h.workspace_id = m.workspace_id AND h.environment = m.environment AND h.generation = m.generation
           AND h.size = m.before",
        &workspaces,
        &environments,
        &generations,
        &before,
        &sizes,
        &leaves,
        &frontiers
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected())
}

/// A generation that cannot be stored fails the table's check.
fn narrow(generation: u32) -> i32 {
    i32::try_from(generation).unwrap_or(-1)
}

/// Sizes and numbers stay far below 2^63; one beyond could not be stored and fails the table's check.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}
