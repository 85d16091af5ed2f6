//! The numbers of subjects, and what is sealed of an entry.

use bailiwick_proof::log::Log;
use uuid::Uuid;

use super::SealedOpenings;
use crate::db::{DbError, SystemTx};
use crate::ledger::Action;
use crate::ledger::place::columns;
use crate::ledger::prove::Stored;

/// The numbers of those whose names have these indexes.
pub(super) async fn numbers(
    tx: &mut SystemTx,
    owner: Uuid,
    indexes: &[Vec<u8>],
) -> Result<Vec<(Vec<u8>, u32)>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT name_index AS "index!", number FROM vault_subjects WHERE workspace_id = $1 AND name_index = ANY ($2)"#,
        owner,
        indexes
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.index, u32::try_from(row.number).ok()?))).collect())
}

/// The entry of an event of ours, with its openings still sealed. Whoever owns the database can put others under its id: the first
/// of this action is the one.
pub(in crate::ledger) async fn entry_of(
    tx: &mut SystemTx,
    log: Log,
    event: Uuid,
    action: Action,
) -> Result<Option<(Stored, SealedOpenings)>, DbError> {
    let (workspace, environment) = columns(log);
    let row = sqlx::query!(
        r#"SELECT e.generation, e.seq, e.entry, o.actor_sealed AS "actor?", o.ip_sealed AS "ip?", o.meta_sealed AS "meta?",
             o.target_sealed AS "target?", o.actor_subject AS "actor_subject?", o.meta_subject AS "meta_subject?",
             o.target_subject AS "target_subject?"
         FROM ledger_entries e LEFT JOIN ledger_openings o ON o.workspace_id = e.workspace_id
             AND o.environment = e.environment AND o.generation = e.generation AND o.seq = e.seq
         WHERE e.workspace_id = $1 AND e.environment = $2 AND e.event_id = $3 AND e.action = $4
         ORDER BY e.generation, e.seq LIMIT 1"#,
        workspace,
        environment,
        event,
        action.as_str()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| {
        let sealed = SealedOpenings {
            actor: row.actor,
            ip: row.ip,
            meta: row.meta,
            target: row.target,
            actor_subject: row.actor_subject,
            meta_subject: row.meta_subject,
            target_subject: row.target_subject,
        };
        let generation = u32::try_from(row.generation).unwrap_or_default();
        (Stored::unopened(generation, u64::try_from(row.seq).unwrap_or_default(), row.entry), sealed)
    }))
}
