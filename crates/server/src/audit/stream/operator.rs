//! The operator's own store: every log of the cell, as tiles below its origin, in a folder or a bucket (decision 34).
//!
//! # Invariants
//! - What is written, and how, is what a customer's bucket gets (`copy`): created once and held against the signed root; the checkpoint comes last.
//! - How far a copy is, the store itself says. What this process remembers of it decides when to look, and a process that remembers
//!   nothing looks.
//! - Nothing waits for the store. One that is away ends the round; the next one goes on where its checkpoints are.
//! - Entries hold commitments alone: nothing in the store opens, and nothing in it has to be erased.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bailiwick_proof::log::Log;
use bailiwick_proof::tile::WIDTH;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::copy::{LogCopy, Right, Step, Stop};
use super::fault::{Code, Fault};
use super::place::{Place, Shelf};
use super::sql;
use crate::anchor::AnchorStore;
use crate::authz::PermissionSet;
use crate::clock::Clock;
use crate::db::{Db, OperationalPath};
use crate::jobs::{Claimed, Done, Failure, InCell, Job, Policy};
use crate::ledger::Ledger;
use crate::vault::{Alert, Alerts};

/// A tile that is full is written within a round, what is not full once this long.
const HOUR: time::Duration = time::Duration::HOUR;
/// A round ends after so long; the next one goes on.
const TURN: Duration = Duration::from_secs(240);
const TURN_LIMIT: Duration = Duration::from_secs(900);
/// So many rounds that failed in a row are an alert: some minutes.
const PATIENCE: u32 = 5;

/// What publishes. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    db: Db,
    ledger: Ledger,
    clock: Clock,
    alerts: Alerts,
    /// None is configured: nothing is published.
    store: Option<AnchorStore>,
    known: Arc<Mutex<Known>>,
}

/// What this process knows of the copies.
#[derive(Default)]
struct Known {
    copies: HashMap<Log, Copied>,
    /// Rounds that the store has ended, in a row.
    failed: u32,
}

/// How a copy was when it was looked at last.
#[derive(Clone, Copy)]
struct Copied {
    generation: u32,
    size: u64,
    at: OffsetDateTime,
    /// What keeps this log from being written has to be seen to.
    is_held: bool,
}

/// A log, and how far it is.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) log: Log,
    pub(super) generation: u32,
    pub(super) size: u64,
}

impl Publisher {
    /// Over a store, if there is one.
    #[must_use]
    pub fn new(db: Db, ledger: Ledger, clock: Clock, alerts: Alerts, store: Option<AnchorStore>) -> Self {
        Self { db, ledger, clock, alerts, store, known: Arc::default() }
    }

    /// Writes of every log what is due: a tile's worth of entries, or what is an hour old. Answers how many logs were written.
    ///
    /// # Errors
    /// When the database does not serve. What the store does is counted, and told after a while.
    pub async fn publish(&self) -> Result<usize, Failure> {
        let Some(store) = &self.store else { return Ok(0) };
        let mut tx = self.db.system_tx(OperationalPath::PublishLogs).await?;
        let heads = sql::heads(&mut tx).await?;
        tx.finish_reading().await?;
        let now = self.clock.now();
        let due: Vec<Head> = heads.into_iter().filter(|head| self.is_due(head, now)).collect();
        let (until, mut written, mut behind) = (Instant::now() + TURN, 0, due.len());
        let mut ended = None;
        for head in due {
            if Instant::now() >= until {
                break;
            }
            match self.bring_up(store, head, until).await {
                Ok(()) => (written, behind) = (written + 1, behind - 1),
                Err(Stop::Fault(fault)) if is_of_store(fault.code) => {
                    ended = Some(fault);
                    break;
                }
                Err(Stop::Fault(fault)) => self.hold(head, &fault, now),
                Err(Stop::Job(failure)) => return Err(failure),
                Err(Stop::Superseded) => {}
            }
        }
        self.told(ended.as_ref(), behind, now);
        Ok(written)
    }

    fn is_due(&self, head: &Head, now: OffsetDateTime) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(copied) = known.copies.get(&head.log) else { return true };
        let has_waited = now - copied.at >= HOUR || now < copied.at;
        if copied.is_held {
            return has_waited;
        }
        let is_new = (head.generation, head.size) != (copied.generation, copied.size);
        is_new && (has_waited || head.generation != copied.generation || head.size >= copied.size.saturating_add(WIDTH))
    }

    async fn bring_up(&self, store: &AnchorStore, head: Head, until: Instant) -> Result<(), Stop> {
        let Head { log, .. } = head;
        let generation = self.ledger.checkpoint(log).await?.generation;
        let origin = self.ledger.origin(log, generation)?.to_string();
        let place = Place::Operators(Shelf { store: store.clone(), below: origin.clone() });
        let (db, ledger) = (&self.db, &self.ledger);
        let copy = LogCopy { db, ledger, right: Right::Publication, log, generation, origin, place };
        while Instant::now() < until {
            let (size, is_whole) = match copy.step().await? {
                Step::Whole(size) => (size, true),
                Step::To(size) => (size, false),
                Step::Raced => continue,
                Step::Elsewhere => break,
            };
            self.remember(log, Copied { generation, size, at: self.clock.now(), is_held: false });
            if is_whole {
                break;
            }
        }
        Ok(())
    }

    fn remember(&self, log: Log, copied: Copied) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).copies.insert(log, copied);
    }

    /// One log is not written for now; the others are.
    fn hold(&self, head: Head, fault: &Fault, now: OffsetDateTime) {
        let Head { log, generation, size } = head;
        metrics::counter!("bailiwick_publication_faults_total", "code" => fault.code.as_str()).increment(1);
        let object = fault.object.as_deref().unwrap_or_default();
        tracing::error!(event = "audit.publication_held", code = fault.code.as_str(), object);
        self.remember(log, Copied { generation, size, at: now, is_held: true });
        if fault.code == Code::StreamConflict {
            self.raise("publication_conflict", log, object);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts and times are far below 2^52")]
    fn told(&self, ended: Option<&Fault>, behind: usize, now: OffsetDateTime) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.failed = if ended.is_some() { known.failed.saturating_add(1) } else { 0 };
        let failed = known.failed;
        drop(known);
        metrics::gauge!("bailiwick_publication_behind").set(behind as f64);
        metrics::gauge!("bailiwick_publication_failures").set(f64::from(failed));
        let Some(fault) = ended else {
            metrics::gauge!("bailiwick_publication_written_seconds").set(now.unix_timestamp() as f64);
            return;
        };
        metrics::counter!("bailiwick_publication_faults_total", "code" => fault.code.as_str()).increment(1);
        if failed >= PATIENCE {
            self.raise("publication_away", Log::Cell, fault.code.as_str());
        }
    }

    fn raise(&self, what: &'static str, log: Log, row: &str) {
        let workspace = match log {
            Log::Workspace { workspace, .. } => workspace.uuid(),
            Log::Cell => Uuid::nil(),
        };
        self.alerts.raise(Alert { what, of: "publication", workspace, row: row.to_owned() });
    }
}

/// Whether the store keeps all logs from being written.
const fn is_of_store(code: Code) -> bool {
    !matches!(code, Code::StreamConflict | Code::EntriesMissing | Code::LogDamaged | Code::LogFrozen)
}

/// The job `audit.publish`.
pub struct PublishLogs(pub Publisher);

impl Job for PublishLogs {
    const KIND: &'static str = "audit.publish";
    const POLICY: Policy = Policy { time_limit: TURN_LIMIT, ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        self.0.publish().await?;
        Ok(claimed.done())
    }
}
