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
    let epoch = opening.person.session_epoch;
    let vouching =
        notary.vouch(&rows::SessionRow { id, user, version: 1, expires_at, revoked_at: None, strong, epoch });
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, created_at, expires_at, mac, device, signed_in_by, strong, epoch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id,
        user,
        opening.now,
        expires_at,
        &vouching.mac,
        opening.seen.device,
        opening.by.as_str(),
        strong,
        epoch
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
             s.user_id, s.version AS session_version, s.expires_at AS session_expires_at, s.revoked_at, s.strong, s.epoch, s.mac AS session_mac,
             u.version AS user_version, u.email, u.email_key, u.suspended_at, u.strong_since, u.session_epoch, u.factor_epoch,
             u.mac AS user_mac
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
        epoch: row.epoch,
    };
    let person = rows::UserRow {
        id: user,
        version: row.user_version,
        email: &row.email,
        email_key: &row.email_key,
        suspended_at: row.suspended_at,
        strong_since: row.strong_since,
        session_epoch: row.session_epoch,
        factor_epoch: row.factor_epoch,
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
            || row.epoch != row.session_epoch
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

/// A session as it stands, whether or not somebody vouches for it.
struct Found {
    id: Uuid,
    version: i64,
    expires_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
    strong: bool,
    epoch: i64,
    mac: Vec<u8>,
}

impl Found {
    const fn of(&self, user: Uuid) -> rows::SessionRow {
        let Self { id, version, expires_at, revoked_at, strong, epoch, .. } = *self;
        rows::SessionRow { id, user, version, expires_at, revoked_at, strong, epoch }
    }
}

/// Ends those that live, but for one that may stay, and answers their stamps. The caller holds the person, and keeps them with another
/// epoch, `of`; one that stays goes over into it. One that nobody vouches for is reported, and ends with the others.
pub(super) async fn end_all_of(
    tx: &mut SystemTx,
    notary: &Notary,
    (user, of): (UserId, i64),
    but: Option<SessionId>,
    now: OffsetDateTime,
) -> Result<EndedAll, DbError> {
    let alive = sqlx::query_as!(
        Found,
        "SELECT id, version, expires_at, revoked_at, strong, epoch, mac FROM sessions
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY id FOR UPDATE",
        user.uuid(),
        now
    )
    .fetch_all(tx.connection()?)
    .await?;
    let (mut ids, mut ends, mut epochs, mut macs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut all = EndedAll::default();
    for found in alive {
        let mut row = found.of(user.uuid());
        let vouched = notary.vouches(&row, &found.mac).await?;
        row.version += 1;
        match but {
            Some(but) if but.uuid() == row.id && vouched => row.epoch = of,
            _ => row.revoked_at = Some(now),
        }
        let Vouching { mac, stamp } = notary.vouch(&row);
        all.count += usize::from(row.revoked_at.is_some());
        all.stamps.push(stamp);
        ids.push(row.id);
        ends.push(row.revoked_at);
        epochs.push(row.epoch);
        macs.push(mac);
    }
    sqlx::query!(
        "UPDATE sessions SET revoked_at = ended.revoked_at, epoch = ended.epoch, mac = ended.mac
         FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bytea[]) AS ended (id, revoked_at, epoch, mac)
         WHERE sessions.id = ended.id",
        &ids,
        &ends as &[Option<OffsetDateTime>],
        &epochs,
        &macs
    )
    .execute(tx.connection()?)
    .await?;
    Ok(all)
}

/// What came of ending all sessions of somebody.
#[derive(Debug, Default)]
pub struct EndedAll {
    /// How many lived until now.
    pub count: usize,
    /// For the entry: of each, of the one that stays, and of the person.
    pub stamps: Vec<Stamp>,
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
    let found = sqlx::query_as!(
        Found,
        "SELECT id, version, expires_at, revoked_at, strong, epoch, mac FROM sessions
         WHERE id = $1 AND user_id = $2 AND ($3::uuid IS NULL OR user_id = $3) FOR UPDATE",
        id,
        user,
        of.map(Id::uuid)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let mut row = found.of(user);
    // That it has ended is believed of a row that somebody vouches for: another may be hidden behind it.
    if notary.vouches(&row, &found.mac).await? && row.revoked_at.is_some() {
        return Ok(Some((Id::from_uuid(user), None)));
    }
    (row.version, row.revoked_at) = (row.version + 1, Some(now));
    let vouching = notary.vouch(&row);
    sqlx::query!("UPDATE sessions SET revoked_at = $2, mac = $3 WHERE id = $1", id, now, &vouching.mac)
        .execute(tx.connection()?)
        .await?;
    Ok(Some((Id::from_uuid(user), Some(vouching.stamp))))
}

/// Of a session that lives and that somebody vouches for: until when, whether it is strong, and of which epoch.
pub(super) async fn living(
    tx: &mut SystemTx,
    notary: &Notary,
    (user, session): (UserId, SessionId),
    now: OffsetDateTime,
) -> Result<Option<(OffsetDateTime, bool, i64)>, DbError> {
    let found = sqlx::query_as!(
        Found,
        "SELECT id, version, expires_at, revoked_at, strong, epoch, mac FROM sessions
         WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3",
        session.uuid(),
        user.uuid(),
        now
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let vouched = notary.vouches(&found.of(user.uuid()), &found.mac).await?;
    Ok(vouched.then_some((found.expires_at, found.strong, found.epoch)))
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
        r#"SELECT s.id, s.created_at, s.expires_at, s.version, s.strong, s.epoch, s.mac, s.device, s.signed_in_by,
               t.issued_at AS "issued_at!", t.network
           FROM sessions s JOIN users u ON u.id = s.user_id AND u.session_epoch = s.epoch CROSS JOIN LATERAL (SELECT r.issued_at, r.expires_at, r.network FROM refresh_tokens r
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
        let (id, version, expires_at, strong, epoch) = (row.id, row.version, row.expires_at, row.strong, row.epoch);
        let own = rows::SessionRow { id, user, version, expires_at, revoked_at: None, strong, epoch };
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
