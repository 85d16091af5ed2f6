//! The end of an account, by its person.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::log::Log;
use serde_json::json;

use super::model::{AccountError, With};
use super::sql::{self, Member};
use crate::authz::SignedIn;
use crate::db::{OperationalPath, SystemTx};
use crate::factors;
use crate::identity;
use crate::ledger::{self, Action, Entry};
use crate::mail;
use crate::passkeys;
use crate::sessions::{self, EndedAll, Living};

/// What stands where an address was: none, for an address has an `@`.
const NO_ADDRESS: &str = "deleted";

/// Deletes the person's account once they have typed their address; when this is answered no node lets them in.
///
/// # Errors
/// See [`AccountError`].
pub async fn delete(with: With<'_>, person: &SignedIn, typed: &str) -> Result<(), AccountError> {
    let With { changes, queue, context } = with;
    let (notary, entropy, now) = (&changes.notary, &changes.entropy, context.received_at);
    if !person.is_fresh(now) {
        return Err(AccountError::NotFresh);
    }
    let mut tx = changes.db.system_tx(OperationalPath::DeleteAccount).await?;
    // Whoever takes an invitation at this moment comes before, and is in that workspace, or after, and is nobody.
    let of = (person.user(), person.session());
    let Living { person: mut own, .. } =
        sessions::hold_living(&mut tx, notary, of, now).await?.ok_or(AccountError::Nobody)?;
    if !own.email.eq_ignore_ascii_case(typed.trim()) {
        return Err(AccountError::NotConfirmed);
    }
    let left = leave_all(with, &mut tx, person).await?;
    let EndedAll { count: sessions_ended, mut stamps } =
        sessions::end_all_within(&mut tx, notary, &mut own, None, now).await?;
    stamps.extend(identity::void_challenges(&mut tx, notary, &own.email_key, now).await?);
    stamps.extend(passkeys::remove_all(&mut tx, notary, &own, now).await?);
    stamps.extend(factors::remove_all(&mut tx, notary, &mut own, now).await?.1);
    stamps.extend(sql::give_up_waiting(&mut tx, notary, own.user, now).await?);
    let address = std::mem::replace(&mut own.email, NO_ADDRESS.to_owned());
    own.email_key = format!("{NO_ADDRESS} {}", own.user.uuid());
    own.suspended_at = Some(now);
    stamps.push(own.keep(&mut tx, notary).await?);
    mail::send(queue, &mut tx, &mail::account_deleted(&address), now).await?;
    let entry = Entry::about(Action::AccountDeleted, own.user)
        .with(json!({"by": person.session(), "workspaces_left": left, "sessions_ended": sessions_ended}))
        .changing(stamps);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &own.user.to_string(), &entry).await?;
    let xid = tx.xid().await?;
    tx.commit(recorded).await?;
    Ok(changes.feed.barrier(Some(xid)).await?)
}

/// Ends all memberships, with an entry in each workspace's log, unless one of them cannot be without this person; answers how many.
async fn leave_all(with: With<'_>, tx: &mut SystemTx, person: &SignedIn) -> Result<usize, AccountError> {
    let notary = &with.changes.notary;
    let (mut members, mut without_owner) = (Vec::new(), Vec::new());
    for workspace in sql::workspaces_of(tx, person.user()).await? {
        sql::lock_people(tx, workspace).await?;
        if let Some((member, last_of)) = sql::member(tx, notary, (person.user(), workspace)).await? {
            without_owner.extend(last_of);
            members.push(member);
        }
    }
    if !without_owner.is_empty() {
        return Err(AccountError::LastOwner(without_owner));
    }
    for member in &members {
        leave(with, tx, person, member).await?;
    }
    Ok(members.len())
}

async fn leave(with: With<'_>, tx: &mut SystemTx, person: &SignedIn, member: &Member) -> Result<(), AccountError> {
    let With { changes, context, .. } = with;
    let (user, now, workspace) = (person.user(), context.received_at, member.workspace);
    let mut stamps = vec![sql::end_member(tx, &changes.notary, (user, member), now).await?];
    stamps.extend(sql::revoke_invitations(tx, &changes.notary, (user, workspace), now).await?);
    let entry = Entry::about(Action::MemberLeft, user).with(json!({"role": member.role})).changing(stamps);
    let log = Log::Workspace { workspace, environment: Environment::Live };
    let actor = user.to_string();
    // What commits is the entry of the account's own end; this one stands in the same transaction.
    let (_, _recorded) = ledger::stage_for(tx, &changes.entropy, context, log, (&actor, &entry)).await?;
    Ok(())
}
