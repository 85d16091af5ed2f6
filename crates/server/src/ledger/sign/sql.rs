//! Heads and checkpoints.

use bailiwick_proof::log::Log;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Signed, Unsigned};
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

/// The logs that have no checkpoint of their size.
pub(super) async fn unsigned(tx: &mut SystemTx) -> Result<Vec<Unsigned>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT h.workspace_id, h.environment, coalesce((SELECT c.size FROM ledger_checkpoints c
             WHERE c.workspace_id = h.workspace_id AND c.environment = h.environment AND c.generation = h.generation
             ORDER BY c.size DESC LIMIT 1), 0) AS "signed!"
         FROM ledger_heads h
         WHERE NOT EXISTS (SELECT FROM ledger_checkpoints c WHERE c.workspace_id = h.workspace_id
             AND c.environment = h.environment AND c.generation = h.generation AND c.size = h.size)"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    let unsigned = rows.iter().filter_map(|row| {
        let signed = u64::try_from(row.signed).unwrap_or_default();
        Some(Unsigned { log: place::log(row.workspace_id, &row.environment)?, signed })
    });
    Ok(unsigned.collect())
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

/// Another node may have signed at this size just before; its checkpoint stays.
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
         ON CONFLICT DO NOTHING",
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
