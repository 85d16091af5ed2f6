//! Manifests as they are stored.

use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::Hash;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Line, StoredRun};
use crate::db::{DbError, SystemTx};
use crate::ledger::place::{arrays, columns, log};
use crate::ledger::sign::Signed;

/// A manifest that is to be stored.
pub(super) struct NewManifest {
    pub(super) hour: OffsetDateTime,
    pub(super) logs: u64,
    pub(super) root: Hash,
    pub(super) event: Uuid,
    pub(super) now: OffsetDateTime,
}

pub(super) async fn is_there(tx: &mut SystemTx, hour: OffsetDateTime) -> Result<bool, DbError> {
    let there =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM ledger_manifests WHERE hour = $1) AS "there!""#, hour)
            .fetch_one(tx.connection()?)
            .await?;
    Ok(there)
}

/// The newest checkpoint of each workspace's log that has one, in the order of their places, those after `after`.
pub(super) async fn newest_checkpoints(
    tx: &mut SystemTx,
    after: Option<Log>,
    limit: usize,
) -> Result<Vec<(Log, Signed)>, DbError> {
    let (workspace, environment) = after.map_or((Uuid::nil(), "test"), columns);
    let rows = sqlx::query!(
        "SELECT h.workspace_id, h.environment, h.generation, c.size, c.note
         FROM ledger_heads h CROSS JOIN LATERAL (
             SELECT n.size, n.note FROM ledger_checkpoints n
             WHERE n.workspace_id = h.workspace_id AND n.environment = h.environment AND n.generation = h.generation
             ORDER BY n.size DESC LIMIT 1
         ) c
         WHERE (h.workspace_id, h.environment) > ($1, $2)
         ORDER BY h.workspace_id, h.environment LIMIT $3",
        workspace,
        environment,
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(tx.connection()?)
    .await?;
    let read = |row: (Uuid, String, i32, i64, String)| {
        let (workspace, environment, generation, size, note) = row;
        let (generation, size) = (u32::try_from(generation).ok()?, u64::try_from(size).ok()?);
        Some((log(workspace, &environment)?, Signed { generation, size, note }))
    };
    let rows = rows.into_iter().map(|row| (row.workspace_id, row.environment, row.generation, row.size, row.note));
    Ok(rows.filter_map(read).collect())
}

/// False when somebody else was quicker.
pub(super) async fn insert(tx: &mut SystemTx, made: &NewManifest) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "INSERT INTO ledger_manifests (hour, logs, root, event_id, made_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        made.hour,
        i64::try_from(made.logs).unwrap_or(i64::MAX),
        made.root.as_bytes().as_slice(),
        made.event,
        made.now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lines in their order, of which the first stands at `first`.
pub(super) async fn insert_lines(
    tx: &mut SystemTx,
    hour: OffsetDateTime,
    first: usize,
    lines: &[Line],
) -> Result<(), DbError> {
    let (workspaces, environments) = arrays(lines.iter().map(|line| line.log));
    let generations: Vec<i32> = lines.iter().map(|line| i32::try_from(line.generation).unwrap_or(i32::MAX)).collect();
    let sizes: Vec<i64> = lines.iter().map(|line| i64::try_from(line.size).unwrap_or(-1)).collect();
    let salts: Vec<Vec<u8>> = lines.iter().map(|line| line.salt.to_vec()).collect();
    sqlx::query!(
        "INSERT INTO ledger_manifest_lines (workspace_id, environment, hour, generation, size, salt, position)
         SELECT w, e, $1, g, s, r, $2 + nth - 1
         FROM UNNEST($3::uuid[], $4::text[], $5::integer[], $6::bigint[], $7::bytea[]) WITH ORDINALITY AS line (w, e, g, s, r, nth)",
        hour,
        i64::try_from(first).unwrap_or(-1),
        &workspaces,
        &environments,
        &generations,
        &sizes,
        &salts
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn insert_hashes(tx: &mut SystemTx, hour: OffsetDateTime, runs: &[StoredRun]) -> Result<(), DbError> {
    let levels: Vec<i16> = runs.iter().map(|(level, ..)| i16::from(*level)).collect();
    let starts: Vec<i64> = runs.iter().map(|(_, start, _)| i64::try_from(*start).unwrap_or(-1)).collect();
    let hashes: Vec<Vec<u8>> = runs.iter().map(|(.., hashes)| hashes.clone()).collect();
    sqlx::query!(
        "INSERT INTO ledger_manifest_hashes (hour, tile_level, start, hashes)
         SELECT $1, * FROM UNNEST($2::smallint[], $3::bigint[], $4::bytea[])",
        hour,
        &levels,
        &starts,
        &hashes
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn expire(tx: &mut SystemTx, before: OffsetDateTime) -> Result<(), DbError> {
    sqlx::query!("DELETE FROM ledger_manifest_lines WHERE hour < $1", before).execute(tx.connection()?).await?;
    sqlx::query!("DELETE FROM ledger_manifest_hashes WHERE hour < $1", before).execute(tx.connection()?).await?;
    sqlx::query!("DELETE FROM ledger_manifests WHERE hour < $1", before).execute(tx.connection()?).await?;
    Ok(())
}

/// Those of after this moment; answers how many they were.
pub(super) async fn withdraw(tx: &mut SystemTx, latest: OffsetDateTime) -> Result<u64, DbError> {
    sqlx::query!("DELETE FROM ledger_manifest_lines WHERE hour > $1", latest).execute(tx.connection()?).await?;
    sqlx::query!("DELETE FROM ledger_manifest_hashes WHERE hour > $1", latest).execute(tx.connection()?).await?;
    let done = sqlx::query!("DELETE FROM ledger_manifests WHERE hour > $1", latest).execute(tx.connection()?).await?;
    Ok(done.rows_affected())
}
