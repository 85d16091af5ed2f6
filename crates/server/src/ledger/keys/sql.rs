//! Keys of logs. The seed is sealed and goes to the signer alone.

use bailiwick_proof::log::Log;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Row;
use crate::db::{DbError, SystemTx};
use crate::ledger::place::columns;

pub(super) async fn insert(
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
    kid: &str,
    public_key: &[u8; 32],
    seed_sealed: &[u8],
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let (workspace, environment) = columns(log);
    sqlx::query!(
        "INSERT INTO ledger_keys (workspace_id, environment, kid, generation, public_key, seed_sealed, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        workspace,
        environment,
        kid,
        i32::try_from(generation).unwrap_or(i32::MAX),
        public_key.as_slice(),
        seed_sealed,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// The newest first: the one that is not retired, then by retirement.
pub(super) async fn of_log(tx: &mut SystemTx, log: Log) -> Result<Vec<Row>, DbError> {
    let (workspace, environment) = columns(log);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT kid, generation, public_key, seed_sealed,
             CASE WHEN retired_at NOT BETWEEN '0001-01-02' AND '9999-12-30' THEN 'epoch' ELSE retired_at END AS retired_at
         FROM ledger_keys
         WHERE workspace_id = $1 AND environment = $2
         ORDER BY generation DESC, ledger_keys.retired_at DESC NULLS FIRST, created_at DESC"#,
        workspace,
        environment
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows)
}

/// Where each log stands.
pub(super) async fn logs(tx: &mut SystemTx) -> Result<Vec<(Uuid, String)>, DbError> {
    let rows = sqlx::query!("SELECT workspace_id, environment FROM ledger_heads ORDER BY workspace_id, environment")
        .fetch_all(tx.connection()?)
        .await?;
    Ok(rows.into_iter().map(|row| (row.workspace_id, row.environment)).collect())
}

/// The log's generation; `None` for one that has not begun.
pub(in crate::ledger) async fn generation(tx: &mut SystemTx, log: Log) -> Result<Option<u32>, DbError> {
    let (workspace, environment) = columns(log);
    let generation = sqlx::query_scalar!(
        "SELECT generation FROM ledger_heads WHERE workspace_id = $1 AND environment = $2",
        workspace,
        environment
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(generation.and_then(|generation| u32::try_from(generation).ok()))
}

/// Retires the key that signs, and answers its id.
pub(super) async fn retire(tx: &mut SystemTx, log: Log, now: OffsetDateTime) -> Result<Option<String>, DbError> {
    let (workspace, environment) = columns(log);
    let kid = sqlx::query_scalar!(
        "UPDATE ledger_keys SET retired_at = $3
         WHERE workspace_id = $1 AND environment = $2 AND retired_at IS NULL RETURNING kid",
        workspace,
        environment,
        now
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(kid)
}
