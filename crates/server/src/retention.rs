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

use bailiwick_proof::id::{Id, LegalHoldId, WorkspaceId};

pub use self::model::{LegalHold, OpenLegalHold, ReleaseLegalHold, Retention, SetRetention};
pub use self::run::{PruneLogs, Pruner};
use crate::authz::vouched::{Kind, Vouched as _};
use crate::db::{Db, DbError, OperationalPath};
use crate::vault::{Vault, VaultError};

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

/// Nobody can tell whether logs are held.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Nobody can vouch for anything now.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Whether either log of a workspace is held, for whoever destroys what they say.
///
/// # Errors
/// See [`HeldError`].
pub async fn held(db: &Db, vault: &Vault, workspace: WorkspaceId) -> Result<Held, HeldError> {
    let mut tx = db.system_tx(OperationalPath::Shred).await?;
    let logs = sql::of_workspace(&mut tx, workspace).await?;
    let holds = sql::open_of_workspace(&mut tx, workspace).await?;
    tx.finish_reading().await?;
    if let Some(hold) = holds.first() {
        return Ok(Held::By(Id::from_uuid(*hold)));
    }
    let keys = vault.all_row_keys(Kind::Retention.label()).await?;
    let are_ours = logs.iter().all(|(state, mac)| keys.vouches(&state.row().meaning(), mac) == Some(true));
    Ok(if are_ours { Held::No } else { Held::Altered })
}
