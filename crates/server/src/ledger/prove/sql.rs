//! Published checkpoints, and where a log ends.

use bailiwick_proof::log::Log;

use crate::db::{DbError, WorkspaceTx};
use crate::ledger::place::columns;

pub(super) async fn checkpoint(
    tx: &mut WorkspaceTx,
    log: Log,
    generation: u32,
    size: u64,
) -> Result<Option<String>, DbError> {
    let (workspace, environment) = columns(log);
    let note = sqlx::query_scalar!(
        "SELECT note FROM ledger_checkpoints
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND size = $4",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        i64::try_from(size).unwrap_or(-1)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(note)
}

/// The size that the head has, and the one that the rows come to.
pub(super) async fn ends(tx: &mut WorkspaceTx, log: Log) -> Result<(u64, u64), DbError> {
    let (workspace, environment) = columns(log);
    let row = sqlx::query!(
        r#"SELECT h.size, coalesce((SELECT e.seq + 1 FROM ledger_entries e WHERE e.workspace_id = $1
               AND e.environment = $2 AND e.generation = h.generation ORDER BY e.seq DESC LIMIT 1), 0) AS "rows!"
         FROM ledger_heads h WHERE h.workspace_id = $1 AND h.environment = $2"#,
        workspace,
        environment
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(row.map_or((0, 0), |row| (unsigned(row.size), unsigned(row.rows))))
}
