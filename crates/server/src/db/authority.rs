//! Who may open a transaction, and what a writing one must show at its end.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ProjectId, UserId, WorkspaceId};
use uuid::Uuid;

use crate::context::RequestContext;

/// Keeps [`Authority`] and [`AccountAuthority`] to this crate; inside it `cargo xtask tidy` lets only
/// `authz` implement them, where the constructors of the implementing types are private.
pub mod sealed {
    /// Nobody outside can name this.
    pub trait Sealed {}
}

/// The third, optional wall: everything in the environment, or one project's rows alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectWall {
    /// No wall: rows of every project and of none.
    Unconfined,
    /// Only this project's rows; rows without a project are out of sight.
    Within(ProjectId),
}

impl ProjectWall {
    /// The project that confines, if one does.
    #[must_use]
    pub const fn project(self) -> Option<ProjectId> {
        match self {
            Self::Unconfined => None,
            Self::Within(project) => Some(project),
        }
    }
}

/// The proof that somebody may act in a workspace: [`super::Db::workspace_tx`] takes nothing less.
pub trait Authority: sealed::Sealed {
    /// The tenant.
    fn workspace(&self) -> WorkspaceId;
    /// Live or test.
    fn environment(&self) -> Environment;
    /// The project that confines, if any.
    fn project(&self) -> ProjectWall;
    /// The person who founds this very workspace. Only then does the transaction also see that
    /// person's own rows, since the answer to be replayed is theirs and not yet the workspace's.
    fn founder(&self) -> Option<UserId>;
    /// The user's or the key's id, under which idempotency keys are kept apart.
    fn principal_id(&self) -> uuid::Uuid;
    /// Who acts, as the ledger writes it: the principal's id.
    fn actor(&self) -> String;
    /// The request at hand.
    fn context(&self) -> &RequestContext;
    /// The lease under which a job acts: its transactions commit under that lease or not at all.
    fn lease(&self) -> Option<Lease> {
        None
    }
}

/// The proof that a person has signed in.
pub trait AccountAuthority: sealed::Sealed {
    /// The person.
    fn user(&self) -> UserId;
}

/// A job's row in the queue and the fence that its claim raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: Uuid,
    /// The fence: another claim has raised it further.
    pub fence: i64,
}

/// The proof that a ledger entry was staged in this transaction, or numbered; the ledger alone makes it.
#[must_use = "a change is committed with its entry"]
#[derive(Debug)]
pub struct Recorded(());

impl Recorded {
    /// For the ledger alone (`cargo xtask tidy` holds everybody else off).
    pub(crate) fn staged() -> Self {
        Self(())
    }
}

/// Why a writing transaction leaves no entry. Every use is a decision; the list stays short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    /// A key was used; the request that used it is what gets recorded.
    LastUsed,
    /// A challenge was kept for somebody of whom nothing is known yet, or taken back: what comes of it leaves its own entry.
    Challenged,
    /// A link to a receipt was opened by somebody of whom nothing is known; the entry of its making says what it shows.
    Viewed,
    /// Rows past their time were dropped, with nothing in them that an entry had not said.
    Expired,
    /// Entries that other transactions had staged were linked into their log.
    Sequenced,
    /// A checkpoint was signed over entries that are there.
    Signed,
    /// A witness was asked, and what it said of a checkpoint was kept.
    Cosigned,
    /// A node told how far it has followed the feed, or fenced one that is silent.
    Followed,
    /// A data key was made or wrapped anew, or uses of it were reserved.
    Keyed,
    /// Something was found once more that an entry has told of.
    Found,
    /// What no key opens any more, or is about to, was cleared away, ahead of the entry that says so.
    Unreadable,
    /// A program asked once more whether it may come in, and nobody had decided.
    Asked,
    /// Jobs were claimed, ended, put off or announced; what a job changes it records itself.
    Queued,
}
