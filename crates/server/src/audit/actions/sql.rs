//! The catalog of a workspace's environment.

use super::MOST;
use super::model::RegisteredAction;
use crate::db::{DbError, RecordingTx, WorkspaceTx};

/// In the order of the alphabet.
pub(super) async fn list(tx: &mut WorkspaceTx) -> Result<Vec<RegisteredAction>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query!(
        "SELECT action, description, registered_by, registered_at FROM audit_actions
         WHERE workspace_id = $1 AND environment = $2 ORDER BY action",
        workspace,
        environment
    )
    .fetch_all(tx.connection()?)
    .await?;
    let actions = rows.into_iter().map(|row| RegisteredAction {
        action: row.action,
        description: Some(row.description).filter(|text| !text.is_empty()),
        registered_by: row.registered_by,
        registered_at: row.registered_at,
    });
    Ok(actions.collect())
}

/// Whether there was room for it.
pub(super) async fn insert(tx: &mut WorkspaceTx, action: &RegisteredAction) -> Result<bool, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let done = sqlx::query!(
        "INSERT INTO audit_actions (workspace_id, environment, action, description, registered_by, registered_at)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE (SELECT count(*) FROM audit_actions WHERE workspace_id = $1 AND environment = $2) < $7",
        workspace,
        environment,
        action.action,
        action.description.as_deref().unwrap_or_default(),
        action.registered_by,
        action.registered_at,
        MOST
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether it was there.
pub(super) async fn delete(tx: &mut WorkspaceTx, action: &str) -> Result<bool, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let done = sqlx::query!(
        "DELETE FROM audit_actions WHERE workspace_id = $1 AND environment = $2 AND action = $3",
        workspace,
        environment,
        action
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Which of these are registered, for whoever is about to record them.
pub(in crate::audit) async fn registered(tx: &mut RecordingTx, actions: &[String]) -> Result<Vec<String>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let known = sqlx::query_scalar!(
        "SELECT action FROM audit_actions WHERE workspace_id = $1 AND environment = $2 AND action = ANY ($3)",
        workspace,
        environment,
        actions
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(known)
}
