//! Make, change and revoke.

use bailiwick_proof::api_key::PlainApiKey;
use bailiwick_proof::id::{ApiKeyId, Id};
use serde_json::json;
use time::OffsetDateTime;

use super::model::{ApiKey, CreateApiKey, CreatedApiKey, Status, UpdateApiKey};
use super::sql;
use crate::authn::TokenDigest;
use crate::authz::may::Needs;
use crate::authz::{Audiences, Denied, Granted, Notary, Permission, Principal, ScopeSet, may};
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};
use crate::networks::Networks;

/// Why no key was made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
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
    /// The key would read secrets' values, and the person signed in too long ago to do so themselves.
    #[error("the sign-in is not fresh")]
    StepUpRequired,
    /// The key does not work any more.
    #[error("the key does not work any more")]
    NotActive,
    /// The key has a successor, which settled when it ends.
    #[error("the key has a successor")]
    AlreadyRotated(ApiKeyId),
    /// Nothing was to be changed.
    #[error("nothing was to be changed")]
    Nothing,
    /// The overlap is longer than one can be.
    #[error("the overlap is too long")]
    OverlapTooLong,
    /// A key that rotates itself must be able to ask again.
    #[error("the overlap is too short for a key that rotates itself")]
    OverlapTooShort,
    /// The maker lost the right meanwhile, or the lookup failed.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The database failed.
    #[error(transparent)]
    Db(DbError),
}

impl From<DbError> for ChangeError {
    fn from(error: DbError) -> Self {
        if error.constraint() == Some("api_keys_project") { Self::UnknownProject } else { Self::Db(error) }
    }
}

/// Makes a key in the transaction's environment, within what its maker has at this moment.
///
/// # Errors
/// See [`ChangeError`].
pub async fn create(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::CreateKey>,
    notary: &Notary,
    entropy: &Entropy,
    new: &CreateApiKey,
) -> Result<(CreatedApiKey, Recorded), ChangeError> {
    let now = tx.context().received_at;
    let scopes = ScopeSet::of(&new.scopes);
    if new.scopes.is_empty() {
        return Err(ChangeError::NoScope);
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        return Err(ChangeError::AlreadyExpired);
    }
    let reach = Reach {
        scopes,
        audiences: &new.audiences,
        networks: &[&new.allowed_networks],
        expires_at: Some(new.expires_at),
    };
    demand_within(tx, granted, notary, reach).await?;
    let plain = draw(tx, entropy);
    let api_key = ApiKey {
        id: Id::from_uuid(entropy.uuid_v7(now)),
        name: new.name.to_string(),
        environment: tx.environment(),
        scopes: scopes.iter().collect(),
        project_id: new.project_id,
        lookup: plain.lookup().to_owned(),
        status: Status::Active,
        created_by: granted.principal().actor(),
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
        labels: new.labels.clone(),
        audiences: new.audiences.clone(),
        allowed_networks: new.allowed_networks.clone(),
        rotated_from: None,
        successor_id: None,
    };
    let digest = TokenDigest::of(plain.reveal().as_bytes());
    let stamp = sql::insert(tx, notary, &api_key, &digest, granted.principal()).await?;
    let entry = Entry::about(Action::ApiKeyCreated, api_key.id)
        .with(json!({"scopes": scopes.words()}))
        .changing([stamp])
        .within(api_key.project_id);
    let recorded = ledger::stage(tx, entropy, entry);
    Ok((CreatedApiKey { key: plain.reveal().to_owned(), api_key }, recorded))
}

/// What a key is, or is to be, good for.
pub(super) struct Reach<'a> {
    pub(super) scopes: ScopeSet,
    pub(super) audiences: &'a Audiences,
    /// Those of before and those to be.
    pub(super) networks: &'a [&'a Networks],
    /// Until when it is to work, if that is to be settled.
    pub(super) expires_at: Option<Option<OffsetDateTime>>,
}

/// Nobody hands out more than they have: scopes with their permissions, audiences, networks, time; and what asks for a
/// fresh sign-in is handed out by a fresh sign-in.
pub(super) async fn demand_within<P: Needs>(
    tx: &mut WorkspaceTx,
    granted: &Granted<P>,
    notary: &Notary,
    Reach { scopes, audiences, networks, expires_at }: Reach<'_>,
) -> Result<(), ChangeError> {
    let (permissions, own_scopes) = granted.ceiling(tx, notary).await?;
    let reaches_there = match granted.principal() {
        Principal::Session(_) => true,
        Principal::Key(maker) => {
            let maker = maker.key();
            maker.audiences.include(audiences)
                && networks.iter().all(|networks| maker.allowed.include(networks))
                && expires_at.is_none_or(|at| outlives(maker.expires_at, at))
        }
    };
    // Or a browser that was left open would read through a key what it does not read itself.
    if scopes.permissions().contains(Permission::RevealSecret) && !granted.is_stepped_up() {
        return Err(ChangeError::StepUpRequired);
    }
    if reaches_there && own_scopes.includes(scopes) && permissions.includes(scopes.permissions()) {
        Ok(())
    } else {
        Err(ChangeError::BeyondMaker)
    }
}

/// Whether something that ends `at` ends no later than whoever made it; `None` is never.
fn outlives(maker: Option<OffsetDateTime>, at: Option<OffsetDateTime>) -> bool {
    maker.is_none_or(|end| at.is_some_and(|at| at <= end))
}

/// Changes a key that works; `None` if there is none with this id.
///
/// # Errors
/// See [`ChangeError`]. Whoever changes how long or from where a key works has all that the key has.
pub async fn update(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::UpdateKey>,
    notary: &Notary,
    entropy: &Entropy,
    key: ApiKeyId,
    new: UpdateApiKey,
) -> Result<Option<(ApiKey, Recorded)>, ChangeError> {
    let now = tx.context().received_at;
    if new.changes_nothing() {
        return Err(ChangeError::Nothing);
    }
    let Some(mut held) = sql::lock(tx, notary, key).await? else { return Ok(None) };
    let changed = &mut held.key;
    if changed.status != Status::Active {
        return Err(ChangeError::NotActive);
    }
    let UpdateApiKey { name, labels, expires_at, allowed_networks } = new;
    let reach = expires_at.is_some() || allowed_networks.is_some();
    let mut fields = Vec::new();
    if let Some(name) = name {
        changed.name = name.to_string();
        fields.push("name");
    }
    if let Some(labels) = labels {
        changed.labels = labels;
        fields.push("labels");
    }
    if let Some(expires_at) = expires_at {
        if let Some(successor) = changed.successor_id {
            return Err(ChangeError::AlreadyRotated(successor));
        }
        if expires_at.is_some_and(|at| at <= now) {
            return Err(ChangeError::AlreadyExpired);
        }
        changed.expires_at = expires_at;
        fields.push("expires_at");
    }
    let before = changed.allowed_networks.clone();
    if let Some(networks) = allowed_networks {
        changed.allowed_networks = networks;
        fields.push("allowed_networks");
    }
    if reach {
        let reach = Reach {
            scopes: ScopeSet::of(&changed.scopes),
            audiences: &changed.audiences,
            networks: &[&before, &changed.allowed_networks],
            expires_at: expires_at.is_some().then_some(changed.expires_at),
        };
        demand_within(tx, granted, notary, reach).await?;
    }
    let project = changed.project_id;
    let stamp = sql::update(tx, notary, &held).await?;
    let entry =
        Entry::about(Action::ApiKeyUpdated, key).with(json!({"changed": fields})).changing([stamp]).within(project);
    let recorded = ledger::stage(tx, entropy, entry);
    Ok(Some((held.key, recorded)))
}

pub(super) fn draw(tx: &WorkspaceTx, entropy: &Entropy) -> PlainApiKey {
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
pub async fn revoke(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    entropy: &Entropy,
    key: ApiKeyId,
) -> Result<Option<Revoked>, DbError> {
    if let Some((project, stamp)) = sql::revoke(tx, notary, key).await? {
        let entry = Entry::about(Action::ApiKeyRevoked, key).changing([stamp]).within(project);
        let recorded = ledger::stage(tx, entropy, entry);
        return Ok(Some(Revoked::Now(recorded)));
    }
    Ok(sql::get(tx, key).await?.map(|_| Revoked::Before))
}
