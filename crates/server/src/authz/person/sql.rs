//! People, as whoever holds one reads and writes them.

use bailiwick_proof::id::{Id, UserId};

use super::Person;
use crate::authz::Notary;
use crate::db::{DbError, Lock, SystemTx, WorkspaceTx};

pub(super) async fn lock(tx: &mut SystemTx, user: UserId) -> Result<(), DbError> {
    Lock::Person(user).take(tx.connection()?).await
}

pub(super) async fn lock_within(tx: &mut WorkspaceTx, user: UserId) -> Result<(), DbError> {
    Lock::Person(user).take(tx.connection()?).await
}

pub(super) async fn id_of(tx: &mut SystemTx, email_key: &str) -> Result<Option<UserId>, DbError> {
    let id = sqlx::query_scalar!("SELECT id FROM users WHERE email_key = $1", email_key);
    Ok(id.fetch_optional(tx.connection()?).await?.map(Id::from_uuid))
}

pub(super) async fn read(tx: &mut SystemTx, notary: &Notary, user: UserId) -> Result<Option<Person>, DbError> {
    let row = sqlx::query!(
        "SELECT version, email, email_key, created_at, suspended_at, strong_since, session_epoch, factor_epoch, mac
         FROM users WHERE id = $1",
        user.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let person = Person {
        user,
        email: row.email,
        email_key: row.email_key,
        created_at: row.created_at,
        suspended_at: row.suspended_at,
        strong_since: row.strong_since,
        session_epoch: row.session_epoch,
        factor_epoch: row.factor_epoch,
        version: row.version,
    };
    Ok(notary.vouches(&person.row(), &row.mac).await?.then_some(person))
}

pub(super) async fn write(tx: &mut SystemTx, person: &Person, mac: &[u8]) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE users SET email = $2, email_key = $3, suspended_at = $4, strong_since = $5, mac = $6, session_epoch = $7,
             factor_epoch = $8
         WHERE id = $1",
        person.user.uuid(),
        person.email,
        person.email_key,
        person.suspended_at,
        person.strong_since,
        mac,
        person.session_epoch,
        person.factor_epoch
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// A member's address, as it is now.
pub(super) async fn address_within(tx: &mut WorkspaceTx, user: UserId) -> Result<Option<String>, DbError> {
    let address = sqlx::query_scalar!("SELECT email FROM users WHERE id = $1", user.uuid());
    Ok(address.fetch_optional(tx.connection()?).await?)
}
