//! Authenticators, recovery codes and second steps, on their operational paths.

use bailiwick_proof::id::{AuthenticatorId, Id, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::holder::Holder;
use super::second_step::Step;
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Person};
use crate::db::{DbError, SystemTx};

/// Whether a workspace of the person's demands a factor. A membership that nobody vouches for makes it stricter at most.
pub(super) async fn is_demanded(tx: &mut SystemTx, user: UserId) -> Result<bool, DbError> {
    let demanded = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM memberships WHERE user_id = $1 AND ended_at IS NULL AND strong_only) AS "demanded!""#,
        user.uuid()
    );
    Ok(demanded.fetch_one(tx.connection()?).await?)
}

/// An authenticator that was not removed.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) user: UserId,
    pub(super) name: String,
    pub(super) secret_sealed: Option<Vec<u8>>,
    pub(super) created_at: OffsetDateTime,
    pub(super) confirmed_at: Option<OffsetDateTime>,
    pub(super) last_step: i64,
    pub(super) last_used_at: Option<OffsetDateTime>,
    pub(super) removed_at: Option<OffsetDateTime>,
    pub(super) version: i64,
    pub(super) epoch: i64,
}

impl Row {
    pub(super) const fn authenticator(&self) -> AuthenticatorId {
        Id::from_uuid(self.id)
    }

    fn vouched(&self, version: i64) -> rows::AuthenticatorRow {
        rows::AuthenticatorRow {
            id: self.id,
            user: self.user.uuid(),
            version,
            created_at: self.created_at,
            confirmed_at: self.confirmed_at,
            last_step: self.last_step,
            removed_at: self.removed_at,
            epoch: self.epoch,
        }
    }
}

/// Those of a person's epoch that somebody vouches for, the oldest first; those that were never confirmed too. Whoever changes one
/// holds the person.
pub(super) async fn authenticators(tx: &mut SystemTx, notary: &Notary, person: &Person) -> Result<Vec<Row>, DbError> {
    let (user, epoch) = (person.user, person.factor_epoch);
    let all = sqlx::query!(
        "SELECT id, name, secret_sealed, created_at, confirmed_at, last_step, last_used_at, version, mac
         FROM authenticators WHERE user_id = $1 AND epoch = $2 AND removed_at IS NULL ORDER BY id",
        user.uuid(),
        epoch
    )
    .fetch_all(tx.connection()?)
    .await?;
    let mut vouched = Vec::with_capacity(all.len());
    for row in all {
        let found = Row {
            id: row.id,
            user,
            name: row.name,
            secret_sealed: row.secret_sealed,
            created_at: row.created_at,
            confirmed_at: row.confirmed_at,
            last_step: row.last_step,
            last_used_at: row.last_used_at,
            removed_at: None,
            version: row.version,
            epoch,
        };
        if notary.vouches(&found.vouched(found.version), &row.mac).await? {
            vouched.push(found);
        }
    }
    Ok(vouched)
}

pub(super) async fn insert_authenticator(tx: &mut SystemTx, notary: &Notary, row: &Row) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&row.vouched(row.version));
    sqlx::query!(
        "INSERT INTO authenticators (id, user_id, name, secret_sealed, created_at, mac, epoch)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        row.id,
        row.user.uuid(),
        row.name,
        row.secret_sealed,
        row.created_at,
        &vouching.mac,
        row.epoch
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Writes what became of one. A removed one keeps neither secret nor name.
pub(super) async fn keep_authenticator(tx: &mut SystemTx, notary: &Notary, row: &mut Row) -> Result<Stamp, DbError> {
    row.version += 1;
    let vouching = notary.vouch(&row.vouched(row.version));
    sqlx::query!(
        "UPDATE authenticators SET confirmed_at = $2, last_step = $3, last_used_at = $4, removed_at = $5, mac = $6,
             secret_sealed = CASE WHEN $5::timestamptz IS NULL THEN secret_sealed END,
             name = CASE WHEN $5::timestamptz IS NULL THEN name ELSE '' END
         WHERE id = $1",
        row.id,
        row.confirmed_at,
        row.last_step,
        row.last_used_at,
        row.removed_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// What the person has besides in this epoch, if somebody vouches for it. Whoever changes it holds the person.
pub(super) async fn holder(tx: &mut SystemTx, notary: &Notary, person: &Person) -> Result<Option<Holder>, DbError> {
    let (user, epoch) = (person.user, person.factor_epoch);
    let row = sqlx::query!(
        "SELECT recovery_codes, codes_made_at, failures, failed_at, version, mac
         FROM factor_holders WHERE user_id = $1 AND epoch = $2",
        user.uuid(),
        epoch
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let holder = Holder {
        user,
        version: row.version,
        recovery_codes: row.recovery_codes,
        codes_made_at: row.codes_made_at,
        failures: row.failures,
        failed_at: row.failed_at,
        epoch,
    };
    Ok(notary.vouches(&holder.row(holder.version), &row.mac).await?.then_some(holder))
}

/// One of whom nothing is known yet, in place of whatever stands there and counts for nothing. Its version goes on.
pub(super) async fn fresh_holder(tx: &mut SystemTx, person: &Person) -> Result<Holder, DbError> {
    let (user, epoch) = (person.user, person.factor_epoch);
    let stands = sqlx::query_scalar!("SELECT version FROM factor_holders WHERE user_id = $1", user.uuid());
    Ok(Holder::new(user, stands.fetch_optional(tx.connection()?).await?.unwrap_or_default(), epoch))
}

/// Writes what became of it.
pub(super) async fn keep_holder(tx: &mut SystemTx, notary: &Notary, holder: &mut Holder) -> Result<Stamp, DbError> {
    holder.version += 1;
    let vouching = notary.vouch(&holder.row(holder.version));
    sqlx::query!(
        "INSERT INTO factor_holders (user_id, recovery_codes, codes_made_at, failures, failed_at, mac, epoch)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (user_id) DO UPDATE SET recovery_codes = excluded.recovery_codes,
             codes_made_at = excluded.codes_made_at, failures = excluded.failures, failed_at = excluded.failed_at,
             mac = excluded.mac, epoch = excluded.epoch",
        holder.user.uuid(),
        &holder.recovery_codes,
        holder.codes_made_at,
        holder.failures,
        holder.failed_at,
        &vouching.mac,
        holder.epoch
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

pub(super) async fn insert_step(
    tx: &mut SystemTx,
    notary: &Notary,
    step: &Step,
    now: OffsetDateTime,
) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&step.row());
    sqlx::query!(
        "INSERT INTO second_steps (id, user_id, token_digest, signed_in_by, created_at, expires_at, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        step.id,
        step.user.uuid(),
        step.token_digest,
        step.signed_in_by,
        now,
        step.expires_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// One that somebody vouches for.
pub(super) async fn step(tx: &mut SystemTx, notary: &Notary, id: Uuid) -> Result<Option<Step>, DbError> {
    let row = sqlx::query!(
        "SELECT user_id, token_digest, signed_in_by, expires_at, tries, ended_at, mac
         FROM second_steps WHERE id = $1",
        id
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let step = Step {
        id,
        user: Id::from_uuid(row.user_id),
        token_digest: row.token_digest,
        signed_in_by: row.signed_in_by,
        expires_at: row.expires_at,
        tries: row.tries,
        ended_at: row.ended_at,
    };
    Ok(notary.vouches(&step.row(), &row.mac).await?.then_some(step))
}

/// Those of a person that may still come to something.
pub(super) async fn open_steps(tx: &mut SystemTx, user: UserId, now: OffsetDateTime) -> Result<Vec<Uuid>, DbError> {
    let open = sqlx::query_scalar!(
        "SELECT id FROM second_steps WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY id",
        user.uuid(),
        now
    );
    Ok(open.fetch_all(tx.connection()?).await?)
}

/// Writes what became of it.
pub(super) async fn keep_step(tx: &mut SystemTx, notary: &Notary, step: &Step) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&step.row());
    sqlx::query!(
        "UPDATE second_steps SET tries = $2, ended_at = $3, mac = $4 WHERE id = $1",
        step.id,
        step.tries,
        step.ended_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}
