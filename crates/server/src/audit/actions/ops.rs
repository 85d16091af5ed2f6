//! Register and retire.

use serde_json::json;

use super::model::{RegisterAction, RegisteredAction, Words};
use super::sql;
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};

/// Why an action was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// It begins with a word of ours.
    #[error("the action begins with a word of ours")]
    Reserved,
    /// It is registered already.
    #[error("the action is registered")]
    Taken,
    /// There are as many as can be.
    #[error("as many actions are registered as can be")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Db(DbError),
}

impl From<DbError> for RegisterError {
    fn from(error: DbError) -> Self {
        if error.constraint() == Some("audit_actions_pkey") { Self::Taken } else { Self::Db(error) }
    }
}

/// Lets the environment's programs record an action.
///
/// # Errors
/// See [`RegisterError`].
pub(super) async fn register(
    tx: &mut WorkspaceTx,
    entropy: &Entropy,
    new: &RegisterAction,
) -> Result<(RegisteredAction, Recorded), RegisterError> {
    if ledger::is_reserved(new.action.as_str()) {
        return Err(RegisterError::Reserved);
    }
    let action = RegisteredAction {
        action: new.action.as_str().to_owned(),
        description: new.description.as_ref().map(ToString::to_string),
        registered_by: tx.actor().to_owned(),
        registered_at: tx.context().received_at,
    };
    if !sql::insert(tx, &action).await? {
        return Err(RegisterError::TooMany);
    }
    let recorded = entry(tx, entropy, Action::AuditActionRegistered, &new.action);
    Ok((action, recorded))
}

/// Lets nobody record an action any more; `None` if it is not registered.
///
/// # Errors
/// [`DbError`].
pub(super) async fn retire(
    tx: &mut WorkspaceTx,
    entropy: &Entropy,
    action: &Words,
) -> Result<Option<Recorded>, DbError> {
    if !sql::delete(tx, action.as_str()).await? {
        return Ok(None);
    }
    Ok(Some(entry(tx, entropy, Action::AuditActionRetired, action)))
}

/// The words stand beside it: a target would be a subject, and could be erased.
fn entry(tx: &mut WorkspaceTx, entropy: &Entropy, what: Action, action: &Words) -> Recorded {
    let entry = Entry::about(what, tx.workspace()).with(json!({"name": action.as_str()}));
    ledger::stage(tx, entropy, entry)
}
