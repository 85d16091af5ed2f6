//! The reading of a value: opened, recorded, committed, and only then sent.

use bailiwick_proof::id::{SecretId, WorkspaceId};
use serde_json::json;
use time::Duration;
use zeroize::Zeroizing;

use super::model::{RevealSecret, RevealedSecret, Secret};
use super::ops::{place, row, walls};
use super::sql;
use super::value::SecretValue;
use crate::authz::{Granted, may};
use crate::db::{Authority as _, DbError, WorkspaceTx};
use crate::http::Changes;
use crate::ledger::{self, Action, Entry};
use crate::vault::{Alert, Owner, VaultError};

/// How long a value is going to be kept if nothing is said.
const USUAL_LEASE_SECONDS: u32 = 300;
/// And at most.
pub(super) const MOST_LEASE_SECONDS: u32 = 3_600;

/// Why no value is shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum RevealError {
    /// The person signed in too long ago.
    #[error("the sign-in is not fresh")]
    StepUpRequired,
    /// The lease is not one that can be had.
    #[error("no such lease")]
    Lease,
    /// There is no such secret, or it has no such version.
    #[error("no such secret or version")]
    NotFound,
    /// The version was revoked; that it was asked for is recorded.
    #[error("version {0} was revoked")]
    Revoked(u32),
    /// What stands there does not open at its place.
    #[error("what stands there does not open: {0}")]
    Damaged(VaultError),
    /// The vault does not serve.
    #[error(transparent)]
    Vault(VaultError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<VaultError> for RevealError {
    fn from(error: VaultError) -> Self {
        if error.is_tampering() { Self::Damaged(error) } else { Self::Vault(error) }
    }
}

/// Opens a version and records who reads it. When this has answered with a value, the entry is committed.
///
/// # Errors
/// See [`RevealError`].
pub(super) async fn reveal(
    granted: &Granted<may::RevealSecret>,
    changes: &Changes,
    secret: SecretId,
    how: RevealSecret,
) -> Result<RevealedSecret, RevealError> {
    if !granted.is_stepped_up() {
        return Err(RevealError::StepUpRequired);
    }
    let lease_seconds = how.lease_seconds.unwrap_or(USUAL_LEASE_SECONDS);
    if !(1..=MOST_LEASE_SECONDS).contains(&lease_seconds) {
        return Err(RevealError::Lease);
    }
    let mut tx = changes.db.workspace_tx(granted).await?;
    let secret = sql::get(&mut tx, secret).await?.ok_or(RevealError::NotFound)?;
    let version = how.version.unwrap_or(secret.newest_version);
    let Some(sql::Sealed { value: sealed, subject }) =
        sql::sealed_value(&mut tx, secret.id, version).await?.ok_or(RevealError::NotFound)?
    else {
        return refuse(tx, changes, &secret, version).await;
    };
    let row = row(tx.workspace(), secret.id, version);
    let (owner, place) = (Owner::Workspace(granted.workspace()), place(&row, subject));
    let opened = match changes.vault.unseal_of_now(owner, &place, &sealed).await {
        Err(VaultError::Erased) => {
            changes.vault.alerts().raise(put_back(&secret, granted.workspace(), version));
            return refuse(tx, changes, &secret, version).await;
        }
        opened => opened?,
    };
    let Some(value) = opened.strip_prefix(&walls(&secret)).and_then(readable) else {
        let error = VaultError::Malformed("no value of a secret that stands here");
        changes.vault.report(owner, &place, &error);
        return Err(RevealError::Damaged(error));
    };
    let expires_at = tx.context().received_at + Duration::seconds(lease_seconds.into());
    let entry = Entry::about(Action::SecretRevealed, secret.id)
        .with(json!({"version": version, "lease_seconds": lease_seconds}))
        .within(secret.project_id);
    let (lease_id, recorded) = ledger::stage_told(&mut tx, &changes.entropy, entry);
    tx.commit(recorded).await?;
    let Secret { id, name, kind, .. } = secret;
    Ok(RevealedSecret { id, name, kind, version, value, lease_id, expires_at })
}

/// Only what was revoked or deleted has a key that is gone: its row comes from a copy.
fn put_back(secret: &Secret, workspace: WorkspaceId, version: u32) -> Alert {
    let row = format!("{}/{version}", secret.id);
    Alert { what: "secret_put_back", of: "secret_versions", workspace: workspace.uuid(), row }
}

/// What was sealed was a value: anything else is not what was stored.
fn readable(opened: &[u8]) -> Option<SecretValue> {
    let text = std::str::from_utf8(opened).ok()?;
    SecretValue::new(Zeroizing::new(text.to_owned())).ok()
}

/// Counts and records that a revoked version was asked for: somebody still uses it.
async fn refuse(
    mut tx: WorkspaceTx,
    changes: &Changes,
    secret: &Secret,
    version: u32,
) -> Result<RevealedSecret, RevealError> {
    sql::count_refusal(&mut tx, secret.id, version).await?;
    let entry = Entry::about(Action::SecretRevealRefused, secret.id)
        .with(json!({"version": version}))
        .within(secret.project_id);
    let recorded = ledger::stage(&mut tx, &changes.entropy, entry);
    tx.commit(recorded).await?;
    Err(RevealError::Revoked(version))
}
