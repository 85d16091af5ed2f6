//! Sessions and refresh tokens, on their operational paths.

use bailiwick_proof::id::{Id, SessionId, UserId};
use time::OffsetDateTime;

use crate::authn::TokenDigest;
use crate::db::{DbError, SystemTx};

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
    session: SessionId,
    user: UserId,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        session.uuid(),
        user.uuid(),
        now,
        expires_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn insert_refresh(
    tx: &mut SystemTx,
    digest: &TokenDigest,
    session: SessionId,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO refresh_tokens (digest, session_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)",
        digest.bytes().as_slice(),
        session.uuid(),
        now,
        expires_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn lock_refresh(tx: &mut SystemTx, digest: &TokenDigest) -> Result<Option<RefreshRow>, DbError> {
    let row = sqlx::query!(
        r#"SELECT r.session_id, r.expires_at, r.used_at, r.successor_sealed, s.user_id, s.expires_at AS session_expires_at,
             (s.revoked_at IS NOT NULL OR u.suspended_at IS NOT NULL) AS "session_over!"
         FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id
         WHERE r.digest = $1 FOR UPDATE OF r, s"#,
        digest.bytes().as_slice()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| RefreshRow {
        session: Id::from_uuid(row.session_id),
        user: Id::from_uuid(row.user_id),
        expires_at: row.expires_at,
        used_at: row.used_at,
        successor_sealed: row.successor_sealed,
        session_expires_at: row.session_expires_at,
        session_over: row.session_over,
    }))
}

pub(super) async fn mark_used(
    tx: &mut SystemTx,
    digest: &TokenDigest,
    now: OffsetDateTime,
    successor_sealed: &[u8],
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE refresh_tokens SET used_at = $2, successor_sealed = $3 WHERE digest = $1",
        digest.bytes().as_slice(),
        now,
        successor_sealed
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// How many were ended. Locks them in the order of their ids, so that two who do this do not wait for each other.
pub(super) async fn end_all_of(tx: &mut SystemTx, user: UserId, now: OffsetDateTime) -> Result<u64, DbError> {
    let done = sqlx::query!(
        "WITH alive AS (SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id FOR UPDATE)
         UPDATE sessions SET revoked_at = $2 FROM alive WHERE sessions.id = alive.id",
        user.uuid(),
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected())
}

pub(super) async fn session_of_refresh(tx: &mut SystemTx, digest: &TokenDigest) -> Result<Option<SessionId>, DbError> {
    let session =
        sqlx::query_scalar!("SELECT session_id FROM refresh_tokens WHERE digest = $1", digest.bytes().as_slice())
            .fetch_optional(tx.connection()?)
            .await?;
    Ok(session.map(Id::from_uuid))
}

/// Whose session it was, if it was alive until now.
pub(super) async fn end(tx: &mut SystemTx, session: SessionId, now: OffsetDateTime) -> Result<Option<UserId>, DbError> {
    let user = sqlx::query_scalar!(
        "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING user_id",
        session.uuid(),
        now
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(user.map(Id::from_uuid))
}
