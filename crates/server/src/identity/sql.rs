//! Challenges and people, on their operational paths.

use bailiwick_proof::id::UserId;
use time::OffsetDateTime;
use uuid::Uuid;

use super::EmailAddress;
use super::model::CHALLENGE_TTL;
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

/// A challenge.
pub(super) struct ChallengeRow {
    pub(super) id: Uuid,
    email: String,
    pub(super) email_key: String,
    pub(super) challenge_digest: Vec<u8>,
    pub(super) token_digest: Vec<u8>,
    pub(super) code_digest: Vec<u8>,
    pub(super) expires_at: OffsetDateTime,
    pub(super) code_tries: i16,
    pub(super) redeemed_at: Option<OffsetDateTime>,
    /// The challenge whose mail stands for this one's, where none went out.
    pub(super) merged_into: Option<Uuid>,
    mac: Vec<u8>,
}

/// A challenge that somebody vouches for, and the one whose mail to its address is the newest.
pub(super) struct Challenged {
    pub(super) challenge: ChallengeRow,
    pub(super) newest: Option<Uuid>,
}

impl ChallengeRow {
    /// One that nobody has tried yet.
    pub(super) fn new(
        id: Uuid,
        email: &EmailAddress,
        digests: Digests,
        merged_into: Option<Uuid>,
        expires_at: OffsetDateTime,
    ) -> Self {
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
            merged_into,
            mac: Vec::new(),
        }
    }

    /// Whether it still signs in.
    pub(super) fn is_open(&self, now: OffsetDateTime) -> bool {
        self.redeemed_at.is_none() && self.expires_at > now
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
            merged_into: self.merged_into,
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
             (id, email, email_key, challenge_digest, token_digest, code_digest, created_at, expires_at, merged_into, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        row.id,
        row.email,
        row.email_key,
        row.challenge_digest,
        row.token_digest,
        row.code_digest,
        now,
        row.expires_at,
        row.merged_into,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// A challenge that somebody vouches for, locked until the transaction ends, so that one redemption of many wins. Whoever holds a
/// person as well holds them before.
pub(super) async fn lock_challenge(
    tx: &mut SystemTx,
    notary: &Notary,
    id: Uuid,
) -> Result<Option<Challenged>, DbError> {
    sqlx::query!("SELECT FROM sign_in_challenges WHERE id = $1 FOR UPDATE", id).execute(tx.connection()?).await?;
    look_at_challenge(tx, notary, id).await
}

/// The same without the lock.
pub(super) async fn look_at_challenge(
    tx: &mut SystemTx,
    notary: &Notary,
    id: Uuid,
) -> Result<Option<Challenged>, DbError> {
    let row = sqlx::query!(
        r#"SELECT c.id, c.email, c.email_key, c.challenge_digest, c.token_digest, c.code_digest, c.expires_at, c.code_tries,
               c.redeemed_at, c.merged_into, c.mac, b.newest AS "newest?"
           FROM sign_in_challenges c LEFT JOIN sign_in_mail_budgets b ON b.email_key = c.email_key
           WHERE c.id = $1"#,
        id
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let challenge = ChallengeRow {
        id: row.id,
        email: row.email,
        email_key: row.email_key,
        challenge_digest: row.challenge_digest,
        token_digest: row.token_digest,
        code_digest: row.code_digest,
        expires_at: row.expires_at,
        code_tries: row.code_tries,
        redeemed_at: row.redeemed_at,
        merged_into: row.merged_into,
        mac: row.mac,
    };
    let vouched = notary.vouches(&challenge.vouched(), &challenge.mac).await?;
    Ok(vouched.then_some(Challenged { challenge, newest: row.newest }))
}

/// Those of these challenges that somebody vouches for, without a lock.
pub(super) async fn look_at_challenges(
    tx: &mut SystemTx,
    notary: &Notary,
    ids: &[Uuid],
) -> Result<Vec<ChallengeRow>, DbError> {
    let rows = sqlx::query_as!(
        ChallengeRow,
        "SELECT id, email, email_key, challenge_digest, token_digest, code_digest, expires_at, code_tries, redeemed_at,
             merged_into, mac
         FROM sign_in_challenges WHERE id = ANY($1)",
        ids
    )
    .fetch_all(tx.connection()?)
    .await?;
    let mut vouched = Vec::with_capacity(rows.len());
    for row in rows {
        if notary.vouches(&row.vouched(), &row.mac).await? {
            vouched.push(row);
        }
    }
    Ok(vouched)
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

/// Uses up what was asked for with this address and still signs in: whoever had the address has given it up.
///
/// # Errors
/// [`DbError`].
pub async fn void_challenges(
    tx: &mut SystemTx,
    notary: &Notary,
    email_key: &str,
    now: OffsetDateTime,
) -> Result<Vec<Stamp>, DbError> {
    // None that is older than this is open, by whichever clock it was made: so few partitions are looked at.
    let oldest = (now - CHALLENGE_TTL - CHALLENGE_TTL).unix_timestamp_nanos() / 1_000_000;
    let oldest = Uuid::from_u128(u128::try_from(oldest).unwrap_or_default() << 80);
    let open = sqlx::query_as!(
        ChallengeRow,
        "SELECT id, email, email_key, challenge_digest, token_digest, code_digest, expires_at, code_tries, redeemed_at,
             merged_into, mac
         FROM sign_in_challenges
         WHERE id >= $1 AND email_key = $2 AND redeemed_at IS NULL AND expires_at > $3 ORDER BY id FOR UPDATE",
        oldest,
        email_key,
        now
    )
    .fetch_all(tx.connection()?)
    .await?;
    let (mut ids, mut macs, mut stamps) = (Vec::new(), Vec::new(), Vec::new());
    for mut row in open {
        if notary.vouches(&row.vouched(), &row.mac).await? {
            row.redeemed_at = Some(now);
            let vouching = notary.vouch(&row.vouched());
            ids.push(row.id);
            macs.push(vouching.mac);
            stamps.push(vouching.stamp);
        }
    }
    sqlx::query!(
        "UPDATE sign_in_challenges SET redeemed_at = $3, mac = voided.mac
         FROM unnest($1::uuid[], $2::bytea[]) AS voided (id, mac) WHERE sign_in_challenges.id = voided.id",
        &ids,
        &macs,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(stamps)
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
    let vouching = notary.vouch(&rows::UserRow {
        id: user.uuid(),
        version: 1,
        email,
        email_key,
        suspended_at: None,
        strong_since: None,
        session_epoch: 0,
        factor_epoch: 0,
    });
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

/// The address under which its person is known, if somebody vouches for them; otherwise as it was typed. Both take the same way.
pub(super) async fn stored_address(
    tx: &mut SystemTx,
    notary: &Notary,
    typed: EmailAddress,
) -> Result<EmailAddress, DbError> {
    let email_key = typed.key();
    let found = sqlx::query!(
        "SELECT id, version, email, suspended_at, strong_since, session_epoch, factor_epoch, mac
         FROM users WHERE email_key = $1",
        email_key
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let (email, mac) = match &found {
        Some(row) => (row.email.clone(), Some(row.mac.clone())),
        None => (typed.as_str().to_owned(), None),
    };
    let row = rows::UserRow {
        id: found.as_ref().map_or(Uuid::nil(), |row| row.id),
        version: found.as_ref().map_or(1, |row| row.version),
        email: &email,
        email_key: &email_key,
        suspended_at: found.as_ref().and_then(|row| row.suspended_at),
        strong_since: found.as_ref().and_then(|row| row.strong_since),
        session_epoch: found.as_ref().map_or(0, |row| row.session_epoch),
        factor_epoch: found.as_ref().map_or(0, |row| row.factor_epoch),
    };
    let made = notary.vouch(&row).mac;
    let vouched = notary.vouches(&row, mac.as_ref().unwrap_or(&made)).await?;
    Ok(if vouched { typed.stored_as(&email) } else { typed })
}

/// An address's bucket of mails.
pub(super) struct Budget {
    /// The challenge whose mail is the newest.
    pub(super) newest: Uuid,
    /// When it is full; nothing if somebody else has it locked.
    pub(super) full_at: Option<OffsetDateTime>,
}

/// Locks it, if there is one that nobody has locked. An insert that meets the row would wait for whoever is changing it, so it is
/// looked for at the same time.
pub(super) async fn lock_budget(tx: &mut SystemTx, email_key: &str) -> Result<Option<Budget>, DbError> {
    let found = sqlx::query_as!(
        Budget,
        r#"WITH own AS (SELECT newest, full_at FROM sign_in_mail_budgets WHERE email_key = $1 FOR UPDATE SKIP LOCKED)
           SELECT coalesce(own.newest, b.newest) AS "newest!", own.full_at AS "full_at?"
           FROM sign_in_mail_budgets b LEFT JOIN own ON true WHERE b.email_key = $1"#,
        email_key
    );
    Ok(found.fetch_optional(tx.connection()?).await?)
}

/// Whether there was none.
pub(super) async fn insert_budget(
    tx: &mut SystemTx,
    email_key: &str,
    full_at: OffsetDateTime,
    newest: Uuid,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "INSERT INTO sign_in_mail_budgets (email_key, full_at, newest) VALUES ($1, $2, $3)
         ON CONFLICT (email_key) DO NOTHING",
        email_key,
        full_at,
        newest
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn put_budget(
    tx: &mut SystemTx,
    email_key: &str,
    full_at: OffsetDateTime,
    newest: Uuid,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE sign_in_mail_budgets SET full_at = $2, newest = $3 WHERE email_key = $1",
        email_key,
        full_at,
        newest
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// The challenge whose mail to this address is the newest.
pub(super) async fn newest_mail(tx: &mut SystemTx, email_key: &str) -> Result<Option<Uuid>, DbError> {
    let newest = sqlx::query_scalar!("SELECT newest FROM sign_in_mail_budgets WHERE email_key = $1", email_key);
    Ok(newest.fetch_optional(tx.connection()?).await?)
}

/// Somebody has read the address's mail.
pub(super) async fn refill_budget(tx: &mut SystemTx, email_key: &str, now: OffsetDateTime) -> Result<(), DbError> {
    sqlx::query!("UPDATE sign_in_mail_budgets SET full_at = $2 WHERE email_key = $1", email_key, now)
        .execute(tx.connection()?)
        .await?;
    Ok(())
}
