//! The stream: a log, out to a bucket of the customer's own, from which alone it is rebuilt and verified (decision 25).
//!
//! ```text
//! <prefix>/<origin>/tile/<level>/<index>[.p/<width>]     C2SP tlog-tiles, as under `…/audit/log/`
//! <prefix>/<origin>/tile/entries/<index>[.p/<width>]
//! <prefix>/<origin>/keys.json                            the keys that sign this log
//! <prefix>/<origin>/checkpoint                           last, and only when all that it covers is there
//! ```
//!
//! # Invariants
//! - How far the bucket is, its own checkpoint says, after it was held against this log; the row in the database is a hint. So
//!   whoever is killed, comes second or goes by an older database writes nothing twice and leaves nothing out.
//! - A tile is created and never written over. The same bytes under its name are success; others stop the stream, with an entry.
//! - The checkpoint is replaced from the one that was seen, by a larger one.
//! - What is written was held against the signed root before: a damaged log is not passed on.
//! - No transaction is open while the bucket is waited for, and a tile at a time is in memory.
//! - Where it goes is sealed as a whole and bound to its row: who writes to the database alone turns no stream elsewhere.
//! - Customers name the endpoint: it is reached where the operator lets it be (see `reach`), and what it says gets into no log line.

mod bucket;
mod copy;
mod fault;
pub mod http;
mod model;
mod operator;
mod ops;
pub mod page;
mod place;
mod reach;
mod run;
mod sql;
mod sweep;
mod tiles;

pub use self::model::{SetStream, Stream};
pub use self::operator::{PublishLogs, Publisher};
pub use self::run::StreamLog;
pub use self::sweep::FindBehind;

use crate::clock::Clock;
use crate::db::Db;
use crate::entropy::Entropy;
use crate::jobs::Queue;
use crate::ledger::Ledger;
use crate::networks::Networks;
use crate::vault::Vault;

/// What streams.
#[derive(Clone)]
pub struct Streams {
    /// The database.
    pub db: Db,
    /// Seals where a stream goes.
    pub vault: Vault,
    /// The logs.
    pub ledger: Ledger,
    /// Takes the next job.
    pub queue: Queue,
    /// Tells the time.
    pub clock: Clock,
    /// Gives randomness.
    pub entropy: Entropy,
    /// Private networks in which buckets may be.
    pub networks: Networks,
}
