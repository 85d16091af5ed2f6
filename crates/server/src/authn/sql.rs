//! The credentials of the operator's services, on their operational path.

use super::TokenDigest;
use super::internal::Service;
use crate::authz::Audiences;
use crate::db::{DbError, SystemTx};

/// The service whose credential has this digest and was not revoked.
pub(super) async fn service_by_digest(tx: &mut SystemTx, digest: &TokenDigest) -> Result<Option<Service>, DbError> {
    let row = sqlx::query!(
        "SELECT service, audiences FROM internal_credentials WHERE digest = $1 AND revoked_at IS NULL",
        digest.bytes().as_slice()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    // Stored credentials have audiences; a row without is no credential for everything.
    let row = row.filter(|row| !row.audiences.is_empty());
    Ok(row.map(|row| Service { name: row.service.into(), audiences: Audiences::from_words(&row.audiences) }))
}
