//! A person's own passkeys: add, list, name, remove.

use bailiwick_proof::id::{PasskeyId, UserId};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;
use webauthn_rs::prelude::RegisterPublicKeyCredential;

use super::ceremony::{self, Asked};
use super::model::{MOST_PASSKEYS, Passkey, PasskeyRefusal, RegisterPasskey, RegisteredPasskey};
use super::ops::{Begun, Bench, With, place, told};
use super::party::Newcomer;
use super::sql::{self, Row};
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Person, SignedIn};
use crate::context::RequestContext;
use crate::db::{DbError, OperationalPath, SystemTx};
use crate::factors;
use crate::http::Changes;
use crate::ledger::{self, Action, Entry};
use crate::mail::FactorNews;
use crate::name::Name;
use crate::sessions::SignInMethod;
use crate::vault::{Owner, RowId};

/// A credential's id has so many bytes at most (`WebAuthn` 5.1).
const MOST_ID_BYTES: usize = 1_023;

/// Asks a person's authenticator for a passkey that it does not have yet.
///
/// # Errors
/// See [`PasskeyRefusal`].
pub(super) async fn begin(bench: &Bench, context: &RequestContext, person: &SignedIn) -> Result<Begun, PasskeyRefusal> {
    demand_fresh(context, person)?;
    let changes = &bench.changes;
    let own = own(changes, person).await?;
    if own.len() >= MOST_PASSKEYS {
        return Err(PasskeyRefusal::Full);
    }
    // One handle for all: an authenticator that knows a person by it keeps one passkey of theirs for us, and not several.
    let known = own.first().map(|passkey| passkey.user_handle);
    let user_handle = known.unwrap_or_else(|| Uuid::from_bytes(changes.entropy.bytes()));
    let ids = own.into_iter().map(|passkey| passkey.credential_id).collect();
    let newcomer = Newcomer { user_handle, email: person.email(), own: ids };
    let (options, challenge) = bench.party.ask_to_make(newcomer)?;
    let asked = Asked::Register { session: person.session().uuid(), user_handle, challenge };
    let ceremony = ceremony::keep(changes, OperationalPath::ManageFactors, asked, context.received_at).await?;
    Ok(Begun { ceremony, options })
}

/// Keeps what the authenticator has made, with its entry and its mail.
///
/// # Errors
/// See [`PasskeyRefusal`].
pub(super) async fn register(
    with: With<'_>,
    person: &SignedIn,
    body: &RegisterPasskey,
) -> Result<RegisteredPasskey, PasskeyRefusal> {
    let With { bench: Bench { changes, party, .. }, context, .. } = with;
    demand_fresh(context, person)?;
    let (path, now) = (OperationalPath::ManageFactors, context.received_at);
    let taken = ceremony::take(changes, path, &body.ceremony, now).await?;
    let (asked, user_handle) = taken.for_registration(person)?;
    let answer: RegisterPublicKeyCredential =
        serde_json::from_value(body.credential.clone()).map_err(|_| PasskeyRefusal::Failed)?;
    let made = party.look_at_made(&asked, &answer)?;
    if made.credential_id.is_empty() || made.credential_id.len() > MOST_ID_BYTES {
        return Err(PasskeyRefusal::Failed);
    }
    let id = changes.entropy.uuid_v7(now);
    let at = RowId::new().uuid(id);
    let sealed = changes.vault.seal(Owner::Cell, &place(&at), &made.credential).await?;
    let row = Row {
        id,
        user_id: person.user().uuid(),
        name: body.name.as_str().to_owned(),
        credential_id: made.credential_id,
        user_handle,
        counter: made.counter.into(),
        backup_eligible: made.backup_eligible,
        backed_up: made.backed_up,
        created_at: now,
        last_used_at: None,
        removed_at: None,
        version: 1,
        epoch: 0,
        mac: Vec::new(),
    };
    keep(with, person, row, &sealed).await
}

async fn keep(
    with: With<'_>,
    person: &SignedIn,
    mut row: Row,
    sealed: &[u8],
) -> Result<RegisteredPasskey, PasskeyRefusal> {
    let With { bench: Bench { changes, tokens, .. }, context, .. } = with;
    let (notary, user, now) = (&changes.notary, person.user(), context.received_at);
    let mut tx = changes.db.system_tx(OperationalPath::ManageFactors).await?;
    let mut own = factors::own_person(&mut tx, notary, person, now).await?;
    if sql::of_person(&mut tx, notary, &own).await?.len() >= MOST_PASSKEYS {
        return Err(PasskeyRefusal::Full);
    }
    row.epoch = own.factor_epoch;
    let added = sql::insert(&mut tx, notary, &row, sealed).await?.ok_or(PasskeyRefusal::Failed)?;
    let hands = with.hands();
    let first = factors::first_factor(&mut tx, &hands, (person, &mut own), SignInMethod::Passkey).await?;
    factors::tell(&hands, &mut tx, &own.email, FactorNews::Added { what: "A passkey", name: &row.name }).await?;
    let meta = json!({"kind": "passkey", "first": first.session.is_some(), "synced": row.backup_eligible});
    let stamps = first.all_stamps().into_iter().chain([added]);
    let entry = Entry::about(Action::FactorAdded, told(row.id)).with(meta).changing(stamps);
    record(with, tx, user, &entry).await?;
    let tokens = first.session.map(|new| new.opened.tokens(tokens, now).map_err(PasskeyRefusal::Sign));
    Ok(RegisteredPasskey { passkey: row.told(), recovery_codes: first.recovery_codes, tokens: tokens.transpose()? })
}

/// Commits with the entry, and resolves when every node knows.
async fn record(with: With<'_>, mut tx: SystemTx, user: UserId, entry: &Entry) -> Result<(), PasskeyRefusal> {
    let With { bench: Bench { changes, .. }, context, .. } = with;
    let recorded = ledger::stage_in_cell(&mut tx, &changes.entropy, context, &user.to_string(), entry).await?;
    let changed = tx.xid().await?;
    tx.commit(recorded).await?;
    Ok(changes.feed.barrier(Some(changed)).await?)
}

/// All of a person's own, the oldest first.
///
/// # Errors
/// [`DbError`].
pub(super) async fn list(bench: &Bench, person: &SignedIn) -> Result<Vec<Passkey>, DbError> {
    Ok(own(&bench.changes, person).await?.iter().map(Row::told).collect())
}

/// Gives one another name.
///
/// # Errors
/// See [`PasskeyRefusal`].
pub(super) async fn rename(
    bench: &Bench,
    context: &RequestContext,
    person: &SignedIn,
    id: PasskeyId,
    name: &Name,
) -> Result<Passkey, PasskeyRefusal> {
    let Changes { db, notary, entropy, .. } = &bench.changes;
    let mut tx = db.system_tx(OperationalPath::ManageFactors).await?;
    let own = Person::look(&mut tx, notary, person.user()).await?.ok_or(PasskeyRefusal::NotFound)?;
    let mut row = own_one(&mut tx, notary, &own, id).await?;
    name.as_str().clone_into(&mut row.name);
    sql::rename(&mut tx, row.id, &row.name).await?;
    let entry = Entry::about(Action::PasskeyRenamed, id);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &person.user().to_string(), &entry).await?;
    tx.commit(recorded).await?;
    Ok(row.told())
}

/// Removes one, unless it is the last factor of somebody who needs one.
///
/// # Errors
/// See [`PasskeyRefusal`].
pub(super) async fn remove(with: With<'_>, person: &SignedIn, id: PasskeyId) -> Result<(), PasskeyRefusal> {
    let With { bench: Bench { changes, .. }, context, .. } = with;
    demand_fresh(context, person)?;
    let (notary, user, now) = (&changes.notary, person.user(), context.received_at);
    let mut tx = changes.db.system_tx(OperationalPath::ManageFactors).await?;
    let mut own = factors::own_person(&mut tx, notary, person, now).await?;
    let row = own_one(&mut tx, notary, &own, id).await?;
    let name = row.name.clone();
    let removed = sql::remove(&mut tx, notary, row, now).await?;
    let remaining = factors::held(&mut tx, notary, &own).await?.all();
    let stamps = factors::may_remove(&mut tx, notary, &mut own, remaining).await?;
    factors::tell(&with.hands(), &mut tx, &own.email, FactorNews::Removed { what: "A passkey", name: &name }).await?;
    let meta = json!({"kind": "passkey", "remaining": remaining});
    let entry = Entry::about(Action::FactorRemoved, id).with(meta).changing(stamps.into_iter().chain([removed]));
    record(with, tx, user, &entry).await
}

/// How many a person has that somebody vouches for.
///
/// # Errors
/// [`DbError`].
pub async fn holds(tx: &mut SystemTx, notary: &Notary, person: &Person) -> Result<usize, DbError> {
    Ok(sql::of_person(tx, notary, person).await?.len())
}

/// Removes all that a person has, within whatever leaves the entry. One that nobody vouches for grants nothing anyway.
///
/// # Errors
/// [`DbError`].
pub async fn remove_all(
    tx: &mut SystemTx,
    notary: &Notary,
    person: &Person,
    now: OffsetDateTime,
) -> Result<Vec<Stamp>, DbError> {
    let mut stamps = Vec::new();
    for row in sql::of_person(tx, notary, person).await? {
        stamps.push(sql::remove(tx, notary, row, now).await?);
    }
    Ok(stamps)
}

async fn own(changes: &Changes, person: &SignedIn) -> Result<Vec<Row>, DbError> {
    let mut tx = changes.db.account_tx(person).await?;
    let own = sql::own(&mut tx, &changes.notary).await?;
    tx.finish_reading().await?;
    Ok(own)
}

/// One of theirs, locked; another's is none.
async fn own_one(tx: &mut SystemTx, notary: &Notary, person: &Person, id: PasskeyId) -> Result<Row, PasskeyRefusal> {
    sql::lock(tx, notary, person, id.uuid()).await?.ok_or(PasskeyRefusal::NotFound)
}

fn demand_fresh(context: &RequestContext, person: &SignedIn) -> Result<(), PasskeyRefusal> {
    if person.is_fresh(context.received_at) { Ok(()) } else { Err(PasskeyRefusal::StepUpRequired) }
}
