//! Passkeys and ceremonies, on their operational paths; and a person's own.

use bailiwick_proof::id::{Id, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::Passkey;
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Person};
use crate::db::{AccountTx, DbError, SystemTx};

/// A passkey as it stands in its table, but for its key.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) name: String,
    pub(super) credential_id: Vec<u8>,
    pub(super) user_handle: Uuid,
    pub(super) counter: i64,
    pub(super) backup_eligible: bool,
    pub(super) backed_up: bool,
    pub(super) created_at: OffsetDateTime,
    pub(super) last_used_at: Option<OffsetDateTime>,
    pub(super) removed_at: Option<OffsetDateTime>,
    pub(super) version: i64,
    pub(super) epoch: i64,
    pub(super) mac: Vec<u8>,
}

impl Row {
    fn vouched(&self) -> rows::PasskeyRow<'_> {
        rows::PasskeyRow {
            id: self.id,
            user: self.user_id,
            version: self.version,
            user_handle: self.user_handle,
            credential_id: &self.credential_id,
            counter: self.counter,
            backup_eligible: self.backup_eligible,
            backed_up: self.backed_up,
            removed_at: self.removed_at,
            epoch: self.epoch,
        }
    }

    pub(super) fn user(&self) -> UserId {
        Id::from_uuid(self.user_id)
    }

    /// Whether somebody vouches for it, and it is there.
    async fn stands(&self, notary: &Notary) -> Result<bool, DbError> {
        Ok(notary.vouches(&self.vouched(), &self.mac).await? && self.removed_at.is_none())
    }

    pub(super) fn told(&self) -> Passkey {
        Passkey {
            id: Id::from_uuid(self.id),
            name: self.name.clone(),
            synced: self.backup_eligible,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
        }
    }
}

pub(super) async fn insert_ceremony(
    tx: &mut SystemTx,
    id: Uuid,
    sealed: &[u8],
    expires_at: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO passkey_ceremonies (id, state_sealed, expires_at) VALUES ($1, $2, $3)",
        id,
        sealed,
        expires_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// What was kept, if nobody has taken it.
pub(super) async fn take_ceremony(tx: &mut SystemTx, id: Uuid) -> Result<Option<Vec<u8>>, DbError> {
    let taken = sqlx::query_scalar!("DELETE FROM passkey_ceremonies WHERE id = $1 RETURNING state_sealed", id);
    Ok(taken.fetch_optional(tx.connection()?).await?)
}

/// The passkey that an authenticator names so, and its key, if somebody vouches for it.
pub(super) async fn by_credential(
    tx: &mut SystemTx,
    notary: &Notary,
    credential_id: &[u8],
) -> Result<Option<(Row, Vec<u8>)>, DbError> {
    let found = sqlx::query!("SELECT id, credential_sealed FROM passkeys WHERE credential_id = $1", credential_id)
        .fetch_optional(tx.connection()?)
        .await?;
    let Some((id, Some(sealed))) = found.map(|found| (found.id, found.credential_sealed)) else { return Ok(None) };
    let row = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, credential_id, user_handle, counter, backup_eligible, backed_up, created_at, last_used_at,
             removed_at, version, epoch, mac
         FROM passkeys WHERE id = $1",
        id
    )
    .fetch_optional(tx.connection()?)
    .await?;
    match row {
        Some(row) if row.stands(notary).await? => Ok(Some((row, sealed))),
        _ => Ok(None),
    }
}

/// A person's passkey, locked until the transaction ends, if it is of their epoch and somebody vouches for it.
pub(super) async fn lock(
    tx: &mut SystemTx,
    notary: &Notary,
    person: &Person,
    id: Uuid,
) -> Result<Option<Row>, DbError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, credential_id, user_handle, counter, backup_eligible, backed_up, created_at, last_used_at,
             removed_at, version, epoch, mac
         FROM passkeys WHERE id = $1 AND user_id = $2 AND epoch = $3 FOR UPDATE",
        id,
        person.user.uuid(),
        person.factor_epoch
    )
    .fetch_optional(tx.connection()?)
    .await?;
    match row {
        Some(row) if row.stands(notary).await? => Ok(Some(row)),
        _ => Ok(None),
    }
}

/// All of a person's passkeys of their epoch that somebody vouches for, the oldest first.
pub(super) async fn of_person(tx: &mut SystemTx, notary: &Notary, person: &Person) -> Result<Vec<Row>, DbError> {
    let all = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, credential_id, user_handle, counter, backup_eligible, backed_up, created_at, last_used_at,
             removed_at, version, epoch, mac
         FROM passkeys WHERE user_id = $1 AND epoch = $2 AND removed_at IS NULL ORDER BY id",
        person.user.uuid(),
        person.factor_epoch
    )
    .fetch_all(tx.connection()?)
    .await?;
    standing(all, notary).await
}

/// The same, of the person who looks.
pub(super) async fn own(tx: &mut AccountTx, notary: &Notary) -> Result<Vec<Row>, DbError> {
    let all = sqlx::query_as!(
        Row,
        "SELECT p.id, p.user_id, p.name, p.credential_id, p.user_handle, p.counter, p.backup_eligible, p.backed_up, p.created_at,
             p.last_used_at, p.removed_at, p.version, p.epoch, p.mac
         FROM passkeys p JOIN users u ON u.id = p.user_id AND u.factor_epoch = p.epoch
         WHERE p.user_id = $1 AND p.removed_at IS NULL ORDER BY p.id",
        tx.user().uuid()
    )
    .fetch_all(tx.connection()?)
    .await?;
    standing(all, notary).await
}

async fn standing(all: Vec<Row>, notary: &Notary) -> Result<Vec<Row>, DbError> {
    let mut standing = Vec::with_capacity(all.len());
    for row in all {
        if row.stands(notary).await? {
            standing.push(row);
        }
    }
    Ok(standing)
}

/// Something if nobody has the credential already.
pub(super) async fn insert(
    tx: &mut SystemTx,
    notary: &Notary,
    row: &Row,
    sealed: &[u8],
) -> Result<Option<Stamp>, DbError> {
    let vouching = notary.vouch(&row.vouched());
    let done = sqlx::query!(
        "INSERT INTO passkeys (id, user_id, name, credential_id, user_handle, credential_sealed, counter, backup_eligible, backed_up,
             created_at, mac, epoch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (credential_id) DO NOTHING",
        row.id,
        row.user_id,
        row.name,
        row.credential_id,
        row.user_handle,
        sealed,
        row.counter,
        row.backup_eligible,
        row.backed_up,
        row.created_at,
        &vouching.mac,
        row.epoch
    )
    .execute(tx.connection()?)
    .await?;
    Ok((done.rows_affected() == 1).then_some(vouching.stamp))
}

/// That it was used; something if that changes what the row grants.
pub(super) async fn note_use(
    tx: &mut SystemTx,
    notary: &Notary,
    mut row: Row,
    (counter, backed_up): (u32, bool),
    now: OffsetDateTime,
) -> Result<Option<Stamp>, DbError> {
    if row.counter == i64::from(counter) && row.backed_up == backed_up {
        sqlx::query!("UPDATE passkeys SET last_used_at = $2 WHERE id = $1", row.id, now)
            .execute(tx.connection()?)
            .await?;
        return Ok(None);
    }
    (row.counter, row.backed_up, row.version) = (counter.into(), backed_up, row.version + 1);
    let vouching = notary.vouch(&row.vouched());
    sqlx::query!(
        "UPDATE passkeys SET last_used_at = $2, counter = $3, backed_up = $4, mac = $5 WHERE id = $1",
        row.id,
        now,
        row.counter,
        backed_up,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(Some(vouching.stamp))
}

pub(super) async fn rename(tx: &mut SystemTx, id: Uuid, name: &str) -> Result<(), DbError> {
    sqlx::query!("UPDATE passkeys SET name = $2 WHERE id = $1", id, name).execute(tx.connection()?).await?;
    Ok(())
}

/// Takes its name and its key away; what stays grants nothing, and is known again.
pub(super) async fn remove(
    tx: &mut SystemTx,
    notary: &Notary,
    mut row: Row,
    now: OffsetDateTime,
) -> Result<Stamp, DbError> {
    (row.removed_at, row.version) = (Some(now), row.version + 1);
    let vouching = notary.vouch(&row.vouched());
    sqlx::query!(
        "UPDATE passkeys SET name = '', credential_sealed = NULL, removed_at = $2, mac = $3 WHERE id = $1",
        row.id,
        now,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}
