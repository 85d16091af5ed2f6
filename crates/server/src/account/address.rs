//! Another address: asked for by a person, confirmed by both addresses, in force when both have.

use serde_json::json;

use super::model::{
    AccountError, CHANGE_LIVES, CODE_TRIES, Confirmed, MERGED_FOR, MOST_IN_AN_HOUR, MOST_MAILED_TO_ONE, Side, Waiting,
    With,
};
use super::sql::{self, Change};
use crate::authz::{Notary, Person, SignedIn};
use crate::db::{DbError, OperationalPath, SystemTx};
use crate::identity::{self, EmailAddress, new_code};
use crate::ledger::{self, Action, Entry};
use crate::mail;
use crate::sessions::{self, Living};

/// Sends a code to each address; the change that waited before is given up. To an address that is somebody's goes another mail, which
/// has none, and nothing else differs.
///
/// # Errors
/// See [`AccountError`].
pub async fn ask(with: With<'_>, person: &SignedIn, wanted: &EmailAddress) -> Result<(), AccountError> {
    let With { changes, queue, context } = with;
    let (notary, entropy, now) = (&changes.notary, &changes.entropy, context.received_at);
    if !person.is_fresh(now) {
        return Err(AccountError::NotFresh);
    }
    let mut tx = changes.db.system_tx(OperationalPath::ChangeAddress).await?;
    let of = (person.user(), person.session());
    let Living { person: own, .. } =
        sessions::hold_living(&mut tx, notary, of, now).await?.ok_or(AccountError::Nobody)?;
    if own.email_key == wanted.key() {
        return Err(AccountError::SameAddress);
    }
    if sql::asked_since(&mut tx, own.user, now - time::Duration::hours(1)).await? >= MOST_IN_AN_HOUR {
        return Err(AccountError::TooOften);
    }
    let mut stamps = sql::give_up_waiting(&mut tx, notary, own.user, now).await?;
    let (id, until) = (entropy.uuid_v7(now), now + CHANGE_LIVES);
    let (old_code, new_code) = (new_code(entropy), new_code(entropy));
    let change = Change {
        id,
        user_id: own.user.uuid(),
        version: 1,
        old_email_key: own.email_key,
        new_email: wanted.as_str().to_owned(),
        new_email_key: wanted.key(),
        old_code_digest: notary.sign_code(&Side::Old.code_meaning(id, &old_code)),
        new_code_digest: notary.sign_code(&Side::New.code_meaning(id, &new_code)),
        expires_at: until,
        code_tries: 0,
        old_confirmed_at: None,
        new_confirmed_at: None,
        ended_at: None,
        mac: Vec::new(),
    };
    // Whoever is asked for from many accounts is told three times; nobody who asks can tell. The codes of those mails are good for all,
    // and so is that of whoever asks at this moment.
    let is_alone = sql::asks_alone(&mut tx, &change.new_email_key).await?;
    let mailed_lately = sql::mailed_since(&mut tx, &change.new_email_key, now - MERGED_FOR).await?;
    let is_held_back = !is_alone || mailed_lately >= MOST_MAILED_TO_ONE;
    stamps.push(sql::insert_change(&mut tx, notary, &change, (now, !is_held_back)).await?);
    let to_new = match sql::holder_of(&mut tx, &change.new_email_key).await? {
        Some(stored) => mail::address_is_yours(&stored),
        None => mail::confirm_new_address(&change.new_email, &new_code, until),
    };
    let to_old = mail::confirm_old_address(&own.email, &change.new_email, &old_code, until);
    for message in [to_old, to_new.held_back_if(is_held_back)] {
        mail::send(queue, &mut tx, &message, now).await?;
    }
    let entry = Entry::about(Action::AddressChangeRequested, own.user)
        .with(json!({"change": id, "by": person.session()}))
        .changing(stamps);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &own.user.to_string(), &entry).await?;
    Ok(tx.commit(recorded).await?)
}

/// The change that waits for its codes.
///
/// # Errors
/// [`DbError`].
pub async fn waiting(with: With<'_>, person: &SignedIn) -> Result<Option<Waiting>, DbError> {
    let mut tx = with.changes.db.system_tx(OperationalPath::ChangeAddress).await?;
    let found = sql::hold_waiting(&mut tx, &with.changes.notary, person.user(), with.context.received_at).await?;
    tx.finish_reading().await?;
    Ok(found.into_iter().next().filter(|change| change.code_tries < CODE_TRIES).map(|change| Waiting {
        new_email: change.new_email,
        old_confirmed: change.old_confirmed_at.is_some(),
        new_confirmed: change.new_confirmed_at.is_some(),
        expires_at: change.expires_at,
    }))
}

/// Takes a code, of whichever address; with the second the address is the other one, on every node.
///
/// # Errors
/// See [`AccountError`].
pub async fn confirm(with: With<'_>, person: &SignedIn, code: &str) -> Result<Confirmed, AccountError> {
    let With { changes, context, .. } = with;
    let (notary, entropy, now) = (&changes.notary, &changes.entropy, context.received_at);
    let mut tx = changes.db.system_tx(OperationalPath::ChangeAddress).await?;
    let of = (person.user(), person.session());
    let Living { person: own, .. } =
        sessions::hold_living(&mut tx, notary, of, now).await?.ok_or(AccountError::Nobody)?;
    let waiting = sql::hold_waiting(&mut tx, notary, person.user(), now).await?.into_iter().next();
    let mut change = waiting.filter(|change| change.code_tries < CODE_TRIES).ok_or(AccountError::NothingWaits)?;
    let side = side_of(&mut tx, notary, &change, code).await?;
    match side {
        Some(Side::Old) => change.old_confirmed_at = change.old_confirmed_at.or(Some(now)),
        Some(Side::New) => change.new_confirmed_at = change.new_confirmed_at.or(Some(now)),
        None => change.code_tries += 1,
    }
    if change.old_confirmed_at.is_some() && change.new_confirmed_at.is_some() {
        take_effect(with, tx, own, change).await?;
        return Ok(Confirmed::Both);
    }
    let id = change.id;
    let stamp = sql::keep_change(&mut tx, notary, &mut change).await?;
    let (action, told) = match side {
        Some(side) => (Action::AddressConfirmed, json!({"change": id, "address": side.word()})),
        None => (Action::AddressCodeFailed, json!({"change": id, "try": change.code_tries})),
    };
    let entry = Entry::about(action, person.user()).with(told).changing([stamp]);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &person.user().to_string(), &entry).await?;
    tx.commit(recorded).await?;
    side.map(|_| Confirmed::One).ok_or(AccountError::WrongCode)
}

/// Which address the code went to. To the new one it may have gone for an earlier change, whoever's: with however many mails held back,
/// whoever reads that mailbox has the code of the newest.
async fn side_of(tx: &mut SystemTx, notary: &Notary, change: &Change, code: &str) -> Result<Option<Side>, DbError> {
    if notary.knows_code(&Side::Old.code_meaning(change.id, code), &change.old_code_digest).await? {
        return Ok(Some(Side::Old));
    }
    let own = (change.id, change.new_code_digest.clone());
    let mut found = None;
    for (id, digest) in std::iter::once(own).chain(sql::mailed_codes(tx, notary, change).await?) {
        if notary.knows_code(&Side::New.code_meaning(id, code), &digest).await? {
            found = Some(Side::New);
        }
    }
    Ok(found)
}

async fn take_effect(
    with: With<'_>,
    mut tx: SystemTx,
    mut own: Person,
    mut change: Change,
) -> Result<(), AccountError> {
    let With { changes, queue, context } = with;
    let (notary, entropy, now) = (&changes.notary, &changes.entropy, context.received_at);
    if own.email_key != change.old_email_key {
        return Err(AccountError::NothingWaits);
    }
    let before = std::mem::replace(&mut own.email, change.new_email.clone());
    let mut stamps = identity::void_challenges(&mut tx, notary, &change.old_email_key, now).await?;
    own.email_key = change.new_email_key.clone();
    let changed = own.keep(&mut tx, notary).await;
    stamps.push(changed.map_err(|error| match error.constraint() {
        Some("users_email_key") => AccountError::Taken,
        _ => error.into(),
    })?);
    change.ended_at = Some(now);
    stamps.push(sql::keep_change(&mut tx, notary, &mut change).await?);
    mail::send(queue, &mut tx, &mail::address_changed(&before, &change.new_email), now).await?;
    let entry = Entry::about(Action::AddressChanged, own.user).with(json!({"change": change.id})).changing(stamps);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &own.user.to_string(), &entry).await?;
    let xid = tx.xid().await?;
    tx.commit(recorded).await?;
    Ok(changes.feed.barrier(Some(xid)).await?)
}
