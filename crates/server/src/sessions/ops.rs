//! Open, refresh, end.

use bailiwick_proof::id::{Id, SessionId, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use time::OffsetDateTime;

use super::model::{ABSOLUTE_LIFETIME, IDLE_LIFETIME, OpenedSession, PARALLEL_GRACE, RefreshRefusal, TokenPair};
use super::sql;
use crate::authn::{ACCESS_TOKEN_TTL, AccessTokens, TokenDigest};
use crate::authz::Notary;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, SystemTx, Xid};
use crate::entropy::Entropy;
use crate::http::Changes;
use crate::ledger::{self, Action, Entry};
use crate::vault::{self, Owner, Place, RowId};

/// Opens a session in the transaction that redeems the sign-in.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    tx: &mut SystemTx,
    notary: &Notary,
    entropy: &Entropy,
    user: UserId,
    now: OffsetDateTime,
) -> Result<OpenedSession, DbError> {
    let session: SessionId = Id::from_uuid(entropy.uuid_v7(now));
    let opened = sql::insert_session(tx, notary, session, user, now, now + ABSOLUTE_LIFETIME).await?;
    let refresh_token = new_token(entropy);
    let token = sql::insert_refresh(tx, notary, &digest(&refresh_token), session, now, now + IDLE_LIFETIME).await?;
    Ok(OpenedSession { user, session, refresh_token, stamps: [opened, token] })
}

/// Everything that a refresh needs.
pub struct Refreshing<'a> {
    changes: &'a Changes,
    tokens: &'a AccessTokens,
    context: &'a RequestContext,
}

impl<'a> Refreshing<'a> {
    /// In the request at hand, with an access token by `tokens`; losers of a parallel refresh get a sealed successor.
    #[must_use]
    pub const fn new(changes: &'a Changes, tokens: &'a AccessTokens, context: &'a RequestContext) -> Self {
        Self { changes, tokens, context }
    }
}

/// Exchanges a refresh token for its successor and an access token.
///
/// # Errors
/// See [`RefreshRefusal`].
pub async fn refresh(with: Refreshing<'_>, token: &str) -> Result<TokenPair, RefreshRefusal> {
    let Refreshing { changes: Changes { db, entropy, vault, notary, feed }, tokens, context } = with;
    let (now, digest_of_used) = (context.received_at, digest(token));
    let mut tx = db.system_tx(OperationalPath::RefreshSession).await?;
    let Some(row) = sql::lock_refresh(&mut tx, notary, &digest_of_used).await? else {
        return Err(RefreshRefusal::Invalid);
    };
    if row.session_over || row.session_expires_at <= now || row.expires_at <= now {
        return Err(RefreshRefusal::Invalid);
    }
    let place = RowId::new().bytes(digest_of_used.bytes());
    let at = Place { column: &vault::REFRESH_SUCCESSOR, row: place.as_bytes(), subject: None };
    let successor = match (row.used_at, &row.successor_sealed) {
        (None, _) => {
            let successor = new_token(entropy);
            let sealed = vault.seal(Owner::Cell, &at, successor.as_bytes()).await?;
            let used = sql::mark_used(&mut tx, notary, &digest_of_used, &row, now, &sealed).await?;
            let expires_at = row.session_expires_at.min(now + IDLE_LIFETIME);
            let fresh = sql::insert_refresh(&mut tx, notary, &digest(&successor), row.session, now, expires_at).await?;
            let entry = Entry::about(Action::SessionRefreshed, row.session).changing([used, fresh]);
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
            let changed = end_all(with.changes, context, row.user).await?;
            feed.barrier(changed).await?;
            return Err(RefreshRefusal::Reused);
        }
    };
    let access_token = tokens.issue(row.user, row.session, now).map_err(RefreshRefusal::Sign)?;
    Ok(TokenPair { access_token, refresh_token: successor, expires_in: ACCESS_TOKEN_TTL.whole_seconds() })
}

/// Ends every session of a person whose refresh token came back. Several that notice at once leave one entry.
async fn end_all(changes: &Changes, context: &RequestContext, user: UserId) -> Result<Option<Xid>, DbError> {
    let Changes { db, entropy, notary, .. } = changes;
    let mut tx = db.system_tx(OperationalPath::RefreshSession).await?;
    let ended = sql::end_all_of(&mut tx, notary, user, context.received_at).await?;
    let count = ended.len();
    if count == 0 {
        tx.finish_reading().await?;
        return Ok(None);
    }
    let entry = Entry::about(Action::RefreshTokenReused, user).with(json!({"sessions_ended": count})).changing(ended);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &user.to_string(), &entry).await?;
    let changed = tx.xid().await?;
    tx.commit(recorded).await?;
    tracing::warn!(event = "refresh_token_reused", user_id = %user, sessions_ended = count);
    Ok(Some(changed))
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

/// Ends the session that either token names. Tokens that name none are no error: it is over either way.
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
    let session = match (access, refresh) {
        (Some(session), _) => Some(session),
        (None, Some(token)) => sql::session_of_refresh(&mut tx, &digest(token)).await?,
        (None, None) => None,
    };
    let Some(session) = session else {
        tx.finish_reading().await?;
        return Ok(Ended::Nothing);
    };
    match sql::end(&mut tx, notary, session, context.received_at).await? {
        Some((user, stamp)) => {
            let entry = Entry::about(Action::SignedOut, session).changing([stamp]);
            let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &user.to_string(), &entry).await?;
            let changed = tx.xid().await?;
            tx.commit(recorded).await?;
            Ok(Ended::Now(changed))
        }
        None => {
            tx.finish_reading().await?;
            Ok(Ended::Before)
        }
    }
}

fn new_token(entropy: &Entropy) -> String {
    URL_SAFE_NO_PAD.encode(entropy.bytes::<32>())
}

fn digest(token: &str) -> TokenDigest {
    TokenDigest::of(token.as_bytes())
}
