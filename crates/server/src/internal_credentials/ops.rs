//! Make, list and revoke.

use bailiwick_proof::id::{Id, InternalCredentialId};
use bailiwick_proof::internal_key::PlainInternalKey;
use serde_json::json;
use time::Duration;

use super::model::{CreatedCredential, InternalCredential, NewCredential, RotatedCredential};
use super::sql;
use crate::authn::{SERVICE_LIFETIME, TokenDigest};
use crate::authz::{Audiences, MAX_AUDIENCES, Notary};
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry, OPERATOR};

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
        ends_at: None,
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

/// Why a credential got no successor.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// There is none with this id.
    #[error("there is no internal credential {0}")]
    NotFound(InternalCredentialId),
    /// It was revoked, has a successor already, or nobody vouches for it.
    #[error(
        "{0} was revoked, has a successor already, or is not what was made here: see `bailiwickd internal-key list` and \
         `bailiwickd alerts list`"
    )]
    Over(InternalCredentialId),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Gives a credential a successor for the same service and audiences. Both are taken for the overlap, then the successor
/// alone.
///
/// # Errors
/// See [`RotateError`].
pub async fn rotate(
    db: &Db,
    notary: &Notary,
    clock: &Clock,
    entropy: &Entropy,
    credential: InternalCredentialId,
    overlap: Duration,
) -> Result<RotatedCredential, RotateError> {
    let context = RequestContext::internal(clock, entropy);
    let (now, ends_at) = (context.received_at, context.received_at + overlap);
    let mut tx = db.system_tx(OperationalPath::ManageServices).await?;
    let Some((service, audiences, ended)) = sql::end(&mut tx, notary, credential, ends_at).await? else {
        let known = sql::exists(&mut tx, credential).await?;
        tx.finish_reading().await?;
        return Err(if known { RotateError::Over(credential) } else { RotateError::NotFound(credential) });
    };
    let key = draw(entropy);
    let id = Id::from_uuid(entropy.uuid_v7(now));
    let successor = InternalCredential { id, service, audiences, created_at: now, ends_at: None, revoked_at: None };
    let begun = sql::insert(&mut tx, notary, &successor, &TokenDigest::of(key.reveal().as_bytes())).await?;
    let entry = Entry::about(Action::InternalCredentialRotated, credential)
        .with(json!({
            "service": successor.service, "audiences": successor.audiences, "successor": id.to_string(),
            "ends_at": ends_at.unix_timestamp(),
        }))
        .changing([ended, begun]);
    let (event, recorded) = ledger::stage_in_cell_told(&mut tx, entropy, &context, OPERATOR, &entry).await?;
    tx.commit(recorded).await?;
    Ok(RotatedCredential { successor: CreatedCredential { id, key }, ends_at, event })
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
