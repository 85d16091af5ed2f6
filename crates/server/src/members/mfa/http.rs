//! `/v1/workspaces/{workspace}/security`.

use axum::extract::State;

use super::ops::{self, DemandError, With};
use super::{ChangeWorkspaceSecurity, WorkspaceSecurity};
use crate::authz::may::Needs;
use crate::authz::{Granted, Notary, Principal, may};
use crate::db::Db;
use crate::http::{Begun, Changes, Code, Idempotency, Json, Mutation, Problem, Reply};
use crate::jobs::Queue;

/// What the workspace demands of those who sign in to it.
///
/// # Errors
/// Those of the database.
pub async fn get(
    granted: Granted<may::ReadInvitations>,
    State(db): State<Db>,
    State(notary): State<Notary>,
) -> Result<Json<WorkspaceSecurity>, Problem> {
    look(&granted, (&db, &notary)).await.map(Json)
}

/// The same; for the API and the console.
///
/// # Errors
/// As [`get`].
pub async fn look<P: Needs>(granted: &Granted<P>, (db, notary): (&Db, &Notary)) -> Result<WorkspaceSecurity, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let found = ops::look(&mut tx, notary).await?;
    tx.finish_reading().await?;
    Ok(found)
}

/// Says what the workspace demands, and answers when every node knows it.
///
/// # Errors
/// `step_up_required`, `mfa_required` of an owner whose own session is not strong, `revocation_unconfirmed`.
pub async fn change(
    granted: Granted<may::ManageMembers>,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
    request: Mutation<ChangeWorkspaceSecurity>,
) -> Result<Reply, Problem> {
    say(&granted.in_live(), &changes, &queue, request.body.require_mfa, request.idempotency).await
}

/// The same; for the API and the console. Whoever asks again waits for all nodes again.
///
/// # Errors
/// As [`change`].
pub async fn say(
    granted: &Granted<may::ManageMembers>,
    changes: &Changes,
    queue: &Queue,
    require_mfa: bool,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    crate::members::http::refuse_stale(granted)?;
    let Principal::Session(person) = granted.principal() else { return Err(Problem::new(Code::Forbidden)) };
    if require_mfa && !person.is_strong() {
        return Err(Problem::new(Code::MfaRequired));
    }
    let with = With { notary: &changes.notary, entropy: &changes.entropy, queue };
    let (reply, changed) = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => (reply, None),
        Begun::Fresh(mut change) => {
            let done = ops::say(&mut change.tx, granted, with, require_mfa).await?;
            let reply = Reply::ok(&ops::look(&mut change.tx, &changes.notary).await?)?;
            match done {
                Some(recorded) => {
                    let changed = change.tx.xid().await?;
                    (change.commit(recorded, reply).await?, Some(changed))
                }
                None => (reply, None),
            }
        }
    };
    changes.feed.barrier(changed).await?;
    Ok(reply)
}

impl From<DemandError> for Problem {
    fn from(error: DemandError) -> Self {
        match error {
            DemandError::Denied(denied) => denied.into(),
            DemandError::Enqueue(error) => error.into(),
            DemandError::Db(error) => error.into(),
        }
    }
}
