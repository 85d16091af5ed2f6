//! What is read to show a line.

use std::collections::HashMap;

use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{Hash, Node};
use bailiwick_proof::tile;
use time::OffsetDateTime;

use super::{ManifestLine, Stored};
use crate::db::{DbError, SystemTx, WorkspaceTx};
use crate::ledger::place::columns;
use crate::ledger::sign::Signed;

pub(super) async fn newest(tx: &mut SystemTx) -> Result<Option<OffsetDateTime>, DbError> {
    let hour = sqlx::query_scalar!("SELECT hour FROM ledger_manifests ORDER BY hour DESC LIMIT 1")
        .fetch_optional(tx.connection()?)
        .await?;
    Ok(hour)
}

/// A log's line in a manifest, with the checkpoint that it is of.
pub(super) async fn line(
    tx: &mut WorkspaceTx,
    log: Log,
    hour: OffsetDateTime,
) -> Result<Option<ManifestLine>, DbError> {
    let (workspace, environment) = columns(log);
    let row = sqlx::query!(
        r#"SELECT l.generation, l.size, l.salt, l.position, coalesce(c.note, '') AS "note!"
         FROM ledger_manifest_lines l LEFT JOIN ledger_checkpoints c ON c.workspace_id = l.workspace_id
             AND c.environment = l.environment AND c.generation = l.generation AND c.size = l.size
         WHERE l.workspace_id = $1 AND l.environment = $2 AND l.hour = $3"#,
        workspace,
        environment,
        hour
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.and_then(|row| {
        let (generation, size) = (u32::try_from(row.generation).ok()?, u64::try_from(row.size).ok()?);
        Some(ManifestLine {
            hour,
            signed: Signed { generation, size, note: row.note },
            salt: row.salt.try_into().ok()?,
            position: u64::try_from(row.position).ok()?,
        })
    }))
}

/// Whether a manifest before this one names the log.
pub(super) async fn has_earlier_line(tx: &mut WorkspaceTx, log: Log, hour: OffsetDateTime) -> Result<bool, DbError> {
    let (workspace, environment) = columns(log);
    let has = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM ledger_manifest_lines
             WHERE workspace_id = $1 AND environment = $2 AND hour < $3) AS "has!""#,
        workspace,
        environment,
        hour
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(has)
}

pub(super) async fn manifest(tx: &mut SystemTx, hour: OffsetDateTime) -> Result<Option<Stored>, DbError> {
    let row = sqlx::query!("SELECT logs, root, event_id FROM ledger_manifests WHERE hour = $1", hour)
        .fetch_optional(tx.connection()?)
        .await?;
    Ok(row.and_then(|row| {
        let root = Hash::try_from(row.root.as_slice()).ok()?;
        Some(Stored { logs: u64::try_from(row.logs).ok()?, root, event: row.event_id })
    }))
}

/// The stored tiles, by level and index, out of which these nodes are computed.
pub(super) async fn tiles(
    tx: &mut SystemTx,
    hour: OffsetDateTime,
    nodes: &[Node],
) -> Result<HashMap<(u8, u64), Vec<u8>>, DbError> {
    let runs: Vec<tile::Run> = nodes.iter().map(|node| tile::run_of(*node)).collect();
    let levels: Vec<i16> = runs.iter().map(|run| i16::from(run.tile_level)).collect();
    let starts: Vec<i64> = runs.iter().map(|run| i64::try_from(run.tile_index() * tile::WIDTH).unwrap_or(-1)).collect();
    let rows = sqlx::query!(
        "SELECT DISTINCT h.tile_level, h.start, h.hashes FROM ledger_manifest_hashes h
         JOIN UNNEST($2::smallint[], $3::bigint[]) AS wanted (tile_level, start)
             ON h.tile_level = wanted.tile_level AND h.start = wanted.start
         WHERE h.hour = $1",
        hour,
        &levels,
        &starts
    )
    .fetch_all(tx.connection()?)
    .await?;
    let tile = |level: i16, start: i64| Some((u8::try_from(level).ok()?, u64::try_from(start).ok()? / tile::WIDTH));
    Ok(rows.into_iter().filter_map(|row| Some((tile(row.tile_level, row.start)?, row.hashes))).collect())
}
