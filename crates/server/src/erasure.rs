//! Making unreadable for good: a person in a workspace's log, or a workspace as a whole.
//!
//! The keys go first, in the anchor store, so that no backup of the database opens what they sealed; then what is left in
//! the database, with an entry. Whoever is interrupted calls again.

use bailiwick_proof::id::WorkspaceId;
use serde_json::json;

use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};
use crate::vault::{Owner, Vault, VaultError};

/// Who acts where nobody has signed in.
const OPERATOR: &str = "operator";

/// Why nothing was erased, or not all.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Nothing was recorded of anybody of this name.
    #[error("nothing is recorded of this subject")]
    NoSuchSubject,
    /// The subject is known, and no field of any entry is said to be about it.
    #[error(
        "no field stands under this subject's number: has somebody changed the database? See docs/runbooks/forged-row-found.md"
    )]
    NothingFound,
    /// No workspace of this id has ever had anything sealed.
    #[error("there is no such workspace")]
    NoSuchWorkspace,
    /// The keys could not be taken away.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database failed after the keys were taken away: call again.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What erases.
pub struct Eraser {
    /// The database.
    pub db: Db,
    /// The keys.
    pub vault: Vault,
    /// Tells the time.
    pub clock: Clock,
    /// Gives randomness.
    pub entropy: Entropy,
}

impl Eraser {
    /// Makes what a workspace's logs say of a subject unreadable, and answers how many fields that were. The entries stay, and
    /// every proof of them holds.
    ///
    /// # Errors
    /// See [`EraseError`].
    pub async fn subject(&self, workspace: WorkspaceId, name: &str) -> Result<u64, EraseError> {
        let owner = Owner::Workspace(workspace);
        let number = self.vault.subject(owner, name).await?.ok_or(EraseError::NoSuchSubject)?;
        self.vault.puncture(owner, &[number]).await?;
        let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
        let fields = self.vault.clear_subject(&mut tx, owner, number).await?;
        if fields == 0 {
            return Err(EraseError::NothingFound);
        }
        let entry = Entry::about(Action::SubjectErased, workspace).with(json!({"subject": number, "fields": fields}));
        let context = RequestContext::internal(&self.clock, &self.entropy);
        let recorded = ledger::stage_in_cell(&mut tx, &self.entropy, &context, OPERATOR, &entry).await?;
        tx.commit(recorded).await?;
        Ok(fields)
    }

    /// Makes everything that is sealed for a workspace unreadable. Nodes that have its keys in memory read on for as long
    /// as keys are remembered.
    ///
    /// # Errors
    /// See [`EraseError`].
    pub async fn workspace(&self, workspace: WorkspaceId) -> Result<u64, EraseError> {
        let owner = Owner::Workspace(workspace);
        if !self.vault.knows(owner).await? {
            return Err(EraseError::NoSuchWorkspace);
        }
        self.vault.shred(owner).await?;
        let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
        let keys = self.vault.clear_keys(&mut tx, owner).await?;
        let entry = Entry::about(Action::WorkspaceShredded, workspace).with(json!({"keys": keys}));
        let context = RequestContext::internal(&self.clock, &self.entropy);
        let recorded = ledger::stage_in_cell(&mut tx, &self.entropy, &context, OPERATOR, &entry).await?;
        tx.commit(recorded).await?;
        Ok(keys)
    }
}
