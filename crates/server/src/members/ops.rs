//! Other roles, removal, leaving, and handing a workspace over: the change and its entry in one transaction.
//!
//! # Invariants
//! - Whoever changes who belongs to a workspace holds its lock ([`sql::lock_people`]), and only then is their own membership
//!   read again: what they may do, and who is the last owner, is what it is at that moment.
//! - A workspace has an owner, always: one who is not suspended.
//! - Whoever stops being an owner takes back what they have offered as one: their open invitations.

use bailiwick_proof::id::UserId;
use serde_json::json;

use super::{invitations, sql};
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Denied, Granted, Notary, Permission, Role, may};
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};

/// What a change is made with.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) notary: &'a Notary,
    pub(super) entropy: &'a Entropy,
}

/// Why nothing of a membership was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such member.
    #[error("no such member")]
    NoSuchMember,
    /// A workspace has an owner, always.
    #[error("the last owner stays one")]
    LastOwner,
    /// What was typed to confirm it is something else.
    #[error("it was not confirmed")]
    NotConfirmed,
    /// A workspace is handed over to somebody else.
    #[error("that is the owner themselves")]
    ToOneself,
    /// Who asks lost the right meanwhile, or the lookup failed.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Gives a member another role; `None` if it is the one that they have.
pub(super) async fn change_role(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::ManageMembers>,
    with: With<'_>,
    user: UserId,
    role: Role,
) -> Result<Option<Recorded>, ChangeError> {
    sql::lock_people(tx).await?;
    granted.ceiling(tx, with.notary).await?;
    let held = sql::hold(tx, with.notary, user).await?.ok_or(ChangeError::NoSuchMember)?;
    if held.role == role {
        return Ok(None);
    }
    refuse_last_owner(tx, with.notary, &held).await?;
    let mut stamps = vec![sql::set_role(tx, with.notary, &held, role).await?];
    if !role.permissions().contains(Permission::ManageMembers) {
        stamps.extend(take_back(tx, with.notary, user).await?);
    }
    let words = json!({"from": held.role.as_str(), "to": role.as_str()});
    Ok(Some(recorded(tx, with, Action::MemberRoleChanged, user, words, stamps)))
}

/// Ends somebody's membership; one's own too.
pub(super) async fn remove(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::ManageMembers>,
    with: With<'_>,
    user: UserId,
) -> Result<Recorded, ChangeError> {
    sql::lock_people(tx).await?;
    granted.ceiling(tx, with.notary).await?;
    let own = granted.principal().id() == user.uuid();
    end(tx, with, user, if own { Action::MemberLeft } else { Action::MemberRemoved }).await
}

/// Ends one's own membership.
pub(super) async fn leave(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::LeaveWorkspace>,
    with: With<'_>,
    user: UserId,
) -> Result<Recorded, ChangeError> {
    sql::lock_people(tx).await?;
    granted.ceiling(tx, with.notary).await?;
    end(tx, with, user, Action::MemberLeft).await
}

async fn end(tx: &mut WorkspaceTx, with: With<'_>, user: UserId, action: Action) -> Result<Recorded, ChangeError> {
    let (role, stamp) = match sql::hold(tx, with.notary, user).await? {
        Some(held) => {
            refuse_last_owner(tx, with.notary, &held).await?;
            (Some(held.role), sql::end(tx, with.notary, &held).await?)
        }
        // They are none, but what stands there might be put back as it was.
        None => sql::end_unvouched(tx, with.notary, user).await?.ok_or(ChangeError::NoSuchMember)?,
    };
    let mut stamps = vec![stamp];
    stamps.extend(take_back(tx, with.notary, user).await?);
    Ok(recorded(tx, with, action, user, json!({"role": role.map(Role::as_str)}), stamps))
}

/// Hands the workspace over: that member becomes an owner, and who hands it over an admin, both or neither.
pub(super) async fn transfer(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::ManageMembers>,
    with: With<'_>,
    (to, confirm): (UserId, &str),
) -> Result<Recorded, ChangeError> {
    sql::lock_people(tx).await?;
    granted.ceiling(tx, with.notary).await?;
    let from = UserId::from_uuid(granted.principal().id());
    if from == to {
        return Err(ChangeError::ToOneself);
    }
    let heir = sql::hold(tx, with.notary, to).await?.ok_or(ChangeError::NoSuchMember)?;
    let owner = sql::hold(tx, with.notary, from).await?.ok_or(ChangeError::NoSuchMember)?;
    let address = sql::get(tx, with.notary, to).await?.ok_or(ChangeError::NoSuchMember)?.email;
    if !address.eq_ignore_ascii_case(confirm.trim()) {
        return Err(ChangeError::NotConfirmed);
    }
    let mut stamps = vec![sql::set_role(tx, with.notary, &owner, Role::Admin).await?];
    if heir.role != Role::Owner {
        stamps.push(sql::set_role(tx, with.notary, &heir, Role::Owner).await?);
    }
    refuse_without_owner(tx, with.notary, from).await?;
    stamps.extend(take_back(tx, with.notary, from).await?);
    let words = json!({"from": from.to_string(), "was": heir.role.as_str()});
    Ok(recorded(tx, with, Action::WorkspaceTransferred, to, words, stamps))
}

async fn refuse_last_owner(tx: &mut WorkspaceTx, notary: &Notary, held: &sql::Held) -> Result<(), ChangeError> {
    if held.role == Role::Owner { refuse_without_owner(tx, notary, held.user).await } else { Ok(()) }
}

/// Whether somebody else owns the workspace who is let in.
async fn refuse_without_owner(tx: &mut WorkspaceTx, notary: &Notary, user: UserId) -> Result<(), ChangeError> {
    if sql::has_other_owner(tx, notary, user).await? { Ok(()) } else { Err(ChangeError::LastOwner) }
}

/// What somebody has offered as an owner is worth nothing when they are none: say so, and let another owner invite again.
async fn take_back(tx: &mut WorkspaceTx, notary: &Notary, user: UserId) -> Result<Vec<Stamp>, DbError> {
    invitations::revoke_of(tx, notary, user).await
}

fn recorded(
    tx: &mut WorkspaceTx,
    with: With<'_>,
    action: Action,
    user: UserId,
    words: serde_json::Value,
    stamps: Vec<Stamp>,
) -> Recorded {
    ledger::stage(tx, with.entropy, Entry::about(action, user).with(words).changing(stamps))
}
