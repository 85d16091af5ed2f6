//! Heads, staged rows, entries.

use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{Frontier, Hash};
use uuid::Uuid;

use super::{Head, Linked, Run, Staged, Wait};
use crate::db::{DbError, SystemTx};
use crate::ledger::cell::LedgerError;
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
pub(super) async fn lock_head(tx: &mut SystemTx, log: Log, wait: Wait) -> Result<Option<Head>, LedgerError> {
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
    let malformed = || LedgerError::MalformedHead { workspace, environment };
    Ok(Some(Head {
        generation: u32::try_from(generation).map_err(|_| malformed())?,
        last_leaf: Hash::try_from(last_leaf.as_slice()).map_err(|_| malformed())?,
        frontier: Frontier::from_bytes(u64::try_from(size).map_err(|_| malformed())?, &frontier)
            .map_err(|_| malformed())?,
    }))
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

pub(super) async fn staged(tx: &mut SystemTx, log: Log, limit: i64) -> Result<Vec<Staged>, DbError> {
    let (workspace, environment) = columns(log);
    let rows =
        match log {
            Log::Cell => sqlx::query_as!(
                Staged,
                r#"SELECT id, event_id, NULL::uuid AS project_id, action, actor, target, recorded_by, meta, trace_id,
                     request_id, external_request_id, client_ip, CASE WHEN staged_at BETWEEN '0001-01-02' AND '9999-12-30'
                         THEN staged_at ELSE 'epoch' END AS "staged_at!"
                 FROM cell_ledger_staged ORDER BY id LIMIT $1"#,
                limit
            )
            .fetch_all(tx.connection()?)
            .await?,
            Log::Workspace { .. } => {
                sqlx::query_as!(
                    Staged,
                    r#"SELECT id, event_id, project_id, action, actor, target, recorded_by, meta, trace_id, request_id,
                     external_request_id, client_ip, CASE WHEN staged_at BETWEEN '0001-01-02' AND '9999-12-30'
                         THEN staged_at ELSE 'epoch' END AS "staged_at!"
                 FROM ledger_staged WHERE workspace_id = $1 AND environment = $2 ORDER BY id LIMIT $3"#,
                    workspace,
                    environment,
                    limit
                )
                .fetch_all(tx.connection()?)
                .await?
            }
        };
    Ok(rows)
}

/// Takes these rows out of staging, and answers how many there were.
pub(super) async fn take_staged(tx: &mut SystemTx, log: Log, ids: &[i64]) -> Result<u64, DbError> {
    let (workspace, environment) = columns(log);
    let done = match log {
        Log::Cell => {
            sqlx::query!("DELETE FROM cell_ledger_staged WHERE id = ANY ($1)", ids).execute(tx.connection()?).await?
        }
        Log::Workspace { .. } => {
            sqlx::query!(
                "DELETE FROM ledger_staged WHERE workspace_id = $1 AND environment = $2 AND id = ANY ($3)",
                workspace,
                environment,
                ids
            )
            .execute(tx.connection()?)
            .await?
        }
    };
    Ok(done.rows_affected())
}

pub(super) async fn insert_entries(
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
    linked: &[Linked],
) -> Result<(), DbError> {
    let (workspace, environment) = columns(log);
    let seqs: Vec<i64> = linked.iter().map(|entry| signed(entry.seq)).collect();
    let projects: Vec<Option<Uuid>> = linked.iter().map(|entry| entry.project_id).collect();
    let events: Vec<Uuid> = linked.iter().map(|entry| entry.event_id).collect();
    let actions: Vec<String> = linked.iter().map(|entry| entry.action.clone()).collect();
    let times: Vec<time::OffsetDateTime> = linked.iter().map(|entry| entry.recorded_at).collect();
    let entries: Vec<Vec<u8>> = linked.iter().map(|entry| entry.entry.clone()).collect();
    sqlx::query!(
        "INSERT INTO ledger_entries (workspace_id, environment, generation, seq, project_id, event_id, action,
             recorded_at, entry)
         SELECT $1, $2, $3, e.* FROM UNNEST($4::bigint[], $5::uuid[], $6::uuid[], $7::text[], $8::timestamptz[], $9::bytea[]) e",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
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

pub(super) async fn insert_openings(
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
    linked: &[Linked],
) -> Result<(), DbError> {
    let (workspace, environment) = columns(log);
    let seqs: Vec<i64> = linked.iter().map(|entry| signed(entry.seq)).collect();
    let projects: Vec<Option<Uuid>> = linked.iter().map(|entry| entry.project_id).collect();
    let values = |at: usize| -> Vec<String> {
        linked.iter().filter_map(|entry| entry.openings.get(at)).map(|opening| opening.value.clone()).collect()
    };
    let nonces = |at: usize| -> Vec<Vec<u8>> {
        linked.iter().filter_map(|entry| entry.openings.get(at)).map(|opening| opening.r.to_vec()).collect()
    };
    sqlx::query!(
        "INSERT INTO ledger_openings (workspace_id, environment, generation, seq, project_id, actor, actor_r, ip, ip_r,
             meta, meta_r, target, target_r)
         SELECT $1, $2, $3, o.* FROM UNNEST($4::bigint[], $5::uuid[], $6::text[], $7::bytea[], $8::text[], $9::bytea[],
             $10::text[], $11::bytea[], $12::text[], $13::bytea[]) o",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        &seqs,
        &projects as &[Option<Uuid>],
        &values(0),
        &nonces(0),
        &values(1),
        &nonces(1),
        &values(2),
        &nonces(2),
        &values(3),
        &nonces(3)
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn insert_hashes(tx: &mut SystemTx, log: Log, generation: u32, runs: &[Run]) -> Result<(), DbError> {
    let (workspace, environment) = columns(log);
    let levels: Vec<i16> = runs.iter().map(|run| i16::from(run.tile_level)).collect();
    let starts: Vec<i64> = runs.iter().map(|run| signed(run.start)).collect();
    let hashes: Vec<Vec<u8>> = runs.iter().map(|run| run.hashes.clone()).collect();
    sqlx::query!(
        "INSERT INTO ledger_hashes (workspace_id, environment, generation, tile_level, start, hashes)
         SELECT $1, $2, $3, h.* FROM UNNEST($4::smallint[], $5::bigint[], $6::bytea[]) h",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        &levels,
        &starts,
        &hashes
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Moves the head from the size that it had; false when it has another.
pub(super) async fn move_head(tx: &mut SystemTx, log: Log, head: &Head, from: u64) -> Result<bool, DbError> {
    let (workspace, environment) = columns(log);
    let done = sqlx::query!(
        "UPDATE ledger_heads SET size = $5, last_leaf = $6, frontier = $7
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND size = $4",
        workspace,
        environment,
        i32::try_from(head.generation).unwrap_or(i32::MAX),
        signed(from),
        signed(head.frontier.size()),
        head.last_leaf.as_bytes().as_slice(),
        head.frontier.to_bytes()
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Sizes and numbers stay far below 2^63; one beyond could not be stored and fails the table's check.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}
