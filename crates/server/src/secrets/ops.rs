//! Entrust, add versions, delete.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{Id, SecretId, WorkspaceId};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::forget::ForgetVersions;
use super::kind::Kind;
use super::model::{CreateSecret, Secret, SecretDetail};
use super::sql;
use super::value::SecretValue;
use crate::authz::Principal;
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::jobs::{EnqueueError, Queue};
use crate::ledger::{self, Action, Entry};
use crate::vault::{Owner, Place, RowId, SECRET, Vault, VaultError};

/// So many versions of a secret have a value at once: older ones are revoked before more are added.
const MOST_LIVING: i64 = 16;
/// And one more for a rotation, which is how older ones are revoked.
pub(super) const MOST_LIVING_IN_ROTATION: i64 = MOST_LIVING + 1;
/// Bytes of what is sealed with a value.
const WALLS: usize = 1 + 16;

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The value is not of the kind's shape.
    #[error("the value has not the shape of its kind")]
    Shape(Kind),
    /// The environment has a secret of this name.
    #[error("the name is in use")]
    NameTaken,
    /// The environment has no such project.
    #[error("the environment has no such project")]
    UnknownProject,
    /// As many versions have a value as can.
    #[error("{MOST_LIVING} versions have a value")]
    TooManyVersions,
    /// The value could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database failed.
    #[error(transparent)]
    Db(DbError),
}

impl From<DbError> for ChangeError {
    fn from(error: DbError) -> Self {
        match error.constraint() {
            Some("secrets_name") => Self::NameTaken,
            Some("secrets_project") => Self::UnknownProject,
            _ => Self::Db(error),
        }
    }
}

/// Where a version stands, to be sealed to it.
pub(super) fn row(workspace: WorkspaceId, secret: SecretId, version: u32) -> RowId {
    RowId::new().uuid(workspace.uuid()).uuid(secret.uuid()).text(&version.to_string())
}

/// The place that goes with [`row`].
pub(super) fn place(row: &RowId, subject: Option<u32>) -> Place<'_> {
    Place { column: &SECRET, row: row.as_bytes(), subject }
}

/// What stands before the value and is sealed with it: behind which walls inside the workspace the secret stands, so that
/// nobody who can write to the table alone moves it. The environment, 0 for live and 1 for test, and the project's id or
/// sixteen zeros.
pub(super) fn walls(secret: &Secret) -> [u8; WALLS] {
    let mut walls = [0; WALLS];
    let (environment, project) = walls.split_at_mut(1);
    environment.fill(u8::from(secret.environment == Environment::Test));
    project.copy_from_slice(secret.project_id.map_or(Uuid::nil(), |project| project.uuid()).as_bytes());
    walls
}

/// Seals the newest version of a secret for where it is going to stand.
async fn seal(
    tx: &WorkspaceTx,
    vault: &Vault,
    entropy: &Entropy,
    secret: &Secret,
    value: &SecretValue,
) -> Result<sql::Sealed, ChangeError> {
    if !secret.kind.admits(value.expose()) {
        return Err(ChangeError::Shape(secret.kind));
    }
    let row = row(tx.workspace(), secret.id, secret.newest_version);
    let bound = Zeroizing::new([&walls(secret), value.expose().as_bytes()].concat());
    let owner = Owner::Workspace(tx.workspace());
    // A number is given once: what a transaction that came to nothing has had is not asked for again.
    let name = format!("secret/{}/{}", secret.id, Uuid::from_bytes(entropy.bytes()));
    let subject = Some(vault.new_subject(owner, &name).await?);
    Ok(sql::Sealed { value: vault.seal(owner, &place(&row, subject), &bound).await?, subject })
}

/// Takes a secret in.
///
/// # Errors
/// See [`ChangeError`].
pub(super) async fn create(
    tx: &mut WorkspaceTx,
    by: &Principal,
    vault: &Vault,
    entropy: &Entropy,
    new: &CreateSecret,
) -> Result<(Secret, Recorded), ChangeError> {
    let now = tx.context().received_at;
    let secret = Secret {
        id: Id::from_uuid(entropy.uuid_v7(now)),
        name: new.name.to_string(),
        kind: new.kind,
        environment: tx.environment(),
        project_id: new.project_id,
        newest_version: 1,
        created_by: by.actor(),
        created_at: now,
    };
    let sealed = seal(tx, vault, entropy, &secret, &new.value).await?;
    sql::insert(tx, &secret, &sealed, by).await?;
    let entry = Entry::about(Action::SecretCreated, secret.id)
        .with(json!({"kind": secret.kind.as_str(), "version": 1}))
        .within(secret.project_id);
    let recorded = ledger::stage(tx, entropy, entry);
    Ok((secret, recorded))
}

/// Gives a secret another value; the versions before stay as they are. `None` if there is no such secret.
///
/// # Errors
/// See [`ChangeError`].
pub(super) async fn add_version(
    tx: &mut WorkspaceTx,
    by: &Principal,
    vault: &Vault,
    entropy: &Entropy,
    secret: SecretId,
    value: &SecretValue,
) -> Result<Option<(SecretDetail, Recorded)>, ChangeError> {
    let Some(secret) = store_version(tx, by, (vault, entropy), secret, value, MOST_LIVING).await? else {
        return Ok(None);
    };
    let entry = Entry::about(Action::SecretVersionAdded, secret.id)
        .with(json!({"version": secret.newest_version}))
        .within(secret.project_id);
    let recorded = ledger::stage(tx, entropy, entry);
    let versions = sql::versions(tx, secret.id).await?;
    Ok(Some((SecretDetail { secret, versions }, recorded)))
}

/// Locks a secret and stores its next version, so that at most so many have a value; `None` if there is no such secret.
pub(super) async fn store_version(
    tx: &mut WorkspaceTx,
    by: &Principal,
    (vault, entropy): (&Vault, &Entropy),
    secret: SecretId,
    value: &SecretValue,
    most_living: i64,
) -> Result<Option<Secret>, ChangeError> {
    let Some(mut secret) = sql::lock(tx, secret).await? else { return Ok(None) };
    if sql::living(tx, secret.id).await? >= most_living {
        return Err(ChangeError::TooManyVersions);
    }
    secret.newest_version += 1;
    let sealed = seal(tx, vault, entropy, &secret, value).await?;
    sql::count_up(tx, secret.id, secret.newest_version).await?;
    sql::insert_version(tx, &secret, &sealed, by).await?;
    Ok(Some(secret))
}

/// A secret with its versions; `None` if there is none with this id.
///
/// # Errors
/// [`DbError`].
pub(super) async fn detail(tx: &mut WorkspaceTx, secret: SecretId) -> Result<Option<SecretDetail>, DbError> {
    let Some(secret) = sql::get(tx, secret).await? else { return Ok(None) };
    let versions = sql::versions(tx, secret.id).await?;
    Ok(Some(SecretDetail { secret, versions }))
}

/// Deletes a secret: what was sealed is gone, its name is free, and a job makes copies of its versions unreadable. `None`
/// if there is none with this id.
///
/// # Errors
/// [`EnqueueError`].
pub(super) async fn delete(
    tx: &mut WorkspaceTx,
    (queue, entropy): (&Queue, &Entropy),
    secret: SecretId,
) -> Result<Option<Recorded>, EnqueueError> {
    let Some(secret) = sql::lock(tx, secret).await? else { return Ok(None) };
    let subjects = sql::subjects(tx, secret.id).await?;
    if !subjects.is_empty() {
        queue.enqueue::<ForgetVersions>(tx, &subjects).await?;
    }
    sql::delete(tx, secret.id).await?;
    let entry = Entry::about(Action::SecretDeleted, secret.id)
        .with(json!({"kind": secret.kind.as_str(), "newest_version": secret.newest_version}))
        .within(secret.project_id);
    Ok(Some(ledger::stage(tx, entropy, entry)))
}
