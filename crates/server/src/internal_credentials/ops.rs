//! Make, list and revoke.

use bailiwick_proof::id::{Id, InternalCredentialId};
use bailiwick_proof::internal_key::PlainInternalKey;
use serde_json::json;

use super::model::{CreatedCredential, InternalCredential, NewCredential};
use super::sql;
use crate::authn::{SERVICE_LIFETIME, TokenDigest};
use crate::authz::{Audiences, MAX_AUDIENCES, Notary};
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};

/// Who acts, in the cell's log.
const OPERATOR: &str = "operator";

/// Why no credential was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// None was named, or more than a credential can have.
    #[error("a credential has 1 to {MAX_AUDIENCES} audiences")]
    Audiences,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Makes a credential.
///
/// # Errors
/// See [`CreateError`].
pub async fn create(
    db: &Db,
    notary: &Notary,
    clock: &Clock,
    entropy: &Entropy,
    new: NewCredential,
) -> Result<CreatedCredential, CreateError> {
    let audiences = Audiences::of(new.audiences).words();
    if audiences.is_empty() || audiences.len() > MAX_AUDIENCES {
        return Err(CreateError::Audiences);
    }
    let context = RequestContext::internal(clock, entropy);
    let key = draw(entropy);
    let credential = InternalCredential {
        id: Id::from_uuid(entropy.uuid_v7(context.received_at)),
        service: new.service.to_string(),
        audiences,
        created_at: context.received_at,
        revoked_at: None,
    };
    let mut tx = db.system_tx(OperationalPath::ManageServices).await?;
    let stamp = sql::insert(&mut tx, notary, &credential, &TokenDigest::of(key.reveal().as_bytes())).await?;
    let entry = Entry::about(Action::InternalCredentialCreated, credential.id)
        .with(json!({"service": credential.service, "audiences": credential.audiences}))
        .changing([stamp]);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, &context, OPERATOR, &entry).await?;
    tx.commit(recorded).await?;
    Ok(CreatedCredential { id: credential.id, key })
}

fn draw(entropy: &Entropy) -> PlainInternalKey {
    loop {
        if let Some(key) = PlainInternalKey::from_entropy(&entropy.bytes()) {
            return key;
        }
    }
}

/// All credentials of the cell, the revoked ones too.
///
/// # Errors
/// [`DbError`].
pub async fn list(db: &Db) -> Result<Vec<InternalCredential>, DbError> {
    let mut tx = db.system_tx(OperationalPath::ManageServices).await?;
    let credentials = sql::list(&mut tx).await?;
    tx.finish_reading().await?;
    Ok(credentials)
}

/// What a revocation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeOutcome {
    /// It worked until now, and no node takes it any more.
    Revoked,
    /// It had been revoked before; nothing changed.
    RevokedBefore,
    /// There is none with this id.
    NotFound,
}

/// Revokes a credential, and ends when no node believes it any more.
///
/// # Errors
/// [`DbError`].
pub async fn revoke(
    db: &Db,
    notary: &Notary,
    clock: &Clock,
    entropy: &Entropy,
    credential: InternalCredentialId,
) -> Result<RevokeOutcome, DbError> {
    let context = RequestContext::internal(clock, entropy);
    let mut tx = db.system_tx(OperationalPath::ManageServices).await?;
    let Some((service, stamp)) = sql::revoke(&mut tx, notary, credential, context.received_at).await? else {
        let known = sql::exists(&mut tx, credential).await?;
        tx.finish_reading().await?;
        return Ok(if known { RevokeOutcome::RevokedBefore } else { RevokeOutcome::NotFound });
    };
    let entry =
        Entry::about(Action::InternalCredentialRevoked, credential).with(json!({"service": service})).changing([stamp]);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, &context, OPERATOR, &entry).await?;
    tx.commit(recorded).await?;
    // A node that looked it up a moment before the commit believes that so long.
    tokio::time::sleep(SERVICE_LIFETIME).await;
    Ok(RevokeOutcome::Revoked)
}
