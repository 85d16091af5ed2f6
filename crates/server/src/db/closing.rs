//! What a tenant's transaction writes when it commits: its ledger entries, and the answer that is kept for a retry.
//!
//! Both wait for the commit because they are known one after the other and can be written by one statement: a round
//! trip is a good part of what an entry costs (`cargo xtask bench change_with_entry`).

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::DbError;
use crate::context::RequestContext;

/// A ledger entry on its way into the workspace's log; `ledger::stage` alone makes it (`cargo xtask tidy`).
pub struct StagedEntry {
    /// The project on whose trail it stands.
    pub(crate) project: Option<Uuid>,
    /// `evt_…`
    pub(crate) event: Uuid,
    /// The action's name.
    pub(crate) action: String,
    /// Whose doing it was.
    pub(crate) actor: String,
    /// What it was done to.
    pub(crate) target: String,
    /// The principal, as the ledger writes it.
    pub(crate) recorded_by: String,
    /// What else there is to say.
    pub(crate) meta: Value,
    /// Of the rows that grant something and changed with it.
    pub(crate) rows: Option<Vec<u8>>,
}

/// An answer that is kept, under the key that came with the request.
pub struct KeptAnswer {
    /// The user or the API key that asked.
    pub(crate) principal: Uuid,
    /// The digest of the `Idempotency-Key`.
    pub(crate) key: [u8; 32],
    /// The digest of the request.
    pub(crate) request: [u8; 32],
    /// The answer, sealed.
    pub(crate) sealed: Vec<u8>,
}

/// Whose log and whose answers.
pub(super) struct Place<'a> {
    pub(super) workspace: WorkspaceId,
    pub(super) environment: Environment,
    /// A founder's answer is their own and not yet the workspace's.
    pub(super) founding: bool,
    pub(super) context: &'a RequestContext,
}

/// Writes entries and answer.
///
/// # Errors
/// [`DbError::Aborted`] without an entry: a change that leaves none is not committed.
pub(super) async fn write(
    connection: &mut PgConnection,
    place: &Place<'_>,
    entries: &[StagedEntry],
    answer: Option<&KeptAnswer>,
) -> Result<(), DbError> {
    let [first, rest @ ..] = entries else { return Err(DbError::Aborted) };
    match answer {
        Some(answer) if place.founding => {
            insert_founders_answer(connection, place, answer).await?;
            insert_entry(connection, place, first).await?;
        }
        Some(answer) => insert_both(connection, place, first, answer).await?,
        None => insert_entry(connection, place, first).await?,
    }
    for entry in rest {
        insert_entry(connection, place, entry).await?;
    }
    Ok(())
}

async fn insert_both(
    connection: &mut PgConnection,
    place: &Place<'_>,
    entry: &StagedEntry,
    answer: &KeptAnswer,
) -> Result<(), DbError> {
    let context = place.context;
    sqlx::query!(
        "WITH kept AS (
             INSERT INTO idempotency_records
                 (workspace_id, environment, principal_id, key_digest, request_digest, reply_sealed, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
         )
         INSERT INTO ledger_staged (workspace_id, environment, project_id, event_id, action, actor, target, recorded_by,
             meta, trace_id, request_id, external_request_id, client_ip, staged_at, rows)
         VALUES ($1, $2, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $7, $19)",
        place.workspace.uuid(),
        place.environment.as_str(),
        answer.principal,
        answer.key.as_slice(),
        answer.request.as_slice(),
        answer.sealed,
        context.received_at,
        entry.project,
        entry.event,
        entry.action,
        entry.actor,
        entry.target,
        entry.recorded_by,
        entry.meta,
        context.trace_id.to_string(),
        context.id.uuid(),
        context.external_id.as_deref(),
        context.client_ip.map(|ip| ip.to_string()),
        entry.rows.as_deref()
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_entry(connection: &mut PgConnection, place: &Place<'_>, entry: &StagedEntry) -> Result<(), DbError> {
    let context = place.context;
    sqlx::query!(
        "INSERT INTO ledger_staged (workspace_id, environment, project_id, event_id, action, actor, target, recorded_by,
             meta, trace_id, request_id, external_request_id, client_ip, staged_at, rows)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        place.workspace.uuid(),
        place.environment.as_str(),
        entry.project,
        entry.event,
        entry.action,
        entry.actor,
        entry.target,
        entry.recorded_by,
        entry.meta,
        context.trace_id.to_string(),
        context.id.uuid(),
        context.external_id.as_deref(),
        context.client_ip.map(|ip| ip.to_string()),
        context.received_at,
        entry.rows.as_deref()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps the answer of a request whose entries have their numbers already.
pub(super) async fn insert_answer(
    connection: &mut PgConnection,
    place: &Place<'_>,
    answer: &KeptAnswer,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO idempotency_records
             (workspace_id, environment, principal_id, key_digest, request_digest, reply_sealed, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        place.workspace.uuid(),
        place.environment.as_str(),
        answer.principal,
        answer.key.as_slice(),
        answer.request.as_slice(),
        answer.sealed,
        place.context.received_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_founders_answer(
    connection: &mut PgConnection,
    place: &Place<'_>,
    answer: &KeptAnswer,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO account_idempotency_records (user_id, key_digest, request_digest, reply_sealed, created_at)
         VALUES ($1, $2, $3, $4, $5)",
        answer.principal,
        answer.key.as_slice(),
        answer.request.as_slice(),
        answer.sealed,
        place.context.received_at
    )
    .execute(connection)
    .await?;
    Ok(())
}
