//! The credentials of the operator's services, on their operational path.

use time::OffsetDateTime;

use super::TokenDigest;
use super::internal::Service;
use crate::authz::vouched::rows;
use crate::authz::{Audiences, Notary};
use crate::db::{DbError, SystemTx};

/// The service whose credential has this digest and was not revoked.
pub(super) async fn service_by_digest(
    tx: &mut SystemTx,
    notary: &Notary,
    digest: &TokenDigest,
    now: OffsetDateTime,
) -> Result<Option<Service>, DbError> {
    let digest = digest.bytes().as_slice();
    let row = sqlx::query!(
        "SELECT id, service, audiences, ends_at, mac FROM internal_credentials
         WHERE digest = $1 AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > $2)",
        digest,
        now
    )
    .fetch_optional(tx.connection()?)
    .await?;
    // Stored credentials have audiences; a row without is no credential for everything.
    let Some(row) = row.filter(|row| !row.audiences.is_empty()) else { return Ok(None) };
    let (id, service, audiences) = (row.id, &row.service, &row.audiences);
    let own = rows::ServiceRow { id, service, digest, audiences, ends_at: row.ends_at, revoked_at: None };
    let service = Service { name: row.service.as_str().into(), audiences: Audiences::from_words(&row.audiences) };
    Ok(notary.vouches(&own, &row.mac).await?.then_some(service))
}
