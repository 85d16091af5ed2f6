//! Adding a factor, removing one, new recovery codes, showing one again: the change and its entry in one transaction.
//!
//! # Invariants
//! - What changes of a person's factors changes while they are held ([`Person`]), one after the other.
//! - With the first factor all other sessions of the person end, and the one at hand is replaced: no session stays that began
//!   when the mail was enough.
//! - Whoever is told of recovery codes is told of them once.

use bailiwick_proof::id::{AuthenticatorId, UserId};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::model::{Authenticator, ConfirmedAuthenticator, FactorError, Factors, NewAuthenticator, Typed};
use super::prove::{self, Verdict};
use super::sql::{self, Row};
use super::{recovery, totp};
use crate::authn::AccessTokens;
use crate::authz::vouched::rows::ENROLMENT_LIVES;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Person, SignedIn};
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, SystemTx, Xid};
use crate::entropy::Entropy;
use crate::http::Changes;
use crate::jobs::{EnqueueError, Queue};
use crate::ledger::{self, Action, Entry};
use crate::mail::{self, FactorNews, Message};
use crate::name::Name;
use crate::passkeys;
use crate::sessions::{self, EndedAll, Living, Opening, Replaced, Seen, SignInMethod, TokenPair};
use crate::vault::{self, Owner, Place, RowId};

/// More authenticators than anybody has devices.
const MOST: usize = 5;
/// One that nobody confirmed goes after so long; its entry's stamp is over by then.
pub const UNCONFIRMED_LIVE: Duration = Duration::hours(1);

/// What a change of factors is made with.
pub struct Hands<'a> {
    /// Makes the change, and knows when it has reached every node.
    pub changes: &'a Changes,
    /// Signs access tokens.
    pub tokens: &'a AccessTokens,
    /// Takes the mail that tells of it.
    pub queue: &'a Queue,
    /// On what, and from where.
    pub seen: &'a Seen,
    /// The request at hand.
    pub context: &'a RequestContext,
}

/// What came with a person's first factor; nothing where it was another.
#[derive(Default)]
pub struct FirstFactor {
    /// The session in the place of the one at hand. The caller commits, awaits the barrier of the transaction, and hands its
    /// tokens out.
    pub session: Option<Replaced>,
    /// To be shown once.
    pub recovery_codes: Option<Vec<String>>,
    /// For the entry, besides those of `session`.
    pub stamps: Vec<Stamp>,
}

impl FirstFactor {
    /// For the entry: all that changed with it.
    pub fn all_stamps(&self) -> Vec<Stamp> {
        let replaced = self.session.iter();
        let opened = replaced.flat_map(|new| new.opened.stamps.iter().chain([&new.ended]).cloned());
        self.stamps.iter().cloned().chain(opened).collect()
    }
}

/// What somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Authenticators that were confirmed.
    pub authenticators: usize,
    /// Passkeys.
    pub passkeys: usize,
}

impl Held {
    /// All of them.
    #[must_use]
    pub const fn all(self) -> usize {
        self.authenticators + self.passkeys
    }
}

/// How many factors a person has that somebody vouches for.
///
/// # Errors
/// [`DbError`].
pub async fn held(tx: &mut SystemTx, notary: &Notary, person: &Person) -> Result<Held, DbError> {
    let authenticators = sql::authenticators(tx, notary, person).await?;
    let authenticators = authenticators.iter().filter(|row| row.confirmed_at.is_some()).count();
    Ok(Held { authenticators, passkeys: passkeys::holds(tx, notary, person).await? })
}

/// After a factor was added, in its transaction, which is one of [`OperationalPath::ManageFactors`]: where it is the first, the
/// mail alone signs the person in no more, all other sessions end, the one at hand is replaced, and there are recovery codes. The
/// caller leaves the entry with what changed, tells the person ([`tell`]), commits, and awaits the barrier.
///
/// # Errors
/// [`FactorError::SessionOver`] and those of the database.
pub async fn first_factor(
    tx: &mut SystemTx,
    with: &Hands<'_>,
    (person, own): (&SignedIn, &mut Person),
    by: SignInMethod,
) -> Result<FirstFactor, FactorError> {
    let Hands { changes, seen, context, .. } = with;
    let (notary, entropy, now) = (&changes.notary, &changes.entropy, context.received_at);
    if own.strong_since.is_some() {
        return Ok(FirstFactor::default());
    }
    own.strong_since = Some(now);
    let mut stamps = vec![own.keep(tx, notary).await?];
    let (codes, made) = make_codes(tx, with, own).await?;
    stamps.push(made);
    stamps.extend(sessions::end_all_within(tx, notary, own, Some(person.session()), now).await?.stamps);
    let opening = Opening { person: own, by, strong: true, seen, now };
    let session = sessions::replace(tx, notary, entropy, person, &opening).await?.ok_or(FactorError::SessionOver)?;
    Ok(FirstFactor { session: Some(session), recovery_codes: Some(codes), stamps })
}

/// Before a factor is removed, in its transaction: whether that may be, with so many remaining. Without any the mail alone signs
/// the person in again, and recovery codes are good for nothing; what changed is for the entry.
///
/// # Errors
/// [`FactorError::LastFactor`] where a workspace of theirs demands one.
pub async fn may_remove(
    tx: &mut SystemTx,
    notary: &Notary,
    person: &mut Person,
    remaining: usize,
) -> Result<Vec<Stamp>, FactorError> {
    if remaining > 0 {
        return Ok(Vec::new());
    }
    if sql::is_demanded(tx, person.user).await? {
        return Err(FactorError::LastFactor);
    }
    Ok(forget_all(tx, notary, person).await?)
}

/// Takes all authenticators and recovery codes away, within whatever leaves the entry, after the passkeys: how many authenticators
/// counted, and what has changed.
///
/// # Errors
/// [`DbError`].
pub async fn remove_all(
    tx: &mut SystemTx,
    notary: &Notary,
    person: &mut Person,
    now: OffsetDateTime,
) -> Result<(usize, Vec<Stamp>), DbError> {
    let (mut confirmed, mut stamps) = (0, Vec::new());
    for mut row in sql::authenticators(tx, notary, person).await? {
        row.removed_at = Some(now);
        confirmed += usize::from(row.confirmed_at.is_some());
        stamps.push(sql::keep_authenticator(tx, notary, &mut row).await?);
    }
    stamps.extend(forget_all(tx, notary, person).await?);
    Ok((confirmed, stamps))
}

/// The mail alone signs them in from now on. No factor that somebody hides from this counts later.
async fn forget_all(tx: &mut SystemTx, notary: &Notary, person: &mut Person) -> Result<Vec<Stamp>, DbError> {
    let mut stamps = Vec::new();
    if let Some(mut holder) = sql::holder(tx, notary, person).await? {
        holder.recovery_codes.clear();
        holder.succeeded();
        stamps.push(sql::keep_holder(tx, notary, &mut holder).await?);
    }
    person.strong_since = None;
    person.factor_epoch = person.factor_epoch.saturating_add(1);
    stamps.push(person.keep(tx, notary).await?);
    Ok(stamps)
}

fn refuse_stale(with: &Hands<'_>, person: &SignedIn) -> Result<(), FactorError> {
    if person.is_fresh(with.context.received_at) { Ok(()) } else { Err(FactorError::Stale) }
}

/// Tells somebody by mail, in the transaction of what it is about. That does not wait for a key service.
///
/// # Errors
/// [`DbError`].
pub async fn tell(with: &Hands<'_>, tx: &mut SystemTx, to: &str, news: FactorNews<'_>) -> Result<(), DbError> {
    let now = with.context.received_at;
    send(with.queue, tx, &mail::factor_news(to, &news, now), now).await
}

async fn send(queue: &Queue, tx: &mut SystemTx, message: &Message, now: OffsetDateTime) -> Result<(), DbError> {
    match mail::send(queue, tx, message, now).await {
        Ok(()) => Ok(()),
        Err(EnqueueError::Db(error)) => Err(error),
        Err(error) => {
            tracing::error!(event = "factor_news_not_told", cause = %error);
            Ok(())
        }
    }
}

/// What a person has, for themselves.
pub(super) async fn list(changes: &Changes, person: &SignedIn) -> Result<Factors, FactorError> {
    let mut tx = changes.db.system_tx(OperationalPath::ManageFactors).await?;
    let own = Person::look(&mut tx, &changes.notary, person.user()).await?.ok_or(FactorError::SessionOver)?;
    let rows = sql::authenticators(&mut tx, &changes.notary, &own).await?;
    let holder = sql::holder(&mut tx, &changes.notary, &own).await?;
    let passkeys = passkeys::holds(&mut tx, &changes.notary, &own).await?;
    let demanded = sql::is_demanded(&mut tx, own.user).await?;
    tx.finish_reading().await?;
    Ok(Factors {
        authenticators: rows.iter().filter_map(told).collect(),
        passkeys,
        recovery_codes_left: holder.map_or(0, |holder| holder.recovery_codes.len()),
        demanded,
    })
}

fn told(row: &Row) -> Option<Authenticator> {
    let (id, name, last_used_at) = (row.authenticator(), row.name.clone(), row.last_used_at);
    row.confirmed_at.map(|added_at| Authenticator { id, name, added_at, last_used_at })
}

/// The person, held, if the session at hand lives: one that was ended a moment ago changes nothing any more.
///
/// # Errors
/// [`FactorError::SessionOver`], and those of the database.
pub async fn own_person(
    tx: &mut SystemTx,
    notary: &Notary,
    person: &SignedIn,
    now: OffsetDateTime,
) -> Result<Person, FactorError> {
    let living = sessions::hold_living(tx, notary, (person.user(), person.session()), now).await?;
    living.map(|Living { person, .. }| person).ok_or(FactorError::SessionOver)
}

/// Begins to add an authenticator. One that was begun before and not confirmed is none any more.
pub(super) async fn enrol(with: &Hands<'_>, person: &SignedIn, name: &Name) -> Result<NewAuthenticator, FactorError> {
    refuse_stale(with, person)?;
    let Hands { changes, context, .. } = with;
    let (notary, entropy, now) = (&changes.notary, &changes.entropy, context.received_at);
    let id = entropy.uuid_v7(now);
    let secret = entropy.bytes::<{ totp::SECRET_BYTES }>();
    let place = RowId::new().uuid(id);
    let at = Place { column: &vault::AUTHENTICATOR, row: place.as_bytes(), subject: None };
    let sealed = changes.vault.seal(Owner::Cell, &at, &secret).await?;
    let mut tx = changes.db.system_tx(OperationalPath::ManageFactors).await?;
    let own = own_person(&mut tx, notary, person, now).await?;
    let mut stamps = Vec::new();
    let mut confirmed = 0;
    for mut row in sql::authenticators(&mut tx, notary, &own).await? {
        if row.confirmed_at.is_none() {
            row.removed_at = Some(now);
            stamps.push(sql::keep_authenticator(&mut tx, notary, &mut row).await?);
        } else if row.name == name.as_str() {
            return Err(FactorError::NameTaken);
        } else {
            confirmed += 1;
        }
    }
    if confirmed >= MOST {
        return Err(FactorError::TooMany);
    }
    let row = new_row(id, &own, name, sealed, now);
    stamps.push(sql::insert_authenticator(&mut tx, notary, &row).await?);
    let entry = Entry::about(Action::FactorEnrolled, row.authenticator()).with(json!({"kind": "totp"}));
    let actor = own.user.to_string();
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &actor, &entry.changing(stamps)).await?;
    tx.commit(recorded).await?;
    let secret = totp::base32(&secret);
    let otpauth_url = totp::otpauth_url(&secret, &own.email);
    Ok(NewAuthenticator { id: row.authenticator(), name: row.name, secret, otpauth_url })
}

fn new_row(id: uuid::Uuid, own: &Person, name: &Name, sealed: Vec<u8>, now: OffsetDateTime) -> Row {
    Row {
        id,
        user: own.user,
        name: name.as_str().to_owned(),
        secret_sealed: Some(sealed),
        created_at: now,
        confirmed_at: None,
        last_step: 0,
        last_used_at: None,
        removed_at: None,
        version: 1,
        epoch: own.factor_epoch,
    }
}

/// An authenticator counts once it has shown a code.
pub(super) async fn confirm(
    with: &Hands<'_>,
    person: &SignedIn,
    id: AuthenticatorId,
    code: &str,
) -> Result<ConfirmedAuthenticator, FactorError> {
    refuse_stale(with, person)?;
    let Hands { changes, tokens, context, .. } = with;
    let (notary, now) = (&changes.notary, context.received_at);
    changes.vault.keys(Owner::Cell).await?;
    let mut tx = changes.db.system_tx(OperationalPath::ManageFactors).await?;
    let mut own = own_person(&mut tx, notary, person, now).await?;
    let mut all = sql::authenticators(&mut tx, notary, &own).await?.into_iter();
    let waiting =
        |row: &Row| row.authenticator() == id && row.confirmed_at.is_none() && row.created_at + ENROLMENT_LIVES > now;
    let mut row = all.find(waiting).ok_or(FactorError::NotFound)?;
    let code = totp::as_made(code).ok_or(FactorError::Failed)?;
    let step = prove::step_of(&changes.vault, &row, &code, now).await?.ok_or(FactorError::Failed)?;
    (row.confirmed_at, row.last_step, row.last_used_at) = (Some(now), step, Some(now));
    let confirmed = sql::keep_authenticator(&mut tx, notary, &mut row).await?;
    let first = first_factor(&mut tx, with, (person, &mut own), SignInMethod::MailAndTotp).await?;
    tell(with, &mut tx, &own.email, FactorNews::Added { what: "An authenticator", name: &row.name }).await?;
    let words = json!({"kind": "totp", "first": first.session.is_some()});
    let stamps = first.all_stamps().into_iter().chain([confirmed]);
    let entry = Entry::about(Action::FactorAdded, id).with(words).changing(stamps);
    record(with, tx, own.user, &entry).await?;
    let session = first.session.map(|new| new.opened.tokens(tokens, now)).transpose().map_err(FactorError::Sign)?;
    let authenticator = told(&row).ok_or(FactorError::NotFound)?;
    Ok(ConfirmedAuthenticator { authenticator, recovery_codes: first.recovery_codes, session })
}

/// Commits with the entry, and resolves when every node knows.
async fn record(with: &Hands<'_>, mut tx: SystemTx, user: UserId, entry: &Entry) -> Result<(), FactorError> {
    let Hands { changes, context, .. } = with;
    let recorded = ledger::stage_in_cell(&mut tx, &changes.entropy, context, &user.to_string(), entry).await?;
    let changed = tx.xid().await?;
    tx.commit(recorded).await?;
    Ok(changes.feed.barrier(Some(changed)).await?)
}

/// Takes an authenticator away.
pub(super) async fn remove(with: &Hands<'_>, person: &SignedIn, id: AuthenticatorId) -> Result<(), FactorError> {
    refuse_stale(with, person)?;
    let (notary, now) = (&with.changes.notary, with.context.received_at);
    let mut tx = with.changes.db.system_tx(OperationalPath::ManageFactors).await?;
    let mut own = own_person(&mut tx, notary, person, now).await?;
    let mut all = sql::authenticators(&mut tx, notary, &own).await?.into_iter();
    let found = all.find(|row| row.authenticator() == id && row.confirmed_at.is_some());
    let mut row = found.ok_or(FactorError::NotFound)?;
    row.removed_at = Some(now);
    let removed = sql::keep_authenticator(&mut tx, notary, &mut row).await?;
    let remaining = held(&mut tx, notary, &own).await?.all();
    let stamps = may_remove(&mut tx, notary, &mut own, remaining).await?;
    tell(with, &mut tx, &own.email, FactorNews::Removed { what: "An authenticator", name: &row.name }).await?;
    let words = json!({"kind": "totp", "remaining": remaining});
    let entry = Entry::about(Action::FactorRemoved, id).with(words).changing(stamps.into_iter().chain([removed]));
    record(with, tx, own.user, &entry).await
}

/// Makes ten new recovery codes in the place of any older ones; for whoever has a factor.
pub(super) async fn renew_codes(with: &Hands<'_>, person: &SignedIn) -> Result<Vec<String>, FactorError> {
    refuse_stale(with, person)?;
    let mut tx = with.changes.db.system_tx(OperationalPath::ManageFactors).await?;
    let own = own_person(&mut tx, &with.changes.notary, person, with.context.received_at).await?;
    if own.strong_since.is_none() {
        return Err(FactorError::NotFound);
    }
    let (codes, stamp) = make_codes(&mut tx, with, &own).await?;
    tell(with, &mut tx, &own.email, FactorNews::CodesMade).await?;
    let entry = Entry::about(Action::RecoveryCodesMade, own.user).changing([stamp]);
    record(with, tx, own.user, &entry).await?;
    Ok(codes)
}

async fn make_codes(tx: &mut SystemTx, with: &Hands<'_>, person: &Person) -> Result<(Vec<String>, Stamp), FactorError> {
    let Hands { changes, context, .. } = with;
    let user = person.user;
    let mut holder = match sql::holder(tx, &changes.notary, person).await? {
        Some(holder) => holder,
        None => sql::fresh_holder(tx, person).await?,
    };
    let codes = recovery::new_codes(&changes.entropy);
    holder.recovery_codes = codes.iter().map(|code| recovery::stored(&changes.notary, user, code)).collect();
    holder.codes_made_at = Some(context.received_at);
    let stamp = sql::keep_holder(tx, &changes.notary, &mut holder).await?;
    Ok((codes, stamp))
}

/// Puts another session in the place of the one at hand, for whoever shows a factor again.
pub(super) async fn step_up(with: &Hands<'_>, person: &SignedIn, typed: &Typed) -> Result<TokenPair, FactorError> {
    let Hands { changes, tokens, seen, context, .. } = with;
    let (notary, now) = (&changes.notary, context.received_at);
    changes.vault.keys(Owner::Cell).await?;
    let mut tx = changes.db.system_tx(OperationalPath::ManageFactors).await?;
    let own = own_person(&mut tx, notary, person, now).await?;
    let proven = match prove::check(&mut tx, (notary, &changes.vault), &own, typed, now).await? {
        Verdict::Proven(proven) => proven,
        Verdict::Wait(wait) => return Err(FactorError::Wait(wait)),
        Verdict::Wrong { failures, stamps } => {
            if prove::is_guessing(failures) {
                tell(with, &mut tx, &own.email, FactorNews::Guessed).await?;
            }
            let words = json!({"at": "step_up", "in_a_row": failures});
            let entry = Entry::about(Action::FactorFailed, own.user).with(words).changing(stamps);
            let actor = own.user.to_string();
            let recorded = ledger::stage_in_cell(&mut tx, &changes.entropy, context, &actor, &entry).await?;
            tx.commit(recorded).await?;
            return Err(FactorError::Failed);
        }
    };
    let opening = Opening { person: &own, by: proven.by, strong: true, seen, now };
    let replaced = sessions::replace(&mut tx, notary, &changes.entropy, person, &opening).await?;
    let Replaced { opened, ended } = replaced.ok_or(FactorError::SessionOver)?;
    if let Some(left) = proven.codes_left {
        tell(with, &mut tx, &own.email, FactorNews::CodeUsed { left }).await?;
    }
    let words = json!({"by": proven.word(), "in_place_of": person.session(), "recovery_codes_left": proven.codes_left});
    let stamps = proven.stamps.into_iter().chain([ended]).chain(opened.stamps.iter().cloned());
    let entry = Entry::about(Action::SteppedUp, opened.session).with(words).changing(stamps);
    record(with, tx, own.user, &entry).await?;
    opened.tokens(tokens, now).map_err(FactorError::Sign)
}

/// What an operator took away.
#[derive(Clone, Copy, Debug)]
pub struct Reset {
    /// Whose.
    pub user: UserId,
    /// Authenticators.
    pub authenticators: usize,
    /// Passkeys.
    pub passkeys: usize,
    /// Sessions that lived.
    pub sessions: usize,
    /// By which transaction.
    pub changed: Xid,
}

/// What a reset is made with.
pub struct Resetting<'a> {
    /// Opens the transaction.
    pub db: &'a Db,
    /// Vouches for what is written.
    pub notary: &'a Notary,
    /// Makes ids.
    pub entropy: &'a Entropy,
    /// Takes the mail.
    pub queue: &'a Queue,
    /// Of the command.
    pub context: &'a RequestContext,
}

/// For an operator who knows by other ways that somebody has lost everything: takes authenticators, passkeys and recovery codes
/// away and ends every session, so that the mail alone signs them in again. `None` for an address that nobody has.
///
/// # Errors
/// [`FactorError`].
pub async fn reset(with: &Resetting<'_>, email_key: &str, reason: &str) -> Result<Option<Reset>, FactorError> {
    let Resetting { db, notary, entropy, queue, context } = with;
    let now = context.received_at;
    let mut tx = db.system_tx(OperationalPath::ManageFactors).await?;
    let Some(mut own) = Person::hold_by_address(&mut tx, notary, email_key).await? else { return Ok(None) };
    let user = own.user;
    let keys = passkeys::remove_all(&mut tx, notary, &own, now).await?;
    let (authenticators, mut stamps) = remove_all(&mut tx, notary, &mut own, now).await?;
    let EndedAll { count: sessions, stamps: ended } =
        sessions::end_all_within(&mut tx, notary, &mut own, None, now).await?;
    let passkeys = keys.len();
    stamps.extend(keys.into_iter().chain(ended));
    send(queue, &mut tx, &mail::factor_news(&own.email, &FactorNews::Reset, now), now).await?;
    let words = json!({
        "reason": reason, "authenticators": authenticators, "passkeys": passkeys, "sessions_ended": sessions,
    });
    let entry = Entry::about(Action::FactorsReset, user).with(words).changing(stamps);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, ledger::OPERATOR, &entry).await?;
    let changed = tx.xid().await?;
    tx.commit(recorded).await?;
    Ok(Some(Reset { user, authenticators, passkeys, sessions, changed }))
}
