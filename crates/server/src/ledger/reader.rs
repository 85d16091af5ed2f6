//! Who reads a log that was published: its own workspace, or the server itself.

use bailiwick_proof::log::Log;
use sqlx::PgConnection;

use super::prove::log_of;
use crate::db::{DbError, ProjectWall, SystemTx, WorkspaceTx};

/// A transaction that reads one log.
pub enum LogTx<'t> {
    /// Of a workspace, in one environment.
    Own(&'t mut WorkspaceTx),
    /// On an operational path, of any log.
    Any(&'t mut SystemTx, Log),
}

impl<'t> From<&'t mut WorkspaceTx> for LogTx<'t> {
    fn from(tx: &'t mut WorkspaceTx) -> Self {
        Self::Own(tx)
    }
}

impl<'t> From<(&'t mut SystemTx, Log)> for LogTx<'t> {
    fn from((tx, log): (&'t mut SystemTx, Log)) -> Self {
        Self::Any(tx, log)
    }
}

impl LogTx<'_> {
    pub(super) fn log(&self) -> Log {
        match self {
            Self::Own(tx) => log_of(tx),
            Self::Any(_, log) => *log,
        }
    }

    /// Whether entries of all projects may be seen.
    pub(super) fn is_unconfined(&self) -> bool {
        match self {
            Self::Own(tx) => tx.project() == ProjectWall::Unconfined,
            Self::Any(..) => true,
        }
    }

    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        match self {
            Self::Own(tx) => tx.connection(),
            Self::Any(tx, _) => tx.connection(),
        }
    }
}
