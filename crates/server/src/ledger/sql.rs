//! Staged rows.

use bailiwick_proof::id::EventId;
use serde_json::Value;

use super::Entry;
use crate::context::RequestContext;
use crate::db::{DbError, SystemTx, WorkspaceTx};

pub(super) async fn insert(tx: &mut WorkspaceTx, event: EventId, entry: &Entry) -> Result<(), DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let project = tx.project().project().map(|project| project.uuid());
    let (context, actor) = (tx.context().clone(), tx.actor().clone());
    sqlx::query!(
        "INSERT INTO ledger_staged (workspace_id, environment, project_id, event_id, action, actor, target, meta,
             trace_id, request_id, external_request_id, client_ip, staged_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        workspace,
        environment,
        project,
        event.uuid(),
        entry.action.as_str(),
        actor,
        entry.target,
        entry.meta,
        context.trace_id,
        context.id.uuid(),
        context.external_id,
        context.client_ip.map(|ip| ip.to_string()),
        context.received_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn insert_in_cell(
    tx: &mut SystemTx,
    event: EventId,
    context: &RequestContext,
    actor: &Value,
    entry: &Entry,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO cell_ledger_staged (event_id, action, actor, target, meta, trace_id, request_id,
             external_request_id, client_ip, staged_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        event.uuid(),
        entry.action.as_str(),
        actor,
        entry.target,
        entry.meta,
        context.trace_id,
        context.id.uuid(),
        context.external_id,
        context.client_ip.map(|ip| ip.to_string()),
        context.received_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
