//! Cosignatures, and how it stands with each witness.

use bailiwick_proof::log::Log;
use time::OffsetDateTime;

use super::ask::Asked;
use super::cosigned::StoredLine;
use super::{Target, WitnessState};
use crate::db::{DbError, SystemTx};
use crate::ledger::place::columns;
use crate::ledger::sign::Signed;

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn generation(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The cell's newest checkpoint.
pub(super) async fn newest(tx: &mut SystemTx) -> Result<Option<Signed>, DbError> {
    let (workspace, environment) = columns(Log::Cell);
    let row = sqlx::query!(
        "SELECT generation, size, note FROM ledger_checkpoints WHERE workspace_id = $1 AND environment = $2
         ORDER BY generation DESC, size DESC LIMIT 1",
        workspace,
        environment
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.and_then(|row| {
        let (generation, size) = (u32::try_from(row.generation).ok()?, u64::try_from(row.size).ok()?);
        Some(Signed { generation, size, note: row.note })
    }))
}

/// Every witness that was asked, by name.
pub(super) async fn states(tx: &mut SystemTx) -> Result<Vec<WitnessState>, DbError> {
    let rows = sqlx::query!(
        "SELECT witness, generation, size, cosigned_at, asked_at, busy_until, failures, fault, fault_at
         FROM ledger_witnesses ORDER BY witness"
    )
    .fetch_all(tx.connection()?)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let generation = row.generation.and_then(|generation| u32::try_from(generation).ok());
        let size = row.size.and_then(|size| u64::try_from(size).ok());
        WitnessState {
            witness: row.witness,
            cosigned: generation.zip(size).zip(row.cosigned_at).map(|((generation, size), at)| (generation, size, at)),
            asked_at: row.asked_at,
            busy_until: row.busy_until,
            failures: u32::try_from(row.failures).unwrap_or_default(),
            fault: row.fault.zip(row.fault_at),
        }
    });
    Ok(rows.collect())
}

/// Takes the turn of asking a witness, if nobody has it and the witness is not left alone for a while; answers what it cosigned
/// last. `None` when somebody else has the turn.
pub(super) async fn claim(
    tx: &mut SystemTx,
    witness: &str,
    target: &Target,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Option<Option<(u32, u64)>>, DbError> {
    let row = sqlx::query!(
        "INSERT INTO ledger_witnesses AS w (witness, asked_at, busy_until) VALUES ($1, $2, $3)
         ON CONFLICT (witness) DO UPDATE SET asked_at = $2, busy_until = $3
             WHERE w.busy_until <= $2 AND (w.generation, w.size) IS DISTINCT FROM ($4::integer, $5::bigint)
         RETURNING generation, size",
        witness,
        now,
        until,
        generation(target.generation),
        signed(target.size)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| {
        let generation = row.generation.and_then(|generation| u32::try_from(generation).ok());
        generation.zip(row.size.and_then(|size| u64::try_from(size).ok()))
    }))
}

/// It has cosigned.
pub(super) async fn cosigned(
    tx: &mut SystemTx,
    witness: &str,
    target: &Target,
    asked: &Asked,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE ledger_witnesses SET generation = $2, size = $3, cosigned_at = $4, busy_until = $5, failures = 0,
             fault = NULL, fault_at = NULL
         WHERE witness = $1",
        witness,
        generation(target.generation),
        signed(target.size),
        asked.at,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// It has not: it is left alone for as many seconds as it has failed, `longest` at most.
pub(super) async fn failed(
    tx: &mut SystemTx,
    witness: &str,
    fault: &str,
    longest: i32,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE ledger_witnesses SET fault = left($2, 300), fault_at = $4, failures = least(failures, 1000000) + 1,
             busy_until = $4::timestamptz + least(failures + 1, $3::integer) * interval '1 second'
         WHERE witness = $1",
        witness,
        fault,
        longest,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Stores a line, in the place of what stood there.
pub(super) async fn insert(
    tx: &mut SystemTx,
    witness: &str,
    target: &Target,
    asked: &Asked,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let (generation, size) = (generation(target.generation), signed(target.size));
    sqlx::query!(
        "DELETE FROM ledger_cosignatures WHERE generation = $1 AND size = $2 AND witness = $3",
        generation,
        size,
        witness
    )
    .execute(tx.connection()?)
    .await?;
    sqlx::query!(
        "INSERT INTO ledger_cosignatures (generation, size, witness, line, cosigned_at, stored_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        generation,
        size,
        witness,
        asked.line,
        asked.at,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Stored lines with the checkpoints that they are said to be of, the newest first: all, or those that cover an entry.
pub(super) async fn stored(tx: &mut SystemTx, covering: Option<(u32, u64)>) -> Result<Vec<StoredLine>, DbError> {
    let (workspace, environment) = columns(Log::Cell);
    let rows = sqlx::query!(
        "SELECT c.generation, c.size, c.witness, c.line, k.note
         FROM ledger_cosignatures c JOIN ledger_checkpoints k ON k.workspace_id = $1 AND k.environment = $2
             AND k.generation = c.generation AND k.size = c.size
         WHERE ($3::integer IS NULL OR c.generation = $3) AND ($4::bigint IS NULL OR c.size > $4)
         ORDER BY c.generation DESC, c.size DESC, c.witness LIMIT 2000",
        workspace,
        environment,
        covering.map(|(number, _)| generation(number)),
        covering.map(|(_, seq)| signed(seq))
    )
    .fetch_all(tx.connection()?)
    .await?;
    let line = |generation: i32, size: i64| Some((u32::try_from(generation).ok()?, u64::try_from(size).ok()?));
    let rows = rows.into_iter().filter_map(|row| {
        let (generation, size) = line(row.generation, row.size)?;
        Some(StoredLine { generation, size, witness: row.witness, line: row.line, note: row.note })
    });
    Ok(rows.collect())
}

/// Drops what is older than these sizes, but for one.
pub(super) async fn prune(tx: &mut SystemTx, of: u32, least: u64, kept: Option<u64>) -> Result<(), DbError> {
    sqlx::query!(
        "DELETE FROM ledger_cosignatures
         WHERE generation < $1 OR (generation = $1 AND size < $2 AND size IS DISTINCT FROM $3::bigint)",
        generation(of),
        signed(least),
        kept.map(signed)
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
