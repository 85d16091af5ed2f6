//! Challenges and people, on their operational paths.

use bailiwick_proof::id::{Id, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::EmailAddress;
use crate::authn::TokenDigest;
use crate::db::{DbError, SystemTx};

/// What is stored of a challenge's three secrets.
pub(super) struct Digests {
    pub(super) challenge: TokenDigest,
    pub(super) token: TokenDigest,
    pub(super) code: TokenDigest,
}

/// A challenge, locked until the transaction ends, so that one redemption of many wins.
pub(super) struct ChallengeRow {
    pub(super) email: String,
    pub(super) email_key: String,
    pub(super) challenge_digest: Vec<u8>,
    pub(super) token_digest: Vec<u8>,
    pub(super) code_digest: Vec<u8>,
    pub(super) expires_at: OffsetDateTime,
    pub(super) code_tries: i16,
    pub(super) redeemed_at: Option<OffsetDateTime>,
}

pub(super) async fn insert_challenge(
    tx: &mut SystemTx,
    id: Uuid,
    email: &EmailAddress,
    digests: &Digests,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO sign_in_challenges
             (id, email, email_key, challenge_digest, token_digest, code_digest, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id,
        email.as_str(),
        email.key(),
        digests.challenge.bytes().as_slice(),
        digests.token.bytes().as_slice(),
        digests.code.bytes().as_slice(),
        now,
        expires_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn lock_challenge(tx: &mut SystemTx, id: Uuid) -> Result<Option<ChallengeRow>, DbError> {
    let row = sqlx::query_as!(
        ChallengeRow,
        "SELECT email, email_key, challenge_digest, token_digest, code_digest, expires_at, code_tries, redeemed_at
         FROM sign_in_challenges WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row)
}

pub(super) async fn count_try(tx: &mut SystemTx, id: Uuid) -> Result<(), DbError> {
    sqlx::query!("UPDATE sign_in_challenges SET code_tries = code_tries + 1 WHERE id = $1", id)
        .execute(tx.connection()?)
        .await?;
    Ok(())
}

pub(super) async fn mark_redeemed(tx: &mut SystemTx, id: Uuid, now: OffsetDateTime) -> Result<(), DbError> {
    sqlx::query!("UPDATE sign_in_challenges SET redeemed_at = $2 WHERE id = $1", id, now)
        .execute(tx.connection()?)
        .await?;
    Ok(())
}

/// True if the address was nobody's before.
pub(super) async fn insert_user(
    tx: &mut SystemTx,
    user: UserId,
    challenge: &ChallengeRow,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "INSERT INTO users (id, email, email_key, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (email_key) DO NOTHING",
        user.uuid(),
        challenge.email,
        challenge.email_key,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The person with this address, and since when they are suspended.
pub(super) async fn user_by_email_key(
    tx: &mut SystemTx,
    email_key: &str,
) -> Result<Option<(UserId, Option<OffsetDateTime>)>, DbError> {
    let row = sqlx::query!("SELECT id, suspended_at FROM users WHERE email_key = $1", email_key)
        .fetch_optional(tx.connection()?)
        .await?;
    Ok(row.map(|row| (Id::from_uuid(row.id), row.suspended_at)))
}
