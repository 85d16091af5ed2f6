//! Why the ledger does not go on.

use uuid::Uuid;

use crate::anchor::JournalError;
use crate::db::DbError;
use crate::vault::VaultError;

/// Why the ledger does not go on.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A key or an opening is not sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database is older than what was signed: neither appended to nor signed.
    #[error(
        "the database is behind the journal: {origin} was signed at size {journal}, and the database has {database} \
         entries. An older copy of the database was put back; see docs/runbooks/database-behind-its-journal.md"
    )]
    Behind {
        /// The log.
        origin: String,
        /// Its size in the journal.
        journal: u64,
        /// Its size in the database.
        database: u64,
    },
    /// The database holds another log than the one that was signed.
    #[error("{origin} has another root at size {size} than the one that the journal holds")]
    Forked {
        /// The log.
        origin: String,
        /// The size at which the roots differ.
        size: u64,
    },
    /// The check of the logs found one that is not what was recorded; nothing is signed until an operator has looked.
    #[error(
        "the logs of this workspace are frozen since {origin} was found altered: {what}; see docs/runbooks/ledger-mismatch.md"
    )]
    Frozen {
        /// The log in which it was found.
        origin: String,
        /// What was found.
        what: String,
    },
    /// What a restore left of a log is not what was recorded, as far as it goes.
    #[error(
        "what is left of {origin} is not what was recorded: {what}. It was altered, and not only restored: put another copy of the database \
         back; see docs/runbooks/database-behind-its-journal.md"
    )]
    Altered {
        /// The log.
        origin: String,
        /// What was found.
        what: String,
    },
    /// The database names a generation that no sanctioned restore has begun.
    #[error("{origin} is of a generation that the journal does not know")]
    UnknownGeneration {
        /// The log.
        origin: String,
    },
    /// A stored checkpoint that no key of the log signed, or that covers more than there is.
    #[error("the stored checkpoint of {origin} at size {size} is not one of ours")]
    ForgedCheckpoint {
        /// The log.
        origin: String,
        /// Its size.
        size: u64,
    },
    /// The anchor store knows nothing of this cell, though its logs have begun.
    #[error(
        "{at} has no journal of this cell, though its logs have begun: put the anchor store back, or see \
         docs/runbooks/anchor-store-lost.md"
    )]
    JournalMissing {
        /// Where it would be.
        at: String,
    },
    /// Somebody else moved the head; nothing was written.
    #[error("the head of {origin} was moved by somebody else")]
    LostHead {
        /// The log.
        origin: String,
    },
    /// A staged row that no entry can be made of.
    #[error("staged row {staged_id} {what}")]
    MalformedRow {
        /// Its number in staging.
        staged_id: i64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A head that cannot be read.
    #[error("the head of {workspace} {environment} is malformed")]
    MalformedHead {
        /// The workspace, nil for the cell.
        workspace: Uuid,
        /// The environment.
        environment: &'static str,
    },
    /// A key that cannot be read.
    #[error("a ledger key is malformed")]
    MalformedKey,
    /// There is no such log.
    #[error("there is no such log")]
    NoSuchLog,
    /// The setting names another log name than the cell has.
    #[error("log_name is {given}, and the logs of this cell have been named {fixed} since they were made")]
    OtherName {
        /// The setting.
        given: String,
        /// What is fixed.
        fixed: String,
    },
    /// The name cannot stand in an origin.
    #[error("{0:?} cannot name a log: up to 128 of a-z 0-9 . : / _ -")]
    BadName(String),
}

impl LedgerError {
    /// Whether it says that something is wrong with one log, which holds up none of the others.
    #[must_use]
    pub const fn holds_one_log(&self) -> bool {
        match self {
            Self::Behind { .. }
            | Self::Forked { .. }
            | Self::Frozen { .. }
            | Self::Altered { .. }
            | Self::UnknownGeneration { .. }
            | Self::ForgedCheckpoint { .. }
            | Self::MalformedRow { .. }
            | Self::MalformedHead { .. }
            | Self::MalformedKey => true,
            Self::Db(_)
            | Self::Journal(_)
            | Self::Vault(_)
            | Self::JournalMissing { .. }
            | Self::LostHead { .. }
            | Self::NoSuchLog
            | Self::OtherName { .. }
            | Self::BadName(_) => false,
        }
    }
}
