//! Open, refresh, list, end.

use bailiwick_proof::id::{Id, SessionId, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{
    ABSOLUTE_LIFETIME, IDLE_LIFETIME, Living, OpenedSession, Opening, PARALLEL_GRACE, RefreshRefusal, Replaced,
    Session, TokenPair,
};
use super::sql::EndedAll;
use super::{seen, sql};
use crate::authn::{AccessTokens, TokenDigest};
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Person, SignedIn, began_at};
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, SystemTx, Xid};
use crate::entropy::Entropy;
use crate::http::Changes;
use crate::jobs::{EnqueueError, Queue};
use crate::ledger::{self, Action, Entry};
use crate::mail;
use crate::vault::{self, Owner, Place, RowId};

/// Opens a session in the transaction that redeems the sign-in.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    tx: &mut SystemTx,
    notary: &Notary,
    entropy: &Entropy,
    opening: &Opening<'_>,
) -> Result<OpenedSession, DbError> {
    let (since, ends) = (opening.now, opening.now + ABSOLUTE_LIFETIME);
    open_between(tx, notary, entropy, opening, (since, ends)).await
}

/// Opens a session by the word of another, which lives: it began when that did, so nobody is taken for somebody who proved
/// themselves lately, and ends when that does.
///
/// # Errors
/// [`DbError`].
pub async fn open_beside(
    tx: &mut SystemTx,
    notary: &Notary,
    entropy: &Entropy,
    opening: &Opening<'_>,
    (other, ends): (SessionId, OffsetDateTime),
) -> Result<OpenedSession, DbError> {
    open_between(tx, notary, entropy, opening, (began_at(other), ends)).await
}

/// Holds the person of a session that lives, lets them in, and may go on with what it was let in for. `None` for one that was ended, or
/// began by the mail alone though its person has a factor.
///
/// # Errors
/// [`DbError`].
pub async fn hold_living(
    tx: &mut SystemTx,
    notary: &Notary,
    (user, session): (UserId, SessionId),
    now: OffsetDateTime,
) -> Result<Option<Living>, DbError> {
    let Some(person) = Person::hold(tx, notary, user).await? else { return Ok(None) };
    let living = sql::living(tx, notary, (user, session), now).await?;
    let living = living.filter(|(_, strong, epoch)| person.lets_in(*strong) && *epoch == person.session_epoch);
    Ok(living.map(|(expires_at, ..)| Living { person, expires_at }))
}

async fn open_between(
    tx: &mut SystemTx,
    notary: &Notary,
    entropy: &Entropy,
    opening: &Opening<'_>,
    (since, ends): (OffsetDateTime, OffsetDateTime),
) -> Result<OpenedSession, DbError> {
    let (user, now) = (opening.person.user, opening.now);
    let session: SessionId = Id::from_uuid(entropy.uuid_v7(since));
    let opened = sql::insert_session(tx, notary, session, opening, ends).await?;
    let refresh_token = new_token(entropy);
    let seen = (now, opening.seen.network.as_deref());
    let idle = ends.min(now + IDLE_LIFETIME);
    let token = sql::insert_refresh(tx, notary, &digest(&refresh_token), session, seen, idle).await?;
    Ok(OpenedSession { user, session, refresh_token, stamps: [opened, token] })
}

/// Puts another session in the place of one whose person has just proven themselves again: it begins now, ends when the old
/// one would have, and the old one ends in this transaction. The caller leaves the entry and waits for the barrier before it
/// hands the tokens out. `None` if the old one is over, also by who comes at the same moment.
///
/// # Errors
/// [`DbError`].
pub async fn replace(
    tx: &mut SystemTx,
    notary: &Notary,
    entropy: &Entropy,
    old: &SignedIn,
    opening: &Opening<'_>,
) -> Result<Option<Replaced>, DbError> {
    let living = sql::living(tx, notary, (old.user(), old.session()), opening.now).await?;
    let living = living.filter(|(.., epoch)| *epoch == opening.person.session_epoch);
    let Some((ends, ..)) = living else { return Ok(None) };
    let ended = sql::end(tx, notary, old.session(), Some(old.user()), opening.now).await?;
    let Some((_, Some(ended))) = ended else { return Ok(None) };
    let opened = open_between(tx, notary, entropy, opening, (opening.now, ends)).await?;
    Ok(Some(Replaced { opened, ended }))
}

/// Ends every session of somebody who is held in this transaction, but for one if it is to stay; for what leaves an entry of its own.
/// The person's own row says so too: no session that somebody hides from this lives on.
///
/// # Errors
/// [`DbError`].
pub async fn end_all_within(
    tx: &mut SystemTx,
    notary: &Notary,
    person: &mut Person,
    but: Option<SessionId>,
    now: OffsetDateTime,
) -> Result<EndedAll, DbError> {
    person.session_epoch = person.session_epoch.saturating_add(1);
    let of = (person.user, person.session_epoch);
    let mut ended = sql::end_all_of(tx, notary, of, but, now).await?;
    ended.stamps.push(person.keep(tx, notary).await?);
    Ok(ended)
}

/// Everything that a refresh needs.
pub struct Refreshing<'a> {
    changes: &'a Changes,
    tokens: &'a AccessTokens,
    queue: &'a Queue,
    context: &'a RequestContext,
}

impl<'a> Refreshing<'a> {
    /// In the request at hand, with an access token by `tokens`; losers of a parallel refresh get a sealed successor, and
    /// `queue` takes the mail about a token that came back.
    #[must_use]
    pub const fn new(
        changes: &'a Changes,
        tokens: &'a AccessTokens,
        queue: &'a Queue,
        context: &'a RequestContext,
    ) -> Self {
        Self { changes, tokens, queue, context }
    }
}

/// Exchanges a refresh token for its successor and an access token.
///
/// # Errors
/// See [`RefreshRefusal`].
pub async fn refresh(with: Refreshing<'_>, token: &str) -> Result<TokenPair, RefreshRefusal> {
    let Refreshing { changes: Changes { db, entropy, vault, notary, feed }, tokens, context, .. } = with;
    let (now, digest_of_used) = (context.received_at, digest(token));
    let mut tx = db.system_tx(OperationalPath::RefreshSession).await?;
    let Some(row) = sql::lock_refresh(&mut tx, notary, &digest_of_used).await? else {
        return Err(RefreshRefusal::Invalid);
    };
    // A token that was used comes back too late however old it is, as long as its session lives.
    let idle = row.used_at.is_none() && row.expires_at <= now;
    if row.session_over || row.session_expires_at <= now || idle {
        return Err(RefreshRefusal::Invalid);
    }
    let place = RowId::new().bytes(digest_of_used.bytes());
    let at = Place { column: &vault::REFRESH_SUCCESSOR, row: place.as_bytes(), subject: None };
    let successor = match (row.used_at, &row.successor_sealed) {
        (None, _) => {
            let successor = new_token(entropy);
            let sealed = vault.seal(Owner::Cell, &at, successor.as_bytes()).await?;
            let expires_at = row.session_expires_at.min(now + IDLE_LIFETIME);
            let network = context.client_ip.map(seen::network);
            let used = (&digest_of_used, &row, sealed.as_slice());
            let fresh = (&digest(&successor), network.as_deref(), expires_at);
            let stamps = sql::exchange(&mut tx, notary, used, fresh, now).await?;
            let entry = Entry::about(Action::SessionRefreshed, row.session).changing(stamps);
            let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &row.user.to_string(), &entry).await?;
            tx.commit(recorded).await?;
            successor
        }
        (Some(used_at), Some(sealed)) if now < used_at + PARALLEL_GRACE => {
            tx.finish_reading().await?;
            let text = vault.unseal(Owner::Cell, &at, sealed).await?;
            String::from_utf8(text.to_vec()).map_err(|_| RefreshRefusal::Invalid)?
        }
        _ => {
            // Gives up its locks first: replays of several sessions would wait for each other's.
            tx.finish_reading().await?;
            let changed = end_reused(&with, row.user).await?;
            feed.barrier(changed).await?;
            return Err(RefreshRefusal::Reused);
        }
    };
    let access_token = tokens.issue(row.user, row.session, now).map_err(RefreshRefusal::Sign)?;
    Ok(TokenPair::new(access_token, successor))
}

/// Ends every session of a person whose refresh token came back, and tells them by mail. Several that notice at once
/// leave one entry and send one mail.
async fn end_reused(with: &Refreshing<'_>, user: UserId) -> Result<Option<Xid>, DbError> {
    let Refreshing { changes: Changes { db, entropy, notary, .. }, queue, context, .. } = with;
    let mut tx = db.system_tx(OperationalPath::RefreshSession).await?;
    let Some(mut person) = Person::hold(&mut tx, notary, user).await? else { return Ok(None) };
    let EndedAll { count, stamps } = end_all_within(&mut tx, notary, &mut person, None, context.received_at).await?;
    if count == 0 {
        return Ok(None);
    }
    tell_of_reuse(&mut tx, queue, &person, context.received_at).await?;
    let entry = Entry::about(Action::RefreshTokenReused, user).with(json!({"sessions_ended": count})).changing(stamps);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &user.to_string(), &entry).await?;
    let changed = tx.xid().await?;
    tx.commit(recorded).await?;
    tracing::warn!(event = "refresh_token_reused", user_id = %user, sessions_ended = count);
    Ok(Some(changed))
}

/// Hands over the mail. Sessions are ended also when it cannot be sealed now: that must not wait for a key service.
async fn tell_of_reuse(tx: &mut SystemTx, queue: &Queue, person: &Person, now: OffsetDateTime) -> Result<(), DbError> {
    match mail::send(queue, tx, &mail::refresh_reused(&person.email, now), now).await {
        Ok(()) => Ok(()),
        Err(EnqueueError::Db(error)) => Err(error),
        Err(error) => {
            tracing::error!(event = "refresh_token_reuse_not_told", user_id = %person.user, cause = %error);
            Ok(())
        }
    }
}

/// At most so many of a person's living sessions after this one, the newest first, each with whether it is to be shown:
/// one that nobody vouches for grants nothing, and is as if it were not there.
///
/// # Errors
/// [`DbError`].
pub(super) async fn list(
    db: &Db,
    notary: &Notary,
    person: &SignedIn,
    page: (Option<Uuid>, i64),
    now: OffsetDateTime,
) -> Result<Vec<(Session, bool)>, DbError> {
    let mut tx = db.account_tx(person).await?;
    let sessions = sql::list(&mut tx, notary, person, page, now).await?;
    tx.finish_reading().await?;
    Ok(sessions)
}

/// One of them.
///
/// # Errors
/// [`DbError`].
pub(super) async fn get(
    db: &Db,
    notary: &Notary,
    person: &SignedIn,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<Option<Session>, DbError> {
    let next = Uuid::from_u128(session.uuid().as_u128().saturating_add(1));
    let found = list(db, notary, person, (Some(next), 1), now).await?;
    Ok(found.into_iter().find(|(found, vouched)| *vouched && found.id == session).map(|(found, _)| found))
}

/// Ends a session of one's own, whichever. Somebody else's is nothing.
///
/// # Errors
/// [`DbError`].
pub(super) async fn end_own(
    changes: &Changes,
    context: &RequestContext,
    person: &SignedIn,
    session: SessionId,
) -> Result<Ended, DbError> {
    let Changes { db, notary, entropy, .. } = changes;
    let mut tx = db.system_tx(OperationalPath::EndSession).await?;
    let found = sql::end(&mut tx, notary, session, Some(person.user()), context.received_at).await?;
    let by = json!({"by": person.session()});
    record_ends(tx, entropy, context, (found.map(|ended| (session, ended)).into_iter().collect(), by)).await
}

/// Ends every session of the person, but for the one at hand if that is to stay. Answers how many, and by which transaction; `None` where
/// the one at hand was ended meanwhile.
///
/// # Errors
/// [`DbError`].
pub(super) async fn end_all(
    changes: &Changes,
    context: &RequestContext,
    person: &SignedIn,
    but_this: bool,
) -> Result<Option<(usize, Xid)>, DbError> {
    let Changes { db, notary, entropy, .. } = changes;
    let (user, this, now) = (person.user(), person.session(), context.received_at);
    let mut tx = db.system_tx(OperationalPath::EndSession).await?;
    let Some(Living { person: mut own, .. }) = hold_living(&mut tx, notary, (user, this), now).await? else {
        return Ok(None);
    };
    let but = but_this.then_some(this);
    // Also where none is seen: one may be hidden, and is to stay ended.
    let EndedAll { count, stamps } = end_all_within(&mut tx, notary, &mut own, but, now).await?;
    let told = json!({"by": this, "sessions_ended": count, "and_itself": !but_this});
    let entry = Entry::about(Action::SessionsEnded, user).with(told).changing(stamps);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &user.to_string(), &entry).await?;
    let changed = tx.xid().await?;
    tx.commit(recorded).await?;
    Ok(Some((count, changed)))
}

/// What came of ending a session.
pub enum Ended {
    /// It lived until this transaction.
    Now(Xid),
    /// It was over before.
    Before,
    /// There is none.
    Nothing,
}

/// Ends the sessions that the tokens name, which are one, or two where a browser has mixed them up. Tokens that name none are no error:
/// it is over either way.
///
/// # Errors
/// [`DbError`].
pub async fn end_by_tokens(
    db: &Db,
    notary: &Notary,
    entropy: &Entropy,
    context: &RequestContext,
    access: Option<SessionId>,
    refresh: Option<&str>,
) -> Result<Ended, DbError> {
    let mut tx = db.system_tx(OperationalPath::EndSession).await?;
    let kept_alive = match refresh {
        Some(token) => sql::session_of_refresh(&mut tx, &digest(token)).await?,
        None => None,
    };
    let mut named: Vec<SessionId> = access.into_iter().chain(kept_alive).collect();
    named.sort_unstable_by_key(|session| session.uuid());
    named.dedup();
    let mut found = Vec::new();
    for session in named {
        if let Some(ended) = sql::end(&mut tx, notary, session, None, context.received_at).await? {
            found.push((session, ended));
        }
    }
    record_ends(tx, entropy, context, (found, json!({}))).await
}

/// A session that was to end: which, whose, and its stamp if it lived.
type Found = (SessionId, (UserId, Option<Stamp>));

/// Commits the ends of sessions with an entry for each that lived.
async fn record_ends(
    mut tx: SystemTx,
    entropy: &Entropy,
    context: &RequestContext,
    (found, told): (Vec<Found>, Value),
) -> Result<Ended, DbError> {
    let mut recorded = None;
    let none = found.is_empty();
    for (session, (user, stamp)) in found {
        if let Some(stamp) = stamp {
            let entry = Entry::about(Action::SignedOut, session).with(told.clone()).changing([stamp]);
            recorded = Some(ledger::stage_in_cell(&mut tx, entropy, context, &user.to_string(), &entry).await?);
        }
    }
    let Some(recorded) = recorded else {
        tx.finish_reading().await?;
        return Ok(if none { Ended::Nothing } else { Ended::Before });
    };
    let changed = tx.xid().await?;
    tx.commit(recorded).await?;
    Ok(Ended::Now(changed))
}

fn new_token(entropy: &Entropy) -> String {
    URL_SAFE_NO_PAD.encode(entropy.bytes::<32>())
}

fn digest(token: &str) -> TokenDigest {
    TokenDigest::of(token.as_bytes())
}
