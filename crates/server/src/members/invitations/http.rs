//! `/v1/workspaces/{workspace}/invitations`.

use axum::extract::State;
use bailiwick_proof::id::InvitationId;
use serde_json::json;

use super::model::{CreateInvitation, Invitation};
use super::ops::{self, InviteError, With};
use super::sql;
use crate::authz::{Granted, Permission, Principal, may};
use crate::config::PublicUrl;
use crate::db::{Authority as _, Db};
use crate::http::{
    Begun, Change, Changes, Code, Idempotency, Json, ListQuery, Mutation, Nothing, Page, PathId, Problem, Query, Reply,
};
use crate::identity::EmailAddress;
use crate::jobs::Queue;
use crate::limits::{Limited, Limits};
use crate::members::http::refuse_stale;

/// Tells this list's cursors from others'.
const LIST: u8 = 25;

/// What leads from a request to a mail.
#[derive(Clone)]
pub struct Post {
    /// Takes the mail.
    pub queue: Queue,
    /// What its link begins with.
    pub public_url: PublicUrl,
    /// Says how many may go out.
    pub limits: Limits,
}

/// Invites an address.
///
/// # Errors
/// `step_up_required` for a role that manages members or more, `already_member`, `already_invited`, `invalid_body`, `rate_limited`.
pub async fn create(
    granted: Granted<may::ManageMembers>,
    State(changes): State<Changes>,
    State(post): State<Post>,
    request: Mutation<CreateInvitation>,
) -> Result<Reply, Problem> {
    invite(&granted.in_live(), &changes, &post, &request.body, request.idempotency).await
}

/// Invites an address once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`create`].
pub async fn invite(
    granted: &Granted<may::ManageMembers>,
    changes: &Changes,
    post: &Post,
    new: &CreateInvitation,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    // Or a browser that was left open would make somebody an owner, or whoever hands out keys.
    if new.role.permissions().contains(Permission::CreateKey) {
        refuse_stale(granted)?;
    }
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    allow_change(granted, &change, post)?;
    let with = with(granted, changes, post);
    let (invitation, recorded) = ops::create(&mut change.tx, granted, with, new).await?;
    allow_mail(granted, &change, post, &invitation)?;
    let location = format!("/v1/workspaces/{}/invitations/{}", granted.workspace(), invitation.id);
    change.commit(recorded, Reply::created(location, &invitation)?).await
}

/// Everybody owns what they found, so whoever is signed in can invite: not more often than anything else that they do.
fn allow_change(granted: &Granted<may::ManageMembers>, change: &Change, post: &Post) -> Result<(), Limited> {
    match granted.principal() {
        Principal::Session(person) => post.limits.change(change.tx.context(), person.user()).map(drop),
        Principal::Key(_) => Ok(()),
    }
}

/// Whether this one mail may go out, which waits for the commit.
fn allow_mail(
    granted: &Granted<may::ManageMembers>,
    change: &Change,
    post: &Post,
    invitation: &Invitation,
) -> Result<(), Limited> {
    let key = invitation.email.parse::<EmailAddress>().map(|email| email.key());
    let key = key.unwrap_or_else(|_| invitation.email.clone());
    post.limits.invite(change.tx.context(), granted.principal().id(), &key)
}

fn with<'a>(granted: &'a Granted<may::ManageMembers>, changes: &'a Changes, post: &'a Post) -> With<'a> {
    let inviter = match granted.principal() {
        Principal::Session(person) => person.email(),
        Principal::Key(_) => "",
    };
    let Post { queue, public_url, .. } = post;
    With { notary: &changes.notary, entropy: &changes.entropy, queue, public_url, inviter }
}

/// Invitations that were neither taken nor revoked, the newest first.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadInvitations>,
    State(db): State<Db>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Invitation>>, Problem> {
    page(&granted, &db, &query).await.map(Json)
}

/// A page of invitations; for the API and the console.
///
/// # Errors
/// As [`list`].
pub async fn page<P: may::Needs>(
    granted: &Granted<P>,
    db: &Db,
    query: &ListQuery,
) -> Result<Page<Invitation>, Problem> {
    let (limit, after) = (query.limit()?, query.after(LIST)?);
    let mut tx = db.workspace_tx(granted).await?;
    let now = tx.context().received_at;
    let rows = sql::list(&mut tx, after, limit).await?;
    tx.finish_reading().await?;
    let page = Page::cut(rows, limit, LIST, |row| row.id);
    let data = page.data.iter().filter_map(|row| row.shown(now)).collect();
    Ok(Page { data, next_cursor: page.next_cursor })
}

/// Sends an invitation again: the mail before is worth nothing from then on.
///
/// # Errors
/// `not_found`, `step_up_required`, `rate_limited`.
pub async fn resend(
    granted: Granted<may::ManageMembers>,
    State(changes): State<Changes>,
    State(post): State<Post>,
    PathId(invitation): PathId<InvitationId>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    send_again(&granted.in_live(), &changes, &post, invitation, request.idempotency).await
}

/// Sends it again; for the API and the console.
///
/// # Errors
/// As [`resend`].
pub async fn send_again(
    granted: &Granted<may::ManageMembers>,
    changes: &Changes,
    post: &Post,
    invitation: InvitationId,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    allow_change(granted, &change, post)?;
    let (invitation, recorded) = ops::resend(&mut change.tx, granted, with(granted, changes, post), invitation).await?;
    if invitation.role.permissions().contains(Permission::CreateKey) {
        refuse_stale(granted)?;
    }
    let reply = Reply::ok(&invitation)?;
    match recorded {
        Some(recorded) => {
            allow_mail(granted, &change, post, &invitation)?;
            change.commit(recorded, reply).await
        }
        None => Ok(reply),
    }
}

/// Revokes an invitation. Again is no error and changes nothing.
///
/// # Errors
/// `not_found`, also for one that was taken.
pub async fn revoke(
    granted: Granted<may::ManageMembers>,
    State(changes): State<Changes>,
    PathId(invitation): PathId<InvitationId>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    end(&granted.in_live(), &changes, invitation, request.idempotency).await
}

/// Revokes it; for the API and the console. Invitations are in nobody's memory: there is nobody to wait for.
///
/// # Errors
/// As [`revoke`].
pub async fn end(
    granted: &Granted<may::ManageMembers>,
    changes: &Changes,
    invitation: InvitationId,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let with = (&changes.notary, &changes.entropy);
    match ops::revoke(&mut change.tx, granted, with, invitation).await? {
        Some(recorded) => change.commit(recorded, Reply::no_content()).await,
        None => Ok(Reply::no_content()),
    }
}

impl From<InviteError> for Problem {
    fn from(error: InviteError) -> Self {
        match error {
            InviteError::AlreadyMember => Self::new(Code::AlreadyMember),
            InviteError::AlreadyInvited(before) => {
                Self::new(Code::AlreadyInvited).member("invitation_id", json!(before.to_string()))
            }
            InviteError::TooMany => {
                Self::field("", "too_many", "A hundred invitations are open. Revoke those that nobody takes.")
            }
            InviteError::BeyondMaker => Self::new(Code::BeyondOwnAuthority),
            InviteError::NoSuchInvitation => Self::new(Code::NotFound),
            InviteError::Denied(denied) => denied.into(),
            InviteError::Enqueue(error) => error.into(),
            InviteError::Db(error) => error.into(),
        }
    }
}
