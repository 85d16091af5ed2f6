//! Make and revoke.

use bailiwick_proof::api_key::PlainApiKey;
use bailiwick_proof::id::{ApiKeyId, Id};
use serde_json::json;

use super::model::{ApiKey, CreateApiKey, CreatedApiKey, Status};
use super::sql;
use crate::authn::TokenDigest;
use crate::authz::{Denied, Granted, Principal, ScopeSet, may};
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// No scope was chosen.
    #[error("a key needs a scope")]
    NoScope,
    /// The expiry is not in the future.
    #[error("the expiry is not in the future")]
    AlreadyExpired,
    /// The environment has no such project.
    #[error("the environment has no such project")]
    UnknownProject,
    /// The maker has less than the key would.
    #[error("the maker has less than the key would")]
    BeyondMaker,
    /// The maker lost the right meanwhile, or the lookup failed.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The database failed.
    #[error(transparent)]
    Db(DbError),
}

impl From<DbError> for CreateError {
    fn from(error: DbError) -> Self {
        if error.constraint() == Some("api_keys_project") { Self::UnknownProject } else { Self::Db(error) }
    }
}

/// Makes a key in the transaction's environment, within what its maker has at this moment.
///
/// # Errors
/// See [`CreateError`].
pub async fn create(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::CreateKey>,
    entropy: &Entropy,
    new: &CreateApiKey,
) -> Result<(CreatedApiKey, Recorded), CreateError> {
    let now = tx.context().received_at;
    let scopes = ScopeSet::of(&new.scopes);
    if new.scopes.is_empty() {
        return Err(CreateError::NoScope);
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        return Err(CreateError::AlreadyExpired);
    }
    let (permissions, own_scopes) = granted.ceiling(tx).await?;
    if !own_scopes.includes(scopes) || !permissions.includes(scopes.permissions()) {
        return Err(CreateError::BeyondMaker);
    }
    let plain = draw(tx, entropy);
    let api_key = ApiKey {
        id: Id::from_uuid(entropy.uuid_v7(now)),
        name: new.name.to_string(),
        environment: tx.environment(),
        scopes: scopes.iter().collect(),
        project_id: new.project_id,
        lookup: plain.lookup().to_owned(),
        status: Status::Active,
        created_by: match granted.principal() {
            Principal::Session(person) => person.user().to_string(),
            Principal::Key(holder) => holder.key().id.to_string(),
        },
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    let digest = TokenDigest::of(plain.reveal().as_bytes());
    sql::insert(tx, &api_key, &digest, granted.principal()).await?;
    let entry = Entry::about(Action::ApiKeyCreated, api_key.id)
        .with(json!({"scopes": scopes.words()}))
        .within(api_key.project_id);
    let recorded = ledger::stage(tx, entropy, entry);
    Ok((CreatedApiKey { key: plain.reveal().to_owned(), api_key }, recorded))
}

fn draw(tx: &WorkspaceTx, entropy: &Entropy) -> PlainApiKey {
    loop {
        if let Some(key) = PlainApiKey::from_entropy(tx.environment(), &entropy.bytes()) {
            return key;
        }
    }
}

/// What a revocation found.
pub enum Revoked {
    /// It worked until now.
    Now(Recorded),
    /// It had been revoked before; nothing changed.
    Before,
}

/// Revokes a key of the transaction's environment; `None` if there is none with this id.
///
/// # Errors
/// [`DbError`].
pub async fn revoke(tx: &mut WorkspaceTx, entropy: &Entropy, key: ApiKeyId) -> Result<Option<Revoked>, DbError> {
    if let Some(project) = sql::revoke(tx, key).await? {
        let entry = Entry::about(Action::ApiKeyRevoked, key).within(project);
        let recorded = ledger::stage(tx, entropy, entry);
        return Ok(Some(Revoked::Now(recorded)));
    }
    Ok(sql::get(tx, key).await?.map(|_| Revoked::Before))
}
