//! Staged rows.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;

use super::Row;
use crate::db::{DbError, SystemTx};

pub(super) async fn insert_in_cell(tx: &mut SystemTx, row: &Row<'_>) -> Result<(), DbError> {
    let Row { event, entry, actor, recorded_by, context } = row;
    sqlx::query!(
        "INSERT INTO cell_ledger_staged (event_id, action, actor, target, recorded_by, meta, trace_id, request_id,
             external_request_id, client_ip, staged_at, rows)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        event.uuid(),
        entry.action,
        *actor,
        entry.target,
        *recorded_by,
        entry.meta,
        context.trace_id.to_string(),
        context.id.uuid(),
        context.external_id.as_deref(),
        context.client_ip.map(|ip| ip.to_string()),
        context.received_at,
        entry.rows.as_deref()
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// In a workspace's log, by the server itself.
pub(super) async fn insert_for(
    tx: &mut SystemTx,
    workspace: WorkspaceId,
    environment: Environment,
    row: &Row<'_>,
) -> Result<(), DbError> {
    let Row { event, entry, actor, recorded_by, context } = row;
    sqlx::query!(
        "INSERT INTO ledger_staged (workspace_id, environment, event_id, action, actor, target, recorded_by, meta,
             trace_id, request_id, staged_at, rows)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        workspace.uuid(),
        environment.as_str(),
        event.uuid(),
        entry.action,
        *actor,
        entry.target,
        *recorded_by,
        entry.meta,
        context.trace_id.to_string(),
        context.id.uuid(),
        context.received_at,
        entry.rows.as_deref()
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
