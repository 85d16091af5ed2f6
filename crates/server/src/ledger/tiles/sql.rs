//! What tiles are read from, beside hashes.

use crate::db::DbError;
use crate::ledger::place::columns;
use crate::ledger::reader::LogTx;
use crate::ledger::sign::Signed;

/// Generation and size of the newest checkpoint.
pub(super) async fn newest_size(tx: &mut LogTx<'_>) -> Result<Option<(u32, u64)>, DbError> {
    let (workspace, environment) = columns(tx.log());
    let row = sqlx::query!(
        "SELECT generation, size FROM ledger_checkpoints WHERE workspace_id = $1 AND environment = $2
         ORDER BY generation DESC, size DESC LIMIT 1",
        workspace,
        environment
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.and_then(|row| Some((u32::try_from(row.generation).ok()?, u64::try_from(row.size).ok()?))))
}

/// The checkpoint of the largest size beyond the first and up to the second.
pub(super) async fn largest_within(
    tx: &mut LogTx<'_>,
    generation: u32,
    (after, up_to): (u64, u64),
) -> Result<Option<Signed>, DbError> {
    let (workspace, environment) = columns(tx.log());
    let row = sqlx::query!(
        "SELECT size, note FROM ledger_checkpoints
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND size > $4 AND size <= $5
         ORDER BY size DESC LIMIT 1",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        i64::try_from(after).unwrap_or(i64::MAX),
        i64::try_from(up_to).unwrap_or(i64::MAX)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.and_then(|row| Some(Signed { generation, size: u64::try_from(row.size).ok()?, note: row.note })))
}

/// The checkpoint of the smallest size beyond this one.
pub(super) async fn smallest_after(tx: &mut LogTx<'_>, generation: u32, after: u64) -> Result<Option<Signed>, DbError> {
    let (workspace, environment) = columns(tx.log());
    let row = sqlx::query!(
        "SELECT size, note FROM ledger_checkpoints
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND size > $4 ORDER BY size LIMIT 1",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        i64::try_from(after).unwrap_or(i64::MAX)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.and_then(|row| Some(Signed { generation, size: u64::try_from(row.size).ok()?, note: row.note })))
}

/// So many entries from this one on, each with its number.
pub(super) async fn entries(
    tx: &mut LogTx<'_>,
    generation: u32,
    first: u64,
    count: u64,
) -> Result<Vec<(u64, Vec<u8>)>, DbError> {
    let (workspace, environment) = columns(tx.log());
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let rows = sqlx::query!(
        "SELECT seq, entry FROM ledger_entries
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND seq >= $4 AND seq < $5 ORDER BY seq",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        number(first),
        number(first.saturating_add(count))
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (u64::try_from(row.seq).unwrap_or_default(), row.entry)).collect())
}
