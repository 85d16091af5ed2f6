//! `/v1/workspaces/{workspace}/members`, `…/leave` and `…/transfer`.

use axum::extract::State;
use bailiwick_proof::id::UserId;

use super::model::{ChangeRole, LeaveWorkspace, TransferWorkspace};
use super::ops::{self, ChangeError, With};
use super::{Member, sql};
use crate::authz::may::Needs;
use crate::authz::{Granted, Notary, Principal, Role, may};
use crate::db::{Db, Recorded};
use crate::http::{
    Begun, Change, Changes, Code, Idempotency, Json, ListQuery, Mutation, Nothing, Page, PathId, Problem, Query, Reply,
};
use crate::workspaces;

/// Tells this list's cursors from others'.
const LIST: u8 = 2;

/// The members.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadMembers>,
    State(db): State<Db>,
    State(notary): State<Notary>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Member>>, Problem> {
    page(&granted, (&db, &notary), &query).await.map(Json)
}

/// A page of members; for the API and the console.
///
/// # Errors
/// As [`list`].
pub async fn page<P: Needs>(
    granted: &Granted<P>,
    (db, notary): (&Db, &Notary),
    query: &ListQuery,
) -> Result<Page<Member>, Problem> {
    let (limit, after) = (query.limit()?, query.after(LIST)?);
    let mut tx = db.workspace_tx(granted).await?;
    let rows = sql::list(&mut tx, notary, after, limit).await?;
    tx.finish_reading().await?;
    Ok(Page::cut(rows, limit, LIST, |row| row.user_id.uuid()))
}

/// One member.
///
/// # Errors
/// `not_found`.
pub async fn get(
    granted: Granted<may::ReadMembers>,
    State(db): State<Db>,
    State(notary): State<Notary>,
    PathId(user): PathId<UserId>,
) -> Result<Json<Member>, Problem> {
    find(&granted, (&db, &notary), user).await.map(Json)
}

/// One member; for the API and the console.
///
/// # Errors
/// As [`get`].
pub async fn find<P: Needs>(
    granted: &Granted<P>,
    (db, notary): (&Db, &Notary),
    user: UserId,
) -> Result<Member, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let found = sql::get(&mut tx, notary, user).await?;
    tx.finish_reading().await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Gives a member another role, and answers when every node knows it.
///
/// # Errors
/// `not_found`, `step_up_required`, `last_owner`, `revocation_unconfirmed`.
pub async fn change_role(
    granted: Granted<may::ManageMembers>,
    State(changes): State<Changes>,
    PathId(user): PathId<UserId>,
    request: Mutation<ChangeRole>,
) -> Result<Reply, Problem> {
    set_role(&granted.in_live(), &changes, (user, request.body.role), request.idempotency).await
}

/// Gives a member another role; for the API and the console. Whoever asks again waits for all nodes again.
///
/// # Errors
/// As [`change_role`].
pub async fn set_role(
    granted: &Granted<may::ManageMembers>,
    changes: &Changes,
    (user, role): (UserId, Role),
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    refuse_stale(granted)?;
    let (reply, changed) = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => (reply, None),
        Begun::Fresh(mut change) => {
            let done = ops::change_role(&mut change.tx, granted, with(changes), user, role).await?;
            let member = sql::get(&mut change.tx, &changes.notary, user).await?;
            let member = member.ok_or_else(|| Problem::new(Code::NotFound))?;
            let reply = Reply::ok(&member)?;
            match done {
                Some(recorded) => commit(*change, recorded, reply).await?,
                None => (reply, None),
            }
        }
    };
    changes.feed.barrier(changed).await?;
    Ok(reply)
}

/// Removes a member, and answers when no node lets them in any more.
///
/// # Errors
/// `not_found`, `step_up_required`, `last_owner`, `revocation_unconfirmed`.
pub async fn remove(
    granted: Granted<may::ManageMembers>,
    State(changes): State<Changes>,
    PathId(user): PathId<UserId>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    end(&granted.in_live(), &changes, user, request.idempotency).await
}

/// Removes a member; for the API and the console.
///
/// # Errors
/// As [`remove`].
pub async fn end(
    granted: &Granted<may::ManageMembers>,
    changes: &Changes,
    user: UserId,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    refuse_stale(granted)?;
    let (reply, changed) = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => (reply, None),
        Begun::Fresh(mut change) => {
            let recorded = ops::remove(&mut change.tx, granted, with(changes), user).await?;
            commit(*change, recorded, Reply::no_content()).await?
        }
    };
    changes.feed.barrier(changed).await?;
    Ok(reply)
}

/// Leaves the workspace.
///
/// # Errors
/// `last_owner`, `invalid_body`, `revocation_unconfirmed`.
pub async fn leave(
    granted: Granted<may::LeaveWorkspace>,
    State(changes): State<Changes>,
    request: Mutation<LeaveWorkspace>,
) -> Result<Reply, Problem> {
    go(&granted.in_live(), &changes, &request.body.confirm, request.idempotency).await
}

/// Leaves the workspace; for the API and the console.
///
/// # Errors
/// As [`leave`].
pub async fn go(
    granted: &Granted<may::LeaveWorkspace>,
    changes: &Changes,
    confirm: &str,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let Principal::Session(person) = granted.principal() else { return Err(Problem::new(Code::Forbidden)) };
    let (reply, changed) = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => (reply, None),
        Begun::Fresh(mut change) => {
            if workspaces::slug(&mut change.tx).await? != confirm.trim() {
                return Err(ChangeError::NotConfirmed.into());
            }
            let recorded = ops::leave(&mut change.tx, granted, with(changes), person.user()).await?;
            commit(*change, recorded, Reply::no_content()).await?
        }
    };
    changes.feed.barrier(changed).await?;
    Ok(reply)
}

/// Hands the workspace over: a member becomes an owner, and who hands it over an admin.
///
/// # Errors
/// `step_up_required`, `invalid_body`, `revocation_unconfirmed`.
pub async fn transfer(
    granted: Granted<may::ManageMembers>,
    State(changes): State<Changes>,
    request: Mutation<TransferWorkspace>,
) -> Result<Reply, Problem> {
    hand_over(&granted.in_live(), &changes, &request.body, request.idempotency).await
}

/// Hands the workspace over; for the API and the console.
///
/// # Errors
/// As [`transfer`].
pub async fn hand_over(
    granted: &Granted<may::ManageMembers>,
    changes: &Changes,
    wanted: &TransferWorkspace,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    refuse_stale(granted)?;
    let (reply, changed) = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => (reply, None),
        Begun::Fresh(mut change) => {
            let to = (wanted.to, wanted.confirm.as_str());
            let done = ops::transfer(&mut change.tx, granted, with(changes), to).await;
            let recorded = done.map_err(|error| match error {
                ChangeError::NoSuchMember => Problem::field("/to", "no_such_member", "Name a member of the workspace."),
                ChangeError::NotConfirmed => {
                    Problem::field("/confirm", "not_the_address", "Repeat the address of the member who is to own it.")
                }
                error => error.into(),
            })?;
            let member = sql::get(&mut change.tx, &changes.notary, wanted.to).await?;
            let member = member.ok_or_else(|| Problem::new(Code::NotFound))?;
            commit(*change, recorded, Reply::ok(&member)?).await?
        }
    };
    changes.feed.barrier(changed).await?;
    Ok(reply)
}

const fn with(changes: &Changes) -> With<'_> {
    With { notary: &changes.notary, entropy: &changes.entropy }
}

/// With the transaction's id, by which the barrier knows it.
async fn commit(
    mut change: Change,
    recorded: Recorded,
    reply: Reply,
) -> Result<(Reply, Option<crate::db::Xid>), Problem> {
    let changed = change.tx.xid().await?;
    Ok((change.commit(recorded, reply).await?, Some(changed)))
}

/// A browser that was left open, or a stolen session, takes nobody's place away and gives none.
///
/// # Errors
/// `step_up_required`.
pub(super) fn refuse_stale<P: Needs>(granted: &Granted<P>) -> Result<(), Problem> {
    if granted.is_stepped_up() { Ok(()) } else { Err(Problem::new(Code::StepUpRequired)) }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NoSuchMember => Self::new(Code::NotFound),
            ChangeError::LastOwner => Self::new(Code::LastOwner),
            ChangeError::NotConfirmed => Self::field("/confirm", "not_the_slug", "Repeat the workspace's slug here."),
            ChangeError::ToOneself => Self::field("/to", "oneself", "A workspace is handed over to somebody else."),
            ChangeError::Denied(denied) => denied.into(),
            ChangeError::Db(error) => error.into(),
        }
    }
}
