//! What goes.

use bailiwick_proof::log::Log;
use time::OffsetDateTime;

use crate::db::{DbError, SystemTx};
use crate::ledger::cut::Cut;
use crate::ledger::place::columns;

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn narrow(generation: u32) -> i32 {
    i32::try_from(generation).unwrap_or(-1)
}

/// Whether so many entries from this one on are there, all recorded before this moment, as their columns say.
pub(super) async fn is_old(
    tx: &mut SystemTx,
    log: Log,
    (first, count): (u64, u64),
    before: OffsetDateTime,
) -> Result<bool, DbError> {
    let (workspace, environment) = columns(log);
    let found = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM ledger_entries e JOIN ledger_heads h
             ON h.workspace_id = e.workspace_id AND h.environment = e.environment AND h.generation = e.generation
         WHERE e.workspace_id = $1 AND e.environment = $2 AND e.seq >= $3 AND e.seq < $4 AND e.recorded_at < $5"#,
        workspace,
        environment,
        number(first),
        number(first.saturating_add(count)),
        before
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(u64::try_from(found) == Ok(count))
}

pub(super) async fn insert(tx: &mut SystemTx, log: Log, cut: &Cut, mac: &[u8]) -> Result<(), DbError> {
    let (workspace, environment) = columns(log);
    sqlx::query!(
        "INSERT INTO ledger_cuts (workspace_id, environment, generation, pruned_to, root, kept, newest_ms, event_id, cut_at, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        workspace,
        environment,
        narrow(cut.generation),
        number(cut.to),
        cut.root.as_bytes().as_slice(),
        cut.kept.as_bytes().as_slice(),
        number(cut.newest_ms),
        cut.event.uuid(),
        cut.at,
        mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Whether anything of what was to go below a cut is there: entries, or openings that say more than what they say of rows.
pub(super) async fn is_left(tx: &mut SystemTx, log: Log, cut: &Cut) -> Result<bool, DbError> {
    let (workspace, environment) = columns(log);
    let is_left = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM ledger_entries
               WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND seq < $4)
             OR EXISTS (SELECT FROM ledger_openings
               WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND seq < $4
                 AND (rows IS NULL OR num_nonnulls(actor_sealed, ip_sealed, meta_sealed, target_sealed, actor_subject, meta_subject,
                     target_subject, actor_index, target_index) > 0)) AS "is_left!""#,
        workspace,
        environment,
        narrow(cut.generation),
        number(cut.to)
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(is_left)
}

/// Deletes entries and openings below `beyond`, but for what they say of rows; answers how many entries those were.
pub(super) async fn delete(tx: &mut SystemTx, log: Log, cut: &Cut, beyond: u64) -> Result<u64, DbError> {
    let (workspace, environment) = columns(log);
    let (generation, beyond) = (narrow(cut.generation), number(beyond));
    let deleted = sqlx::query!(
        "DELETE FROM ledger_entries WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND seq < $4",
        workspace,
        environment,
        generation,
        beyond
    )
    .execute(tx.connection()?)
    .await?;
    sqlx::query!(
        "DELETE FROM ledger_openings WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND seq < $4
           AND rows IS NULL",
        workspace,
        environment,
        generation,
        beyond
    )
    .execute(tx.connection()?)
    .await?;
    sqlx::query!(
        "UPDATE ledger_openings SET actor_sealed = NULL, ip_sealed = NULL, meta_sealed = NULL, target_sealed = NULL,
             actor_subject = NULL, meta_subject = NULL, target_subject = NULL, actor_index = NULL, target_index = NULL
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND seq < $4
           AND num_nonnulls(actor_sealed, ip_sealed, meta_sealed, target_sealed, actor_subject, meta_subject, target_subject,
               actor_index, target_index) > 0",
        workspace,
        environment,
        generation,
        beyond
    )
    .execute(tx.connection()?)
    .await?;
    Ok(deleted.rows_affected())
}

/// Whether an entry of one of these actions says nothing of rows.
pub(super) async fn is_silent(tx: &mut SystemTx, log: Log, actions: &[&str]) -> Result<bool, DbError> {
    let (workspace, environment) = columns(log);
    let actions: Vec<String> = actions.iter().map(ToString::to_string).collect();
    let is_silent = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM ledger_entries e
             WHERE e.workspace_id = $1 AND e.environment = $2 AND e.action = ANY ($3)
               AND NOT EXISTS (SELECT FROM ledger_openings o WHERE o.workspace_id = $1 AND o.environment = $2
                 AND o.generation = e.generation AND o.seq = e.seq AND o.rows IS NOT NULL)) AS "is_silent!""#,
        workspace,
        environment,
        &actions
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(is_silent)
}
