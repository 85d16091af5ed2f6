//! To sign in with a passkey, and to show one once more.

use bailiwick_proof::id::{Id, PasskeyId, UserId};
use serde_json::{Value, json};
use uuid::Uuid;
use webauthn_rs::prelude::{DiscoverableAuthentication, PublicKeyCredential};

use super::ceremony::{self, Asked};
use super::model::{PasskeyRefusal, ShowPasskey};
use super::party::{RelyingParty, Shown};
use super::sql::{self, Row};
use crate::authn::{AccessTokens, TokenDigest};
use crate::authz::{Person, SignedIn};
use crate::context::RequestContext;
use crate::db::{OperationalPath, SystemTx};
use crate::factors::Hands;
use crate::http::Changes;
use crate::identity::{Refusals, Refused};
use crate::jobs::Queue;
use crate::ledger::{self, Action, Entry};
use crate::mail;
use crate::sessions::{self, Opening, Replaced, Seen, SignInMethod, TokenPair};
use crate::vault::{self, Owner, PASSKEY, Place, RowId};

/// Who acts before anybody is known.
const NOBODY: &str = "anonymous";

/// Everything that passkeys are made and used with. Cheap to clone.
#[derive(Clone)]
pub struct Bench {
    /// Makes changes, and knows when they have reached every node.
    pub changes: Changes,
    /// Who we are to authenticators.
    pub party: RelyingParty,
    /// Signs access tokens.
    pub tokens: AccessTokens,
    /// Takes mail.
    pub queue: Queue,
    /// Counts what came to nothing.
    pub refusals: Refusals,
}

/// In which request, and from where.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    /// What is at hand.
    pub bench: &'a Bench,
    /// The request.
    pub context: &'a RequestContext,
    /// On what, and from where.
    pub seen: &'a Seen,
}

impl<'a> With<'a> {
    /// For what factors have in common.
    pub(super) const fn hands(self) -> Hands<'a> {
        let Self { bench: Bench { changes, tokens, queue, .. }, context, seen } = self;
        Hands { changes, tokens, queue, seen, context }
    }
}

/// A challenge that was handed out.
pub(super) struct Begun {
    pub(super) ceremony: Uuid,
    pub(super) options: Value,
}

/// Why a passkey that has signed is not taken: somebody may have copied it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suspicion {
    /// Its counter did not go on.
    Counter,
    /// It may be on several devices, and might not before; or the other way round.
    Eligibility,
}

impl Suspicion {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Eligibility => "backup_eligibility",
        }
    }
}

/// Asks whoever sits at this browser for a passkey.
///
/// # Errors
/// See [`PasskeyRefusal`].
pub(super) async fn begin_sign_in(
    bench: &Bench,
    context: &RequestContext,
    cookie: &str,
) -> Result<Begun, PasskeyRefusal> {
    let browser = TokenDigest::of(cookie.as_bytes()).bytes().to_vec();
    let (options, challenge) = bench.party.ask_to_show(None)?;
    let asked = Asked::SignIn { browser, challenge };
    let path = OperationalPath::SignInByPasskey;
    let ceremony = ceremony::keep(&bench.changes, path, asked, context.received_at).await?;
    Ok(Begun { ceremony, options })
}

/// Opens a session for whoever shows a passkey that answers what this browser was asked.
///
/// # Errors
/// See [`PasskeyRefusal`].
pub(super) async fn sign_in(
    with: With<'_>,
    cookie: Option<&str>,
    shown: &ShowPasskey,
) -> Result<TokenPair, PasskeyRefusal> {
    let outcome = try_to_sign_in(with, cookie, shown).await;
    if matches!(outcome, Err(PasskeyRefusal::Failed)) {
        with.bench.refusals.note(Refused::Passkey, with.context);
    }
    outcome
}

async fn try_to_sign_in(
    with: With<'_>,
    cookie: Option<&str>,
    shown: &ShowPasskey,
) -> Result<TokenPair, PasskeyRefusal> {
    let With { bench: Bench { changes, tokens, .. }, context, seen } = with;
    let (path, now) = (OperationalPath::SignInByPasskey, context.received_at);
    let asked = ceremony::take(changes, path, &shown.ceremony, now).await?.of_browser(cookie)?;
    let (mut tx, person, passkey, used) = find(with, path, asked, &shown.credential, None).await?;
    let (id, user) = (passkey.id, person.user);
    let used = sql::note_use(&mut tx, &changes.notary, passkey, (used.counter, used.backed_up), now).await?;
    let opening = Opening { person: &person, by: SignInMethod::Passkey, strong: true, seen, now };
    let opened = sessions::open(&mut tx, &changes.notary, &changes.entropy, &opening).await?;
    let meta = json!({"by": "passkey", "passkey": told(id), "first": false});
    let entry = Entry::about(Action::SignedIn, opened.session)
        .with(meta)
        .changing(opened.stamps.clone().into_iter().chain(used));
    let recorded = ledger::stage_in_cell(&mut tx, &changes.entropy, context, &user.to_string(), &entry).await?;
    tx.commit(recorded).await?;
    opened.tokens(tokens, now).map_err(PasskeyRefusal::Sign)
}

/// Asks somebody who is signed in for a passkey of theirs.
///
/// # Errors
/// See [`PasskeyRefusal`].
pub(super) async fn begin_step_up(
    bench: &Bench,
    context: &RequestContext,
    person: &SignedIn,
) -> Result<Begun, PasskeyRefusal> {
    let changes = &bench.changes;
    let mut tx = changes.db.account_tx(person).await?;
    let own = sql::own(&mut tx, &changes.notary).await?;
    tx.finish_reading().await?;
    let these = own.into_iter().map(|passkey| passkey.credential_id).collect();
    let (options, challenge) = bench.party.ask_to_show(Some(these))?;
    let asked = Asked::StepUp { session: person.session().uuid(), challenge };
    let ceremony = ceremony::keep(changes, OperationalPath::ManageFactors, asked, context.received_at).await?;
    Ok(Begun { ceremony, options })
}

/// Puts a strong session, which begins now, in the place of the one at hand. When this is answered, no node takes the old one.
///
/// # Errors
/// See [`PasskeyRefusal`].
pub(super) async fn step_up(
    with: With<'_>,
    person: &SignedIn,
    shown: &ShowPasskey,
) -> Result<TokenPair, PasskeyRefusal> {
    let With { bench: Bench { changes, tokens, .. }, context, seen } = with;
    let (path, now) = (OperationalPath::ManageFactors, context.received_at);
    let asked = ceremony::take(changes, path, &shown.ceremony, now).await?.for_step_up(person)?;
    let (mut tx, own, passkey, used) = find(with, path, asked, &shown.credential, Some(person.user())).await?;
    let (id, user) = (passkey.id, person.user());
    let used = sql::note_use(&mut tx, &changes.notary, passkey, (used.counter, used.backed_up), now).await?;
    let opening = Opening { person: &own, by: SignInMethod::Passkey, strong: true, seen, now };
    let replaced = sessions::replace(&mut tx, &changes.notary, &changes.entropy, person, &opening).await?;
    let Replaced { opened, ended } = replaced.ok_or(PasskeyRefusal::Failed)?;
    let meta = json!({"by": "passkey", "passkey": told(id), "in_place_of": person.session()});
    let stamps = opened.stamps.clone().into_iter().chain([ended]).chain(used);
    let entry = Entry::about(Action::SteppedUp, opened.session).with(meta).changing(stamps);
    let recorded = ledger::stage_in_cell(&mut tx, &changes.entropy, context, &user.to_string(), &entry).await?;
    let changed = tx.xid().await?;
    tx.commit(recorded).await?;
    changes.feed.barrier(Some(changed)).await?;
    opened.tokens(tokens, now).map_err(PasskeyRefusal::Sign)
}

/// The passkey that has answered, locked, in the transaction that goes on with it. Whatever is wrong is one and the same refusal:
/// no such credential, another's user handle, a wrong signature, a person who is suspended, a passkey that may be a copy.
async fn find(
    with: With<'_>,
    path: OperationalPath,
    asked: DiscoverableAuthentication,
    credential: &Value,
    of: Option<UserId>,
) -> Result<(SystemTx, Person, Row, Shown), PasskeyRefusal> {
    let Bench { changes, party, .. } = with.bench;
    let answer: PublicKeyCredential = serde_json::from_value(credential.clone()).map_err(|_| PasskeyRefusal::Failed)?;
    let mut tx = changes.db.system_tx(path).await?;
    let found = sql::by_credential(&mut tx, &changes.notary, &answer.raw_id).await?;
    tx.finish_reading().await?;
    let (row, sealed) = found.ok_or(PasskeyRefusal::Failed)?;
    let owns = answer.response.user_handle.as_deref() == Some(row.user_handle.as_bytes().as_slice());
    // Only where the person is known already may the authenticator leave out whose the credential is (7.2, step 6).
    let is_known = of.is_some() && answer.response.user_handle.is_none();
    if !(owns || is_known) || of.is_some_and(|user| user != row.user()) {
        return Err(PasskeyRefusal::Failed);
    }
    let stored = open(changes, row.id, &sealed).await?;
    let shown = party.look_at_shown(asked, &answer, &stored)?;
    let mut tx = changes.db.system_tx(path).await?;
    let person = Person::hold(&mut tx, &changes.notary, row.user()).await?;
    let person = person.filter(|person| person.suspended_at.is_none()).ok_or(PasskeyRefusal::Failed)?;
    let row = sql::lock(&mut tx, &changes.notary, &person, row.id).await?.ok_or(PasskeyRefusal::Failed)?;
    match suspicion(&row, shown) {
        None => Ok((tx, person, row, shown)),
        Some(suspicion) => {
            refuse(with, tx, &row, suspicion, &person.email).await?;
            Err(PasskeyRefusal::Failed)
        }
    }
}

/// `WebAuthn` 7.2, steps 17 and 22, with what is stored under lock: authenticators without a counter say 0 for ever, others count up;
/// whether a credential may be on several devices is settled when it is made.
fn suspicion(row: &Row, shown: Shown) -> Option<Suspicion> {
    let counts = shown.counter != 0 || row.counter != 0;
    if counts && i64::from(shown.counter) <= row.counter {
        Some(Suspicion::Counter)
    } else if shown.backup_eligible != row.backup_eligible {
        Some(Suspicion::Eligibility)
    } else {
        None
    }
}

/// Records that a passkey was refused which has signed, and tells its person.
async fn refuse(
    with: With<'_>,
    mut tx: SystemTx,
    row: &Row,
    suspicion: Suspicion,
    email: &str,
) -> Result<(), PasskeyRefusal> {
    let With { bench: Bench { changes, queue, .. }, context, .. } = with;
    let now = context.received_at;
    mail::send(queue, &mut tx, &mail::passkey_refused(email, &row.name, now), now).await?;
    let entry = Entry::about(Action::PasskeyRefused, told(row.id)).with(json!({"why": suspicion.as_str()}));
    let recorded = ledger::stage_in_cell(&mut tx, &changes.entropy, context, NOBODY, &entry).await?;
    tx.commit(recorded).await?;
    metrics::counter!("bailiwick_passkeys_refused_total", "why" => suspicion.as_str()).increment(1);
    tracing::warn!(event = "passkey.refused", passkey_id = %told(row.id), why = suspicion.as_str());
    Ok(())
}

/// What is stored of a credential. What was tampered with is as if it were not there, and is reported.
async fn open(changes: &Changes, id: Uuid, sealed: &[u8]) -> Result<vault::Plaintext, PasskeyRefusal> {
    let row = RowId::new().uuid(id);
    match changes.vault.unseal(Owner::Cell, &place(&row), sealed).await {
        Err(error) if error.is_tampering() => Err(PasskeyRefusal::Failed),
        opened => Ok(opened?),
    }
}

pub(super) fn place(row: &RowId) -> Place<'_> {
    Place { column: &PASSKEY, row: row.as_bytes(), subject: None }
}

/// As entries and logs name it.
pub(super) fn told(id: Uuid) -> PasskeyId {
    Id::from_uuid(id)
}
