//! `/v1/workspaces/{workspace}/audit/actions`.

use axum::extract::State;

use super::model::{RegisterAction, RegisteredAction, RegisteredActions, Words};
use super::ops::{self, RegisterError};
use super::{MOST, sql};
use crate::authz::{Granted, may};
use crate::db::{Authority as _, Db, ProjectWall};
use crate::http::{Begun, Changes, Code, Idempotency, Json, Mutation, Nothing, PathId, Problem, Reply};

/// Registers an action.
///
/// # Errors
/// `action_reserved`, `name_taken`, `invalid_body`, and those of every change.
pub async fn register(
    granted: Granted<may::ManageActions>,
    State(changes): State<Changes>,
    request: Mutation<RegisterAction>,
) -> Result<Reply, Problem> {
    add(&granted, &changes, &request.body, request.idempotency).await
}

/// Registers an action once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`register`].
pub async fn add(
    granted: &Granted<may::ManageActions>,
    changes: &Changes,
    new: &RegisterAction,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let (action, recorded) = ops::register(&mut change.tx, &changes.entropy, new).await?;
    let reply = Reply::created(format!("/v1/workspaces/{}/audit/actions", granted.workspace()), &action)?;
    change.commit(recorded, reply).await
}

/// The actions that programs may record.
///
/// # Errors
/// Those of every read.
pub async fn list(granted: Granted<may::ReadAudit>, State(db): State<Db>) -> Result<Json<RegisteredActions>, Problem> {
    Ok(Json(RegisteredActions { actions: all(&granted, &db).await? }))
}

/// The actions that programs may record; for the API and the console. Whoever is confined to a project sees none: the words are those of all
/// projects.
///
/// # Errors
/// As [`list`].
pub async fn all<P>(granted: &Granted<P>, db: &Db) -> Result<Vec<RegisteredAction>, Problem> {
    if granted.project() != ProjectWall::Unconfined {
        return Ok(Vec::new());
    }
    let mut tx = db.workspace_tx(granted).await?;
    let actions = sql::list(&mut tx).await?;
    tx.finish_reading().await?;
    Ok(actions)
}

/// Retires an action.
///
/// # Errors
/// `not_found`, and those of every change.
pub async fn retire(
    granted: Granted<may::ManageActions>,
    State(changes): State<Changes>,
    PathId(action): PathId<Words>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    remove(&granted, &changes, &action, request.idempotency).await
}

/// Retires an action once; for the API and the console.
///
/// # Errors
/// As [`retire`].
pub async fn remove(
    granted: &Granted<may::ManageActions>,
    changes: &Changes,
    action: &Words,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let retired = ops::retire(&mut change.tx, &changes.entropy, action).await?;
    let recorded = retired.ok_or_else(|| Problem::new(Code::NotFound))?;
    change.commit(recorded, Reply::no_content()).await
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Reserved => Self::new(Code::ActionReserved),
            RegisterError::Taken => Self::new(Code::NameTaken).detail("The action is registered already."),
            RegisterError::TooMany => Self::field(
                "/action",
                "too_many",
                format!("An environment has {MOST} actions at most; retire one that is not used."),
            ),
            RegisterError::Db(error) => error.into(),
        }
    }
}
