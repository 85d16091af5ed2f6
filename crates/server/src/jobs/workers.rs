//! The workers of a node: claim in batches, run, end in batches, keep leases, stop in order.
//!
//! One task ([`Floor`]) owns what is at hand; claims, renewals and looks into the queue are errands that it sends out,
//! one of each sort at a time, so that jobs go on running meanwhile.

mod ender;
mod errand;
mod floor;
mod sql;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use uuid::Uuid;

use self::floor::Floor;
use super::gauge;
use super::queue::Queue;
use super::registry::Registry;
use super::schedule::{self, Schedule};
use crate::clock::Clock;
use crate::db::Db;
use crate::supervise::supervise;

/// For what runs when the workers are asked to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// What workers are made of.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The queue that they are woken by.
    pub queue: Queue,
    /// What they can do.
    pub registry: Registry,
    /// What comes again and again.
    pub schedules: Vec<Schedule>,
    /// Tells the time.
    pub clock: Clock,
    /// How many jobs run at once; with 0 this node leaves all of them to others.
    pub slots: usize,
}

/// The workers of a node.
pub struct Workers(Arc<Inner>);

struct Inner {
    db: Db,
    queue: Queue,
    registry: Registry,
    schedules: Vec<Schedule>,
    clock: Clock,
    slots: usize,
    /// A name for this process among those that hear each other.
    node: Uuid,
}

impl Workers {
    /// Puts them together; nothing happens before [`Self::run`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { db, queue, registry, schedules, clock, slots } = parts;
        let node = queue.entropy().uuid_v7(clock.now());
        Self(Arc::new(Inner { db, queue, registry, schedules, clock, slots, node }))
    }

    /// Works until `stop` resolves. Then nothing more is claimed, what was not begun is given back at once, and what runs
    /// has ten seconds to end before it is given back as well.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self(inner) = self;
        // Dropped at the end together with this set, the helpers end.
        let mut helpers = JoinSet::new();
        helpers.spawn(tell(inner.clone()));
        if inner.slots == 0 {
            return stop.await;
        }
        helpers.spawn(listen(inner.clone()));
        helpers.spawn(keep_schedules(inner.clone()));
        helpers.spawn(keep_counting(inner.clone()));
        Floor::new(inner).work(stop, PATIENCE).await;
    }
}

async fn tell(inner: Arc<Inner>) {
    supervise("jobs_tell", || inner.queue.wake().keep_telling(&inner.db, inner.node)).await;
}

async fn listen(inner: Arc<Inner>) {
    let listen = || inner.queue.wake().keep_listening(&inner.db, inner.node, &inner.registry);
    supervise("jobs_listen", listen).await;
}

async fn keep_schedules(inner: Arc<Inner>) {
    let keep = || schedule::keep(&inner.db, &inner.queue, &inner.clock, &inner.schedules);
    supervise("jobs_schedules", keep).await;
}

async fn keep_counting(inner: Arc<Inner>) {
    supervise("jobs_count", || gauge::keep(&inner.db, &inner.clock, &inner.registry)).await;
}
