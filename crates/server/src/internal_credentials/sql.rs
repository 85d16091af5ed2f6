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
    let vouching = notary.vouch(&rows::ServiceRow { id, service, digest, audiences, revoked_at: None });
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
        "SELECT id, service, audiences, created_at, revoked_at FROM internal_credentials ORDER BY service, id DESC"
    )
    .fetch_all(tx.connection()?)
    .await?;
    let rows = rows.into_iter().map(|row| InternalCredential {
        id: Id::from_uuid(row.id),
        service: row.service,
        audiences: row.audiences,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
    });
    Ok(rows.collect())
}

/// Revokes one that works, and answers whose it was.
pub(super) async fn revoke(
    tx: &mut SystemTx,
    notary: &Notary,
    credential: InternalCredentialId,
    now: OffsetDateTime,
) -> Result<Option<(String, Stamp)>, DbError> {
    let id = credential.uuid();
    let row = sqlx::query!(
        "SELECT service, digest, audiences FROM internal_credentials WHERE id = $1 AND revoked_at IS NULL FOR UPDATE",
        id
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (service, digest, audiences) = (&row.service, &row.digest, &row.audiences);
    let vouching = notary.vouch(&rows::ServiceRow { id, service, digest, audiences, revoked_at: Some(now) });
    sqlx::query!("UPDATE internal_credentials SET revoked_at = $2, mac = $3 WHERE id = $1", id, now, &vouching.mac)
        .execute(tx.connection()?)
        .await?;
    Ok(Some((row.service, vouching.stamp)))
}

pub(super) async fn exists(tx: &mut SystemTx, credential: InternalCredentialId) -> Result<bool, DbError> {
    let id = sqlx::query_scalar!("SELECT id FROM internal_credentials WHERE id = $1", credential.uuid())
        .fetch_optional(tx.connection()?)
        .await?;
    Ok(id.is_some())
}
