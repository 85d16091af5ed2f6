//! Everything that a log consists of, page by page.

use std::collections::BTreeMap;

use bailiwick_proof::id::Id;
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::Hash;
use uuid::Uuid;

use super::Row;
use crate::db::{DbError, SystemTx};
use crate::ledger::openings::SealedOpenings;
use crate::ledger::place::columns;
use crate::ledger::prove::Stored;

/// A head, as it stands there.
pub(super) struct HeadRow {
    pub(super) size: u64,
    pub(super) last_leaf: Vec<u8>,
    pub(super) frontier: Vec<u8>,
}

/// From now on the transaction sees the database as it is at its next statement, whatever is committed meanwhile.
pub(super) async fn hold_still(tx: &mut SystemTx) -> Result<(), DbError> {
    sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(tx.connection()?).await?;
    Ok(())
}

/// A log, as the tables name it.
pub(super) type Named = (Uuid, String, i32);

/// The first log after this one that any table knows: a step costs one row of each table, however many entries there are.
pub(super) async fn next_log(tx: &mut SystemTx, after: &Named) -> Result<Option<Named>, DbError> {
    let (workspace, environment, generation) = after;
    let row = sqlx::query!(
        r#"SELECT w AS "workspace!", e AS "environment!", g AS "generation!" FROM (
             (SELECT workspace_id AS w, environment AS e, generation AS g FROM ledger_heads
                 WHERE (workspace_id, environment, generation) > ($1, $2, $3) ORDER BY workspace_id, environment, generation LIMIT 1)
             UNION ALL (SELECT workspace_id AS w, environment AS e, generation AS g FROM ledger_generations
                 WHERE (workspace_id, environment, generation) > ($1, $2, $3) ORDER BY workspace_id, environment, generation LIMIT 1)
             UNION ALL (SELECT workspace_id AS w, environment AS e, generation AS g FROM ledger_checkpoints
                 WHERE (workspace_id, environment, generation) > ($1, $2, $3) ORDER BY workspace_id, environment, generation LIMIT 1)
             UNION ALL (SELECT workspace_id AS w, environment AS e, generation AS g FROM ledger_hashes
                 WHERE (workspace_id, environment, generation) > ($1, $2, $3) ORDER BY workspace_id, environment, generation LIMIT 1)
             UNION ALL (SELECT workspace_id AS w, environment AS e, generation AS g FROM ledger_entries
                 WHERE (workspace_id, environment, generation) > ($1, $2, $3) ORDER BY workspace_id, environment, generation LIMIT 1)
         ) AS known ORDER BY w, e, g LIMIT 1"#,
        workspace,
        environment,
        generation
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| (row.workspace, row.environment, row.generation)))
}

pub(super) async fn staged(tx: &mut SystemTx) -> Result<u64, DbError> {
    let count = sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM ledger_staged) + (SELECT count(*) FROM cell_ledger_staged) AS "count!""#
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(unsigned(count))
}

pub(super) async fn head(tx: &mut SystemTx, log: Log, generation: u32) -> Result<Option<HeadRow>, DbError> {
    let (workspace, environment) = columns(log);
    let row = sqlx::query!(
        r#"SELECT size AS "size!", last_leaf AS "last_leaf!", frontier AS "frontier!" FROM ledger_heads
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3
         UNION ALL SELECT size, last_leaf, frontier FROM ledger_generations
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 LIMIT 1"#,
        workspace,
        environment,
        number(generation)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| HeadRow { size: unsigned(row.size), last_leaf: row.last_leaf, frontier: row.frontier }))
}

/// Where the closed generations of a log end in this database.
pub(super) async fn closed(tx: &mut SystemTx, log: Log) -> Result<Vec<(u32, HeadRow)>, DbError> {
    let (workspace, environment) = columns(log);
    let rows = sqlx::query!(
        "SELECT generation, size, last_leaf, frontier FROM ledger_generations
         WHERE workspace_id = $1 AND environment = $2 ORDER BY generation",
        workspace,
        environment
    )
    .fetch_all(tx.connection()?)
    .await?;
    let read = |row: (i32, i64, Vec<u8>, Vec<u8>)| {
        let (generation, size, last_leaf, frontier) = row;
        (u32::try_from(generation).unwrap_or_default(), HeadRow { size: unsigned(size), last_leaf, frontier })
    };
    Ok(rows.into_iter().map(|row| read((row.generation, row.size, row.last_leaf, row.frontier))).collect())
}

/// The stored checkpoints from one size to another, the smallest first.
pub(super) async fn checkpoints(
    tx: &mut SystemTx,
    (log, generation): (Log, u32),
    (from, to): (u64, u64),
    limit: i64,
) -> Result<Vec<(u64, String)>, DbError> {
    let (workspace, environment) = columns(log);
    let rows = sqlx::query!(
        "SELECT size, note FROM ledger_checkpoints
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND size BETWEEN $4 AND $5 ORDER BY size LIMIT $6",
        workspace,
        environment,
        number(generation),
        signed(from),
        signed(to),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (unsigned(row.size), row.note)).collect())
}

/// Entries from this one on, each beside its openings.
pub(super) async fn entries(
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
    first: u64,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    let (workspace, environment) = columns(log);
    let rows = sqlx::query!(
        r#"SELECT e.seq, e.event_id, e.action, CASE WHEN e.recorded_at BETWEEN '0001-01-02' AND '9999-12-30' THEN e.recorded_at
                 ELSE 'epoch' END AS "recorded_at!", e.entry, o.actor_sealed AS "actor?", o.ip_sealed AS "ip?", o.meta_sealed AS "meta?", o.target_sealed AS "target?",
             o.actor_subject AS "actor_subject?", o.meta_subject AS "meta_subject?", o.target_subject AS "target_subject?"
         FROM ledger_entries e LEFT JOIN ledger_openings o ON o.workspace_id = e.workspace_id
             AND o.environment = e.environment AND o.generation = e.generation AND o.seq = e.seq
         WHERE e.workspace_id = $1 AND e.environment = $2 AND e.generation = $3 AND e.seq >= $4
         ORDER BY e.seq LIMIT $5"#,
        workspace,
        environment,
        number(generation),
        signed(first),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let sealed = SealedOpenings {
            actor: row.actor,
            ip: row.ip,
            meta: row.meta,
            target: row.target,
            actor_subject: row.actor_subject,
            meta_subject: row.meta_subject,
            target_subject: row.target_subject,
        };
        let stored = Stored::unopened(generation, unsigned(row.seq), row.entry);
        Row {
            seq: row.seq,
            event: Id::from_uuid(row.event_id),
            action: row.action,
            recorded_at: row.recorded_at,
            stored,
            sealed,
        }
    });
    Ok(rows.collect())
}

/// The stored leaves of so many entries.
pub(in crate::ledger) async fn leaves(
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
    first: u64,
    limit: i64,
) -> Result<BTreeMap<u64, Hash>, DbError> {
    let (workspace, environment) = columns(log);
    let rows = sqlx::query!(
        "SELECT start, hashes FROM ledger_hashes
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND tile_level = 0 AND start < $5
           AND start >= coalesce((SELECT max(start) FROM ledger_hashes WHERE workspace_id = $1 AND environment = $2
               AND generation = $3 AND tile_level = 0 AND start <= $4), 0)
         ORDER BY start",
        workspace,
        environment,
        number(generation),
        signed(first),
        signed(first).saturating_add(limit)
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.iter().flat_map(|row| pieces(row.start, &row.hashes)).collect())
}

/// The stored hashes of whole tiles, by tile level and index.
pub(super) async fn upper(tx: &mut SystemTx, log: Log, generation: u32) -> Result<BTreeMap<(u8, u64), Hash>, DbError> {
    let (workspace, environment) = columns(log);
    let rows = sqlx::query!(
        "SELECT tile_level, start, hashes FROM ledger_hashes
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND tile_level > 0",
        workspace,
        environment,
        number(generation)
    )
    .fetch_all(tx.connection()?)
    .await?;
    let level = |level: i16| u8::try_from(level).unwrap_or(u8::MAX);
    Ok(rows
        .iter()
        .flat_map(|row| pieces(row.start, &row.hashes).map(move |(index, hash)| ((level(row.tile_level), index), hash)))
        .collect())
}

fn pieces(start: i64, hashes: &[u8]) -> impl Iterator<Item = (u64, Hash)> {
    (unsigned(start)..).zip(hashes.chunks_exact(32).filter_map(|chunk| Hash::try_from(chunk).ok()))
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(generation: u32) -> i32 {
    i32::try_from(generation).unwrap_or(i32::MAX)
}
