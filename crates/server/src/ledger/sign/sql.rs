//! Heads and checkpoints.

use bailiwick_proof::log::Log;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Signed;
use crate::db::{DbError, SystemTx};
use crate::ledger::place::{self, columns};

pub(super) struct HeadRow {
    pub(super) workspace_id: Uuid,
    pub(super) environment: String,
    pub(super) generation: i32,
    pub(super) size: i64,
    pub(super) frontier: Vec<u8>,
}

/// Whether any log has a head.
pub(super) async fn has_begun(tx: &mut SystemTx) -> Result<bool, DbError> {
    let begun = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM ledger_heads) AS "begun!""#)
        .fetch_one(tx.connection()?)
        .await?;
    Ok(begun)
}

pub(super) async fn heads(tx: &mut SystemTx) -> Result<Vec<HeadRow>, DbError> {
    let rows =
        sqlx::query_as!(HeadRow, "SELECT workspace_id, environment, generation, size, frontier FROM ledger_heads")
            .fetch_all(tx.connection()?)
            .await?;
    Ok(rows)
}

pub(super) async fn head(tx: &mut SystemTx, log: Log) -> Result<Option<HeadRow>, DbError> {
    let (workspace, environment) = columns(log);
    let row = sqlx::query_as!(
        HeadRow,
        "SELECT workspace_id, environment, generation, size, frontier FROM ledger_heads
         WHERE workspace_id = $1 AND environment = $2",
        workspace,
        environment
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row)
}

/// How far a log has come.
pub(super) struct Stand {
    pub(super) log: Log,
    pub(super) generation: u32,
    pub(super) size: u64,
    /// Whether a checkpoint of this size is stored.
    pub(super) is_stored: bool,
}

/// Every log that has a head.
pub(super) async fn stand(tx: &mut SystemTx) -> Result<Vec<Stand>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT h.workspace_id, h.environment, h.generation, h.size,
             EXISTS (SELECT FROM ledger_checkpoints c WHERE c.workspace_id = h.workspace_id
                 AND c.environment = h.environment AND c.generation = h.generation AND c.size = h.size) AS "is_stored!"
         FROM ledger_heads h"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    let stand = rows.iter().filter_map(|row| {
        Some(Stand {
            log: place::log(row.workspace_id, &row.environment)?,
            generation: u32::try_from(row.generation).ok()?,
            size: u64::try_from(row.size).ok()?,
            is_stored: row.is_stored,
        })
    });
    Ok(stand.collect())
}

/// What is stored of a log at this generation and size.
pub(super) async fn at_size(
    tx: &mut SystemTx,
    log: Log,
    (generation, size): (u32, u64),
) -> Result<Option<Signed>, DbError> {
    let (workspace, environment) = columns(log);
    let note = sqlx::query_scalar!(
        "SELECT note FROM ledger_checkpoints WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND size = $4",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        i64::try_from(size).unwrap_or(i64::MAX)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(note.map(|note| Signed { generation, size, note }))
}

pub(super) async fn newest(tx: &mut SystemTx, log: Log, generation: u32) -> Result<Option<Signed>, DbError> {
    let (workspace, environment) = columns(log);
    let row = sqlx::query!(
        "SELECT size, note FROM ledger_checkpoints WHERE workspace_id = $1 AND environment = $2 AND generation = $3
         ORDER BY size DESC LIMIT 1",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| Signed { generation, size: u64::try_from(row.size).unwrap_or_default(), note: row.note }))
}

/// Takes the place of what somebody wrote there who is not the signer.
pub(super) async fn insert(
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
    size: u64,
    now: OffsetDateTime,
    note: &str,
) -> Result<(), DbError> {
    let (workspace, environment) = columns(log);
    sqlx::query!(
        "INSERT INTO ledger_checkpoints (workspace_id, environment, generation, size, signed_at, note)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (workspace_id, environment, generation, size) DO UPDATE SET note = excluded.note, signed_at = excluded.signed_at",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        i64::try_from(size).unwrap_or(-1),
        now,
        note
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
