//! The credentials of the cell. The digest goes in and never comes out here.

use bailiwick_proof::id::{Id, InternalCredentialId};
use time::OffsetDateTime;

use super::model::InternalCredential;
use crate::authn::TokenDigest;
use crate::authz::Notary;
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::db::{DbError, SystemTx};

pub(super) async fn insert(
    tx: &mut SystemTx,
    notary: &Notary,
    credential: &InternalCredential,
    digest: &TokenDigest,
) -> Result<Stamp, DbError> {
    let InternalCredential { id, service, audiences, created_at, .. } = credential;
    let (id, digest) = (id.uuid(), digest.bytes().as_slice());
    let vouching = notary.vouch(&rows::ServiceRow { id, service, digest, audiences, ends_at: None, revoked_at: None });
    sqlx::query!(
        "INSERT INTO internal_credentials (id, service, digest, audiences, created_at, mac)
         VALUES ($1, $2, $3, $4, $5, $6)",
        id,
        service,
        digest,
        audiences,
        *created_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// All of them, by service, the newest first; the revoked ones too.
pub(super) async fn list(tx: &mut SystemTx) -> Result<Vec<InternalCredential>, DbError> {
    let rows = sqlx::query!(
        "SELECT id, service, audiences, created_at, ends_at, revoked_at FROM internal_credentials ORDER BY service, id DESC"
    )
    .fetch_all(tx.connection()?)
    .await?;
    let rows = rows.into_iter().map(|row| InternalCredential {
        id: Id::from_uuid(row.id),
        service: row.service,
        audiences: row.audiences,
        created_at: row.created_at,
        ends_at: row.ends_at,
        revoked_at: row.revoked_at,
    });
    Ok(rows.collect())
}

/// Revokes one that was not, and answers whose it was. A row that says it was revoked, and for which nobody vouches, is not
/// believed. It gets an end, too: with both it has the highest serial that such a row can have, and whatever stood there before is older.
pub(super) async fn revoke(
    tx: &mut SystemTx,
    notary: &Notary,
    credential: InternalCredentialId,
    now: OffsetDateTime,
) -> Result<Option<(String, Stamp)>, DbError> {
    let id = credential.uuid();
    let row = sqlx::query!(
        "SELECT service, digest, audiences, ends_at, revoked_at, mac FROM internal_credentials WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (service, digest, audiences) = (&row.service, &row.digest, &row.audiences);
    let (ends_at, revoked_at) = (row.ends_at, row.revoked_at);
    let before = rows::ServiceRow { id, service, digest, audiences, ends_at, revoked_at };
    if revoked_at.is_some() && notary.vouches(&before, &row.mac).await? {
        return Ok(None);
    }
    let ends_at = ends_at.unwrap_or(now);
    let vouching = notary.vouch(&rows::ServiceRow { ends_at: Some(ends_at), revoked_at: Some(now), ..before });
    sqlx::query!(
        "UPDATE internal_credentials SET ends_at = $2, revoked_at = $3, mac = $4 WHERE id = $1",
        id,
        ends_at,
        now,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(Some((row.service, vouching.stamp)))
}

/// Puts an end to one that works and has none, and answers whose it was and what it may ask about. One that nobody vouches
/// for is as if it were not there: its successor would have whatever somebody wrote into the row.
pub(super) async fn end(
    tx: &mut SystemTx,
    notary: &Notary,
    credential: InternalCredentialId,
    end: OffsetDateTime,
) -> Result<Option<(String, Vec<String>, Stamp)>, DbError> {
    let id = credential.uuid();
    let row = sqlx::query!(
        "SELECT service, digest, audiences, mac FROM internal_credentials
         WHERE id = $1 AND revoked_at IS NULL AND ends_at IS NULL FOR UPDATE",
        id
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (service, digest, audiences) = (&row.service, &row.digest, &row.audiences);
    let before = rows::ServiceRow { id, service, digest, audiences, ends_at: None, revoked_at: None };
    if !notary.vouches(&before, &row.mac).await? {
        return Ok(None);
    }
    let vouching = notary.vouch(&rows::ServiceRow { ends_at: Some(end), ..before });
    sqlx::query!("UPDATE internal_credentials SET ends_at = $2, mac = $3 WHERE id = $1", id, end, &vouching.mac)
        .execute(tx.connection()?)
        .await?;
    Ok(Some((row.service, row.audiences, vouching.stamp)))
}

pub(super) async fn exists(tx: &mut SystemTx, credential: InternalCredentialId) -> Result<bool, DbError> {
    let id = sqlx::query_scalar!("SELECT id FROM internal_credentials WHERE id = $1", credential.uuid())
        .fetch_optional(tx.connection()?)
        .await?;
    Ok(id.is_some())
}
