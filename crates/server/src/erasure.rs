//! Making unreadable for good: what a workspace's logs say of somebody, or a workspace as a whole.
//!
//! ```text
//! asked for    a row, an entry, a job: in one transaction
//! forgotten    the subject's name is gone; whoever comes by it again is somebody new
//! punctured    the subject's key is gone from the anchor store: no backup of the database opens what it sealed
//! cleared      what it sealed goes from the tables, page by page
//! certified    the entry `subject.erased`, whose receipt is the certificate
//! ```
//!
//! # Invariants
//! - The row is there first and says how far it is. Whatever dies in between, the job or the operator's next call goes on.
//! - Nothing keeps the subject's name: the row and the certificate hold a commitment to it, and what opens that is in the one
//!   answer to whoever asked.
//! - Nobody is erased for a row that was written by hand: who is meant, and who was erased, is vouched for. A puncture
//!   cannot be taken back.
//! - The database keeps the numbers of those who were erased. An older copy of the anchor store brings their keys back, and
//!   with them what an older copy of the database has of them: [`Eraser::repeat`], each hour and before each erasure of an
//!   operator's, punctures them again.
//! - Only an owner who signed in a moment ago asks over the API. No key does: nothing takes it back.
//!
//! Not reached: copies of database and anchor store from before, for as long as they are kept, and what was handed out.

pub mod http;
mod model;
pub mod page;
mod request;
mod run;
mod sql;

use bailiwick_proof::id::WorkspaceId;
use serde_json::json;

pub use self::model::{Erasure, ErasureAnswer, RequestErasure};
pub use self::run::{EraseSubjects, RepeatErasures};
use crate::authz::Notary;
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry, Ledger, LedgerError, OPERATOR};
use crate::retention::Held;
use crate::vault::{Owner, Vault, VaultError};

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
    /// A legal hold is open, or what the database says of holds is not what was decided.
    #[error(
        "a legal hold is open ({0}): an owner releases it first, or it was altered; see docs/runbooks/retention-unvouched.md"
    )]
    Held(Held),
    /// No workspace of this id has ever had anything sealed.
    #[error("there is no such workspace")]
    NoSuchWorkspace,
    /// What is staged cannot be numbered, so that nobody knows all that is said of the subject.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The keys could not be taken away.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database failed: call again.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What came of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Fields that were made unreadable, with those of erasures that had been interrupted.
    pub fields: u64,
    /// Subjects erased before whose keys were back: somebody put an older copy of the anchor store back.
    pub repeated: u64,
}

/// What erases.
#[derive(Clone)]
pub struct Eraser {
    /// The database.
    pub db: Db,
    /// The keys.
    pub vault: Vault,
    /// Numbers what is staged before it is looked through.
    pub ledger: Ledger,
    /// Knows what the logs say of holds.
    pub notary: Notary,
    /// Tells the time.
    pub clock: Clock,
    /// Gives randomness.
    pub entropy: Entropy,
}

impl Eraser {
    /// Makes what a workspace's logs say of a subject unreadable, for the operator. The entries stay, and every proof of
    /// them holds. What was interrupted before is ended first, and what an older anchor store brought back is taken away.
    ///
    /// # Errors
    /// See [`EraseError`]; [`EraseError::NoSuchSubject`] only if nothing else was left to do either.
    pub async fn subject(&self, workspace: WorkspaceId, name: &str) -> Result<Erased, EraseError> {
        let repeated = self.repeat(Owner::Workspace(workspace)).await?;
        let mut fields = 0;
        for begun in self.under_way(workspace, None).await? {
            fields += self.carry_out(workspace, begun).await?;
        }
        match self.found(workspace, name).await {
            Ok(found) => {
                let begun = self.begin(workspace, name, &found).await?;
                Ok(Erased { fields: fields + self.carry_out(workspace, begun).await?, repeated })
            }
            Err(EraseError::NoSuchSubject) if fields + repeated > 0 => Ok(Erased { fields, repeated }),
            Err(error) => Err(error),
        }
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
