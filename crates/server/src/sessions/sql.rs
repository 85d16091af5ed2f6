//! Sessions and refresh tokens, on their operational paths.

use bailiwick_proof::id::{Id, SessionId, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Opening, Session};
use crate::authn::TokenDigest;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::vouched::{Vouching, rows};
use crate::authz::{Notary, SignedIn};
use crate::db::{AccountTx, DbError, Lock, SystemTx};

/// A refresh token with its session, both locked.
pub(super) struct RefreshRow {
    pub(super) session: SessionId,
    pub(super) user: UserId,
    pub(super) expires_at: OffsetDateTime,
    pub(super) used_at: Option<OffsetDateTime>,
    pub(super) successor_sealed: Option<Vec<u8>>,
    pub(super) session_expires_at: OffsetDateTime,
    /// Ended, or its person suspended.
    pub(super) session_over: bool,
}

pub(super) async fn insert_session(
    tx: &mut SystemTx,
    notary: &Notary,
    session: SessionId,
    opening: &Opening<'_>,
    expires_at: OffsetDateTime,
) -> Result<Stamp, DbError> {
    let (id, user, strong) = (session.uuid(), opening.person.user.uuid(), opening.strong);
    let vouching = notary.vouch(&rows::SessionRow { id, user, version: 1, expires_at, revoked_at: None, strong });
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, created_at, expires_at, mac, device, signed_in_by, strong)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id,
        user,
        opening.now,
        expires_at,
        &vouching.mac,
        opening.seen.device,
        opening.by.as_str(),
        strong
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

pub(super) async fn insert_refresh(
    tx: &mut SystemTx,
    notary: &Notary,
    digest: &TokenDigest,
    session: SessionId,
    (now, network): (OffsetDateTime, Option<&str>),
    expires_at: OffsetDateTime,
) -> Result<Stamp, DbError> {
    let (digest, session) = (digest.bytes().as_slice(), session.uuid());
    let vouching = notary.vouch(&rows::RefreshTokenRow { digest, session, expires_at, used_at: None });
    sqlx::query!(
        "INSERT INTO refresh_tokens (digest, session_id, issued_at, expires_at, mac, network)
         VALUES ($1, $2, $3, $4, $5, $6)",
        digest,
        session,
        now,
        expires_at,
        &vouching.mac,
        network
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// A refresh token, with its session and person, if somebody vouches for all three.
pub(super) async fn lock_refresh(
    tx: &mut SystemTx,
    notary: &Notary,
    digest: &TokenDigest,
) -> Result<Option<RefreshRow>, DbError> {
    let digest = digest.bytes().as_slice();
    let row = sqlx::query!(
        "SELECT r.session_id, r.expires_at, r.used_at, r.successor_sealed, r.mac,
             s.user_id, s.version AS session_version, s.expires_at AS session_expires_at, s.revoked_at, s.strong, s.mac AS session_mac,
             u.version AS user_version, u.email, u.email_key, u.suspended_at, u.strong_since, u.mac AS user_mac
         FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id
         WHERE r.digest = $1 FOR UPDATE OF r, s",
        digest
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (id, user, expires_at, used_at) = (row.session_id, row.user_id, row.expires_at, row.used_at);
    let token = rows::RefreshTokenRow { digest, session: id, expires_at, used_at };
    let session = rows::SessionRow {
        id,
        user,
        version: row.session_version,
        expires_at: row.session_expires_at,
        revoked_at: row.revoked_at,
        strong: row.strong,
    };
    let person = rows::UserRow {
        id: user,
        version: row.user_version,
        email: &row.email,
        email_key: &row.email_key,
        suspended_at: row.suspended_at,
        strong_since: row.strong_since,
    };
    let vouched = notary.vouches(&token, &row.mac).await?
        && notary.vouches(&session, &row.session_mac).await?
        && notary.vouches(&person, &row.user_mac).await?;
    Ok(vouched.then(|| RefreshRow {
        session: Id::from_uuid(id),
        user: Id::from_uuid(user),
        expires_at,
        used_at,
        successor_sealed: row.successor_sealed,
        session_expires_at: row.session_expires_at,
        session_over: row.revoked_at.is_some()
            || row.suspended_at.is_some()
            || (row.strong_since.is_some() && !row.strong),
    }))
}

/// A token that was used, and the one in its place, in one statement.
pub(super) async fn exchange(
    tx: &mut SystemTx,
    notary: &Notary,
    (used, row, successor_sealed): (&TokenDigest, &RefreshRow, &[u8]),
    (fresh, network, fresh_until): (&TokenDigest, Option<&str>, OffsetDateTime),
    now: OffsetDateTime,
) -> Result<[Stamp; 2], DbError> {
    let (session, used, fresh) = (row.session.uuid(), used.bytes().as_slice(), fresh.bytes().as_slice());
    let (expires_at, used_at) = (row.expires_at, Some(now));
    let of_used = notary.vouch(&rows::RefreshTokenRow { digest: used, session, expires_at, used_at });
    let (expires_at, used_at) = (fresh_until, None);
    let of_fresh = notary.vouch(&rows::RefreshTokenRow { digest: fresh, session, expires_at, used_at });
    sqlx::query!(
        "WITH used AS (UPDATE refresh_tokens SET used_at = $2, successor_sealed = $3, mac = $4 WHERE digest = $1)
         INSERT INTO refresh_tokens (digest, session_id, issued_at, expires_at, mac, network) VALUES ($5, $6, $2, $7, $8, $9)",
        used,
        now,
        successor_sealed,
        &of_used.mac,
        fresh,
        session,
        fresh_until,
        &of_fresh.mac,
        network
    )
    .execute(tx.connection()?)
    .await?;
    Ok([of_used.stamp, of_fresh.stamp])
}

/// Those that were ended, of all that their time has not; one may stay. Locks them in the order of their ids, so that two who do this do not wait for each other.
pub(super) async fn end_all_of(
    tx: &mut SystemTx,
    notary: &Notary,
    user: UserId,
    but: Option<SessionId>,
    now: OffsetDateTime,
) -> Result<Vec<Stamp>, DbError> {
    Lock::Person(user).take(tx.connection()?).await?;
    let alive = sqlx::query!(
        "SELECT id, version, expires_at, strong FROM sessions
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND id IS DISTINCT FROM $3
         ORDER BY id FOR UPDATE",
        user.uuid(),
        now,
        but.map(Id::uuid)
    )
    .fetch_all(tx.connection()?)
    .await?;
    let (user, revoked_at) = (user.uuid(), Some(now));
    let ended = alive.iter().map(|row| rows::SessionRow {
        id: row.id,
        user,
        version: row.version + 1,
        expires_at: row.expires_at,
        revoked_at,
        strong: row.strong,
    });
    let (mut ids, mut macs, mut stamps) = (Vec::new(), Vec::new(), Vec::new());
    for row in ended {
        let Vouching { mac, stamp } = notary.vouch(&row);
        ids.push(row.id);
        macs.push(mac);
        stamps.push(stamp);
    }
    sqlx::query!(
        "UPDATE sessions SET revoked_at = $3, mac = ended.mac
         FROM unnest($1::uuid[], $2::bytea[]) AS ended (id, mac) WHERE sessions.id = ended.id",
        &ids,
        &macs,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(stamps)
}

pub(super) async fn session_of_refresh(tx: &mut SystemTx, digest: &TokenDigest) -> Result<Option<SessionId>, DbError> {
    let session =
        sqlx::query_scalar!("SELECT session_id FROM refresh_tokens WHERE digest = $1", digest.bytes().as_slice())
            .fetch_optional(tx.connection()?)
            .await?;
    Ok(session.map(Id::from_uuid))
}

/// Whose session it is, with a stamp if it was alive until now; of somebody's own alone if `of` names them.
pub(super) async fn end(
    tx: &mut SystemTx,
    notary: &Notary,
    session: SessionId,
    of: Option<UserId>,
    now: OffsetDateTime,
) -> Result<Option<(UserId, Option<Stamp>)>, DbError> {
    let id = session.uuid();
    let whose = sqlx::query_scalar!("SELECT user_id FROM sessions WHERE id = $1", id);
    let Some(user) = whose.fetch_optional(tx.connection()?).await? else { return Ok(None) };
    Lock::Person(Id::from_uuid(user)).take(tx.connection()?).await?;
    let row = sqlx::query!(
        "SELECT user_id, version, expires_at, revoked_at, strong FROM sessions
         WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) FOR UPDATE",
        id,
        of.map(Id::uuid)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (user, version, expires_at, strong) = (row.user_id, row.version + 1, row.expires_at, row.strong);
    if row.revoked_at.is_some() {
        return Ok(Some((Id::from_uuid(user), None)));
    }
    let vouching = notary.vouch(&rows::SessionRow { id, user, version, expires_at, revoked_at: Some(now), strong });
    sqlx::query!("UPDATE sessions SET revoked_at = $2, mac = $3 WHERE id = $1", id, now, &vouching.mac)
        .execute(tx.connection()?)
        .await?;
    Ok(Some((Id::from_uuid(user), Some(vouching.stamp))))
}

/// Until when a session lives that somebody vouches for, and whether it is strong.
pub(super) async fn living(
    tx: &mut SystemTx,
    notary: &Notary,
    (user, session): (UserId, SessionId),
    now: OffsetDateTime,
) -> Result<Option<(OffsetDateTime, bool)>, DbError> {
    let (id, user) = (session.uuid(), user.uuid());
    let row = sqlx::query!(
        "SELECT version, expires_at, strong, mac FROM sessions
         WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3",
        id,
        user,
        now
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (version, expires_at, strong) = (row.version, row.expires_at, row.strong);
    let own = rows::SessionRow { id, user, version, expires_at, revoked_at: None, strong };
    Ok(notary.vouches(&own, &row.mac).await?.then_some((expires_at, strong)))
}

/// At most so many sessions of the person that live, the newest first, each with whether somebody vouches for it.
pub(super) async fn list(
    tx: &mut AccountTx,
    notary: &Notary,
    person: &SignedIn,
    (after, limit): (Option<Uuid>, i64),
    now: OffsetDateTime,
) -> Result<Vec<(Session, bool)>, DbError> {
    let user = tx.user().uuid();
    let all = sqlx::query!(
        r#"SELECT s.id, s.created_at, s.expires_at, s.version, s.strong, s.mac, s.device, s.signed_in_by,
               t.issued_at AS "issued_at!", t.network
           FROM sessions s CROSS JOIN LATERAL (SELECT r.issued_at, r.expires_at, r.network FROM refresh_tokens r
               WHERE r.session_id = s.id ORDER BY r.issued_at DESC LIMIT 1) AS t
           WHERE s.user_id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND t.expires_at > $2
             AND ($3::uuid IS NULL OR s.id < $3)
           ORDER BY s.id DESC LIMIT $4"#,
        user,
        now,
        after,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let mut sessions = Vec::with_capacity(all.len());
    for row in all {
        let (id, version, expires_at, strong) = (row.id, row.version, row.expires_at, row.strong);
        let own = rows::SessionRow { id, user, version, expires_at, revoked_at: None, strong };
        let vouched = notary.vouches(&own, &row.mac).await?;
        let id = Id::from_uuid(id);
        let session = Session {
            id,
            device: row.device,
            network: row.network,
            signed_in_by: row.signed_in_by,
            strong,
            first_seen_at: row.created_at,
            last_seen_at: row.issued_at,
            expires_at,
            current: id == person.session(),
        };
        sessions.push((session, vouched));
    }
    Ok(sessions)
}
