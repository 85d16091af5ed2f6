//! The job `secrets.forget`: versions that were revoked or deleted do not open again, whatever is put back.

use crate::authz::PermissionSet;
use crate::db::Authority as _;
use crate::jobs::{Claimed, Done, Failure, InWorkspace, Job, Policy};
use crate::vault::{Owner, Vault};

/// Punctures the keys of versions whose values the database has lost in the transaction that enqueued this.
pub struct ForgetVersions {
    vault: Vault,
}

impl ForgetVersions {
    /// With the keys.
    #[must_use]
    pub const fn new(vault: Vault) -> Self {
        Self { vault }
    }
}

impl Job for ForgetVersions {
    const KIND: &'static str = "secrets.forget";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InWorkspace;
    /// The versions' numbers as subjects.
    type Payload = Vec<u32>;

    async fn run(&self, claimed: Claimed<Self>, subjects: Vec<u32>) -> Result<Done, Failure> {
        let owner = Owner::Workspace(claimed.workspace());
        match self.vault.forget_subjects(owner, &subjects).await {
            Ok(()) => Ok(claimed.done()),
            Err(error) if error.passes() => Err(Failure::waiting("vault_unavailable")),
            Err(error) => {
                tracing::warn!(event = "secrets.not_forgotten", cause = %error);
                Err(Failure::again("not_forgotten"))
            }
        }
    }
}
