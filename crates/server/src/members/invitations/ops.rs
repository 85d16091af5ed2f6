//! Invite, send again, revoke.

use bailiwick_proof::id::InvitationId;
use serde_json::json;

use super::model::{CreateInvitation, Invitation, LIVES, MOST_OPEN, SENT_JUST_NOW, Token};
use super::sql::{self, Row};
use crate::authz::may::Needs;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Denied, Granted, Notary, Role, may};
use crate::config::PublicUrl;
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::jobs::{EnqueueError, Queue};
use crate::ledger::{self, Action, Entry};
use crate::mail;
use crate::members::{MailMember, sql as people};

/// What an invitation is made and sent with.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) notary: &'a Notary,
    pub(super) entropy: &'a Entropy,
    pub(super) queue: &'a Queue,
    pub(super) public_url: &'a PublicUrl,
    /// Who asks, as they are called in the mail.
    pub(super) inviter: &'a str,
}

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// The address belongs to a member.
    #[error("the address belongs to a member")]
    AlreadyMember,
    /// The address has an invitation that can be taken.
    #[error("the address was invited already")]
    AlreadyInvited(InvitationId),
    /// Too many are open.
    #[error("too many invitations are open")]
    TooMany,
    /// The role has more than its giver.
    #[error("the role has more than its giver")]
    BeyondMaker,
    /// There is no such invitation, or none that is open.
    #[error("no such invitation")]
    NoSuchInvitation,
    /// Who asks lost the right meanwhile, or the lookup failed.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The mail could not be handed over.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Nobody offers more than they have, at this moment.
async fn demand_within<P: Needs>(
    tx: &mut WorkspaceTx,
    granted: &Granted<P>,
    notary: &Notary,
    role: Role,
) -> Result<(), InviteError> {
    people::lock_people(tx).await?;
    let (permissions, _) = granted.ceiling(tx, notary).await?;
    if permissions.includes(role.permissions()) { Ok(()) } else { Err(InviteError::BeyondMaker) }
}

/// Offers a role to an address, and has the mail sent.
pub(super) async fn create(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::ManageMembers>,
    with: With<'_>,
    new: &CreateInvitation,
) -> Result<(Invitation, Recorded), InviteError> {
    let now = tx.context().received_at;
    demand_within(tx, granted, with.notary, new.role).await?;
    sql::drop_old(tx).await?;
    let email_key = new.email.key();
    if people::has_address(tx, with.notary, &email_key).await? {
        return Err(InviteError::AlreadyMember);
    }
    let (open, count) = sql::open_of(tx, &email_key).await?;
    let mut stamps = Vec::new();
    if let Some(before) = open {
        stamps.extend(make_room(tx, with.notary, before).await?);
    } else if count >= i64::try_from(MOST_OPEN).unwrap_or(i64::MAX) {
        return Err(InviteError::TooMany);
    }
    let token = Token::new(with.entropy);
    let row = Row {
        workspace_id: tx.workspace().uuid(),
        id: with.entropy.uuid_v7(now),
        email: new.email.as_str().to_owned(),
        email_key,
        role: new.role.as_str().to_owned(),
        token_digest: token.digest().bytes().to_vec(),
        invited_by: granted.principal().id(),
        created_at: now,
        sent_at: now,
        expires_at: now + LIVES,
        accepted_at: None,
        revoked_at: None,
        version: 1,
        mac: Vec::new(),
    };
    stamps.push(sql::insert(tx, with.notary, &row).await?);
    send(tx, with, &row, &token).await?;
    let invitation = row.shown(now).ok_or(InviteError::NoSuchInvitation)?;
    let entry = Entry::about(Action::InvitationCreated, invitation.id).with(json!({"role": row.role})).changing(stamps);
    Ok((invitation, ledger::stage(tx, with.entropy, entry)))
}

/// One whose time is over makes room for another, and so does a row that nobody vouches for.
async fn make_room(tx: &mut WorkspaceTx, notary: &Notary, before: InvitationId) -> Result<Option<Stamp>, InviteError> {
    let now = tx.context().received_at;
    match sql::hold(tx, notary, before).await? {
        Some(row) if row.is_good(now) => Err(InviteError::AlreadyInvited(before)),
        Some(mut row) => {
            row.revoked_at = Some(now);
            Ok(Some(sql::keep(tx, notary, &mut row).await?))
        }
        None => Ok(sql::revoke_unvouched(tx, notary, before).await?),
    }
}

/// Sends it again, with another token and another week; from now on it is the offer of whoever has it sent. `None` when it
/// was sent just now.
pub(super) async fn resend(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::ManageMembers>,
    with: With<'_>,
    invitation: InvitationId,
) -> Result<(Invitation, Option<Recorded>), InviteError> {
    let now = tx.context().received_at;
    people::lock_people(tx).await?;
    let held = sql::hold(tx, with.notary, invitation).await?.filter(Row::is_open);
    let mut row = held.ok_or(InviteError::NoSuchInvitation)?;
    let role = row.role().ok_or(InviteError::NoSuchInvitation)?;
    demand_within(tx, granted, with.notary, role).await?;
    if now - row.sent_at < SENT_JUST_NOW {
        return Ok((row.shown(now).ok_or(InviteError::NoSuchInvitation)?, None));
    }
    let token = Token::new(with.entropy);
    row.token_digest = token.digest().bytes().to_vec();
    row.invited_by = granted.principal().id();
    (row.sent_at, row.expires_at) = (now, now + LIVES);
    let stamp = sql::keep(tx, with.notary, &mut row).await?;
    send(tx, with, &row, &token).await?;
    let shown = row.shown(now).ok_or(InviteError::NoSuchInvitation)?;
    let entry = Entry::about(Action::InvitationResent, invitation).with(json!({"role": row.role})).changing([stamp]);
    Ok((shown, Some(ledger::stage(tx, with.entropy, entry))))
}

/// Takes an offer back; `None` if it was taken back before.
pub(super) async fn revoke(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::ManageMembers>,
    (notary, entropy): (&Notary, &Entropy),
    invitation: InvitationId,
) -> Result<Option<Recorded>, InviteError> {
    people::lock_people(tx).await?;
    granted.ceiling(tx, notary).await?;
    let Some(mut row) = sql::hold(tx, notary, invitation).await? else {
        // It offers nothing, but what stands there might be put back as it was.
        let stamp = sql::revoke_unvouched(tx, notary, invitation).await?.ok_or(InviteError::NoSuchInvitation)?;
        let entry = Entry::about(Action::InvitationRevoked, invitation).changing([stamp]);
        return Ok(Some(ledger::stage(tx, entropy, entry)));
    };
    if row.accepted_at.is_some() {
        return Err(InviteError::NoSuchInvitation);
    }
    if row.revoked_at.is_some() {
        return Ok(None);
    }
    row.revoked_at = Some(tx.context().received_at);
    let stamp = sql::keep(tx, notary, &mut row).await?;
    let entry = Entry::about(Action::InvitationRevoked, invitation).with(json!({"role": row.role})).changing([stamp]);
    Ok(Some(ledger::stage(tx, entropy, entry)))
}

async fn send(tx: &mut WorkspaceTx, with: With<'_>, row: &Row, token: &Token) -> Result<(), InviteError> {
    let workspace = sql::workspace_name(tx).await?;
    let link = with.public_url.join(&format!("/auth/invitation?token={}", token.text()));
    let message = mail::invitation(&mail::Invited {
        to: &row.email,
        workspace: &workspace,
        inviter: with.inviter,
        role: &row.role,
        link: &link,
        expires_at: row.expires_at,
    });
    with.queue.enqueue::<MailMember>(tx, &message).await?;
    Ok(())
}
