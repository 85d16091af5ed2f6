//! Challenges and people, on their operational paths.

use bailiwick_proof::id::{Id, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::EmailAddress;
use crate::authn::TokenDigest;
use crate::authz::Notary;
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::db::{DbError, SystemTx};

/// What is stored of a challenge's three secrets.
pub(super) struct Digests {
    pub(super) challenge: TokenDigest,
    pub(super) token: TokenDigest,
    pub(super) code: Vec<u8>,
}

/// A challenge, locked until the transaction ends, so that one redemption of many wins.
pub(super) struct ChallengeRow {
    id: Uuid,
    email: String,
    pub(super) email_key: String,
    pub(super) challenge_digest: Vec<u8>,
    pub(super) token_digest: Vec<u8>,
    pub(super) code_digest: Vec<u8>,
    pub(super) expires_at: OffsetDateTime,
    pub(super) code_tries: i16,
    pub(super) redeemed_at: Option<OffsetDateTime>,
    mac: Vec<u8>,
}

impl ChallengeRow {
    /// One that nobody has tried yet.
    pub(super) fn new(id: Uuid, email: &EmailAddress, digests: Digests, expires_at: OffsetDateTime) -> Self {
        Self {
            id,
            email: email.as_str().to_owned(),
            email_key: email.key(),
            challenge_digest: digests.challenge.bytes().to_vec(),
            token_digest: digests.token.bytes().to_vec(),
            code_digest: digests.code,
            expires_at,
            code_tries: 0,
            redeemed_at: None,
            mac: Vec::new(),
        }
    }

    fn vouched(&self) -> rows::ChallengeRow<'_> {
        rows::ChallengeRow {
            id: self.id,
            email: &self.email,
            email_key: &self.email_key,
            challenge_digest: &self.challenge_digest,
            token_digest: &self.token_digest,
            code_digest: &self.code_digest,
            expires_at: self.expires_at,
            code_tries: self.code_tries,
            redeemed_at: self.redeemed_at,
        }
    }
}

pub(super) async fn insert_challenge(
    tx: &mut SystemTx,
    notary: &Notary,
    row: &ChallengeRow,
    now: OffsetDateTime,
) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&row.vouched());
    sqlx::query!(
        "INSERT INTO sign_in_challenges
             (id, email, email_key, challenge_digest, token_digest, code_digest, created_at, expires_at, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        row.id,
        row.email,
        row.email_key,
        row.challenge_digest,
        row.token_digest,
        row.code_digest,
        now,
        row.expires_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// A challenge that somebody vouches for.
pub(super) async fn lock_challenge(
    tx: &mut SystemTx,
    notary: &Notary,
    id: Uuid,
) -> Result<Option<ChallengeRow>, DbError> {
    let row = sqlx::query_as!(
        ChallengeRow,
        "SELECT id, email, email_key, challenge_digest, token_digest, code_digest, expires_at, code_tries, redeemed_at, mac
         FROM sign_in_challenges WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(notary.vouches(&row.vouched(), &row.mac).await?.then_some(row))
}

/// Writes what became of a challenge: a code that was tried, a redemption.
pub(super) async fn keep_challenge(tx: &mut SystemTx, notary: &Notary, row: &ChallengeRow) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&row.vouched());
    sqlx::query!(
        "UPDATE sign_in_challenges SET code_tries = $2, redeemed_at = $3, mac = $4 WHERE id = $1",
        row.id,
        row.code_tries,
        row.redeemed_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Something if the address was nobody's before.
pub(super) async fn insert_user(
    tx: &mut SystemTx,
    notary: &Notary,
    user: UserId,
    challenge: &ChallengeRow,
    now: OffsetDateTime,
) -> Result<Option<Stamp>, DbError> {
    let ChallengeRow { email, email_key, .. } = challenge;
    let vouching = notary.vouch(&rows::UserRow { id: user.uuid(), version: 1, email, email_key, suspended_at: None });
    let done = sqlx::query!(
        "INSERT INTO users (id, email, email_key, created_at, mac) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (email_key) DO NOTHING",
        user.uuid(),
        email,
        email_key,
        now,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok((done.rows_affected() == 1).then_some(vouching.stamp))
}

/// The person with this address, if somebody vouches for them, and since when they are suspended.
pub(super) async fn user_by_email_key(
    tx: &mut SystemTx,
    notary: &Notary,
    email_key: &str,
) -> Result<Option<(UserId, Option<OffsetDateTime>)>, DbError> {
    let row = sqlx::query!("SELECT id, version, email, suspended_at, mac FROM users WHERE email_key = $1", email_key)
        .fetch_optional(tx.connection()?)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (id, version, email, suspended_at) = (row.id, row.version, &row.email, row.suspended_at);
    let vouched = notary.vouches(&rows::UserRow { id, version, email, email_key, suspended_at }, &row.mac).await?;
    Ok(vouched.then(|| (Id::from_uuid(id), suspended_at)))
}
