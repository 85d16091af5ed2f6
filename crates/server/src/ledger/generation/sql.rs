//! Where closed generations end, and where the next ones begin.

use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{Frontier, Hash};
use time::OffsetDateTime;

use crate::db::{DbError, SystemTx};
use crate::ledger::place::columns;

/// Writes down where a generation ends here.
pub(super) async fn close(
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
    (last_leaf, frontier): (&Hash, &Frontier),
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let (workspace, environment) = columns(log);
    sqlx::query!(
        "INSERT INTO ledger_generations (workspace_id, environment, generation, size, last_leaf, frontier, closed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(-1),
        i64::try_from(frontier.size()).unwrap_or(-1),
        last_leaf.as_bytes().as_slice(),
        frontier.to_bytes(),
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// The head of a generation in which nothing stands yet, in the place of the one before.
pub(super) async fn begin(tx: &mut SystemTx, log: Log, generation: u32) -> Result<(), DbError> {
    let (workspace, environment) = columns(log);
    sqlx::query!(
        "INSERT INTO ledger_heads AS h (workspace_id, environment, generation, size, last_leaf, frontier)
         VALUES ($1, $2, $3, 0, $4, '')
         ON CONFLICT (workspace_id, environment) DO UPDATE
             SET generation = excluded.generation, size = 0, last_leaf = excluded.last_leaf, frontier = ''",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(-1),
        Hash::ZERO.as_bytes().as_slice()
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
