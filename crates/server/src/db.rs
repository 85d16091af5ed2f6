//! The database, and the only ways to it.
//!
//! # Invariants
//! - No row without a transaction, no transaction without an authority: [`Db::workspace_tx`] wants an
//!   [`Authority`], [`Db::account_tx`] an [`AccountAuthority`], [`Db::system_tx`] a named
//!   [`OperationalPath`], [`Db::recording_tx`] both: an authority and a path. The pools are private to this module.
//! - Each kind of transaction sets its own settings and empties the others', in the same round trip
//!   as `BEGIN`, and only for the transaction (`SET LOCAL`).
//! - A writing transaction ends by [`WorkspaceTx::commit`] with a [`Recorded`], which staging a ledger
//!   entry makes, or by one of the short list of [`Unrecorded`] reasons. A tenant's entries are written by the commit
//!   itself (see `closing`).
//! - A job's transaction commits under the job's lease or not at all (see `lease`).
//! - A request that is cancelled anywhere returns no connection with a transaction open (see `tx`).

mod account_tx;
mod after_commit;
mod authority;
mod closing;
pub mod embedded;
mod error;
mod lease;
mod listen;
mod lock;
mod migrations;
mod operational_path;
mod pools;
mod recording_tx;
mod system_tx;
mod tx;
mod workspace_tx;

pub use account_tx::AccountTx;
pub use authority::{AccountAuthority, Authority, Lease, ProjectWall, Recorded, Unrecorded, sealed};
pub use closing::{KeptAnswer, StagedEntry};
pub use error::DbError;
pub use lease::LEASE_SECONDS;
pub use listen::Listener;
pub use lock::Lock;
pub use migrations::{MIGRATOR, SchemaState, newest_migration, schema_state};
pub use operational_path::{OperationalPath, reference_markdown};
pub use pools::Db;
pub use recording_tx::RecordingTx;
pub use system_tx::SystemTx;
pub use tx::Xid;
pub use workspace_tx::WorkspaceTx;
