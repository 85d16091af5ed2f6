//! For how long a workspace's audit log is kept, and what holds it.
//!
//! ```text
//! setting      days, for each log; one that is shorter takes effect a week later, and can be taken back until then
//! legal hold   while one is open nothing of its log goes, and nobody of the workspace is erased
//! pruning      each hour the job `ledger.prune`: see the service `ledger`, which cuts and deletes
//! ```
//!
//! # Invariants
//! - Whoever owns the database has nothing pruned: setting and open holds are vouched for in one row, and the log says which
//!   version of that row is the last. A row that is another's, or an older one, prunes nothing and is raised as an alert.
//! - A change has its entry in the log, with its number, before it is answered.
//! - What counts as old is told by the earlier of two clocks, the node's and the database's, and by each entry's own time.
//! - Only an owner who signed in a moment ago shortens a setting or releases a hold. No key does.

mod change;
pub mod http;
mod model;
pub mod page;
mod run;
mod sql;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{Id, LegalHoldId, WorkspaceId};
use bailiwick_proof::log::Log;
use sqlx::PgConnection;

pub use self::model::{LegalHold, OpenLegalHold, ReleaseLegalHold, Retention, SetRetention};
pub use self::run::{PruneLogs, Pruner};
use crate::authz::Notary;
use crate::db::{Db, DbError, OperationalPath};
use crate::ledger::{self, Ledger, LedgerError};

/// Whether a workspace's logs are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// They are not.
    No,
    /// By this one, and perhaps by others.
    By(LegalHoldId),
    /// What the database says of their holds is not what was decided.
    Altered,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::No => f.write_str("none"),
            Self::By(hold) => hold.fmt(f),
            Self::Altered => f.write_str("altered"),
        }
    }
}

/// Keeps holds from being opened until the transaction ends: what [`held`] answers after it stays true for whoever erases.
///
/// # Errors
/// [`DbError`], also when a hold is being opened that takes its time.
pub async fn keep_holds_out(connection: &mut PgConnection, workspace: WorkspaceId) -> Result<(), DbError> {
    sql::lock_holds(connection, workspace, true).await
}

/// Whether either log of a workspace is held, for whoever destroys what they say. No row is as much of an answer as one: the logs say which
/// version of it is the last.
///
/// # Errors
/// [`LedgerError`] when database, logs or keys do not serve.
pub async fn held(db: &Db, ledger: &Ledger, notary: &Notary, workspace: WorkspaceId) -> Result<Held, LedgerError> {
    let mut tx = db.system_tx(OperationalPath::Shred).await?;
    let logs = sql::of_workspace(&mut tx, workspace).await?;
    let holds = sql::open_of_workspace(&mut tx, workspace).await?;
    tx.finish_reading().await?;
    if let Some(hold) = holds.first() {
        return Ok(Held::By(Id::from_uuid(*hold)));
    }
    for (state, mac) in &logs {
        if !notary.vouches(&state.row(), mac).await? {
            return Ok(Held::Altered);
        }
    }
    for environment in Environment::ALL {
        let told = ledger::told_retention(ledger, notary, Log::Workspace { workspace, environment }).await?;
        let stands = logs.iter().find(|(state, _)| state.environment == environment);
        if told.is_none() || u64::try_from(stands.map_or(0, |(state, _)| state.version)).ok() != told {
            return Ok(Held::Altered);
        }
    }
    Ok(Held::No)
}
