//! The queue of those who record: bounded in bytes, shared fairly between logs, and one at a time within each.
//!
//! # Invariants
//! - A request has its place before its body is read, so what all of them hold together is bounded.
//! - A log has a place for another request only while all requests on it hold less than what is free (the dynamic
//!   thresholds of Choudhury and Hahne, 1998). So a flood on one log leaves half of the room to others, floods on two logs
//!   a third of it, and room that nobody wants is not kept empty.
//! - Who waits for a log holds no connection; who works holds one of at most half of the pool's.
//! - Whoever is refused has changed nothing. Whoever was let in and is dropped gives its place back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bailiwick_proof::log::Log;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// What all bodies may have together.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;
/// What a request holds at least: its own parts cost something too.
const LEAST_BYTES: u64 = 32 * 1024;
/// Nobody is told to come back later than that.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct Ingest(Arc<Inner>);

struct Inner {
    queue: Mutex<Queue>,
    workers: Arc<Semaphore>,
    /// How long a request worked lately.
    took_us: AtomicU64,
}

#[derive(Default)]
struct Queue {
    held: u64,
    logs: HashMap<Log, Line>,
}

/// Those who are on one log.
#[derive(Default)]
struct Line {
    held: u64,
    requests: u32,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// There is no place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// When those before will probably be through.
    pub retry_after: Duration,
}

/// A place in the queue; given back when it is dropped.
pub struct Place {
    ingest: Ingest,
    log: Log,
    bytes: u64,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// The turn of the one who works on a log.
pub struct Turn<'a> {
    ingest: &'a Ingest,
    began: Instant,
    _log: OwnedMutexGuard<()>,
    _worker: Option<OwnedSemaphorePermit>,
}

impl Ingest {
    /// For a pool of so many connections.
    pub(super) fn new(pool_size: u32) -> Self {
        let workers = usize::try_from(pool_size / 2).unwrap_or(1).max(1);
        Self(Arc::new(Inner {
            queue: Mutex::default(),
            workers: Arc::new(Semaphore::new(workers)),
            took_us: AtomicU64::new(0),
        }))
    }

    /// A place on this log for a body of so many bytes.
    ///
    /// # Errors
    /// [`Full`] when the log has had its share.
    pub fn enter(&self, log: Log, bytes: usize) -> Result<Place, Full> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).max(LEAST_BYTES);
        let mut queue = self.queue();
        let free = ROOM_BYTES.saturating_sub(queue.held);
        let line = queue.logs.get(&log);
        if line.map_or(0, |line| line.held).saturating_add(bytes) > free {
            metrics::counter!("bailiwick_ingest_refused_total").increment(1);
            return Err(Full { retry_after: self.wait(line.map_or(1, |line| line.requests)) });
        }
        queue.held += bytes;
        metrics::gauge!("bailiwick_ingest_held_bytes").set(gauge(queue.held));
        let line = queue.logs.entry(log).or_default();
        line.held += bytes;
        line.requests += 1;
        Ok(Place { ingest: self.clone(), log, bytes, turn: Arc::clone(&line.turn) })
    }

    /// How long so many requests take one after the other, in whole seconds.
    fn wait(&self, requests: u32) -> Duration {
        let all = Duration::from_micros(self.0.took_us.load(Ordering::Relaxed)).saturating_mul(requests);
        Duration::from_secs(all.as_secs() + 1).min(LONGEST_WAIT)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits for those who came before on this log, and for a connection's worth of room.
    pub async fn turn(&self) -> Turn<'_> {
        let log = Arc::clone(&self.turn).lock_owned().await;
        // Nobody closes the semaphore.
        let worker = Arc::clone(&self.ingest.0.workers).acquire_owned().await.ok();
        Turn { ingest: &self.ingest, began: Instant::now(), _log: log, _worker: worker }
    }

    /// When to come back for somebody who had a place, and whose log has too much of other work.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        let requests = self.ingest.queue().logs.get(&self.log).map_or(1, |line| line.requests);
        self.ingest.wait(requests)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = self.ingest.queue();
        queue.held = queue.held.saturating_sub(self.bytes);
        metrics::gauge!("bailiwick_ingest_held_bytes").set(gauge(queue.held));
        let Some(line) = queue.logs.get_mut(&self.log) else { return };
        line.held = line.held.saturating_sub(self.bytes);
        line.requests = line.requests.saturating_sub(1);
        if line.requests == 0 {
            queue.logs.remove(&self.log);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let took = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let before = self.ingest.0.took_us.load(Ordering::Relaxed);
        // Of the last few, the later count for more.
        let now = if before == 0 { took } else { before - before / 8 + took / 8 };
        self.ingest.0.took_us.store(now, Ordering::Relaxed);
    }
}

/// Below 2^26, and so exact.
fn gauge(bytes: u64) -> f64 {
    u32::try_from(bytes).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::environment::Environment;
    use bailiwick_proof::id::Id;
    use uuid::Uuid;

    use super::*;

    const LARGE: usize = 2 * 1024 * 1024;

    fn log(n: u128) -> Log {
        Log::Workspace { workspace: Id::from_uuid(Uuid::from_u128(n)), environment: Environment::Live }
    }

    /// All the places that a log gets until it is refused.
    fn flood(ingest: &Ingest, log: Log) -> Vec<Place> {
        std::iter::from_fn(|| ingest.enter(log, LARGE).ok()).collect()
    }

    #[test]
    fn a_flood_leaves_half_of_the_room_and_two_leave_a_third() {
        let ingest = Ingest::new(8);
        let first = flood(&ingest, log(1));
        assert_eq!(first.len(), 16, "half of 32");
        let second = flood(&ingest, log(2));
        assert_eq!(second.len(), 8, "half of what is free");
        drop(first);
        assert_eq!(flood(&ingest, log(2)).len() + second.len(), 16);
        assert!(ingest.enter(log(3), LARGE).is_ok(), "somebody new finds room");
    }

    #[test]
    fn places_come_back_and_logs_are_forgotten() {
        let ingest = Ingest::new(8);
        drop(flood(&ingest, log(1)));
        let queue = ingest.queue();
        assert_eq!((queue.held, queue.logs.len()), (0, 0));
        drop(queue);
        assert_eq!(flood(&ingest, log(1)).len(), 16);
    }

    #[test]
    fn small_requests_are_counted_too() {
        let ingest = Ingest::new(8);
        let places: Vec<Place> = std::iter::from_fn(|| ingest.enter(log(1), 1).ok()).collect();
        assert_eq!(places.len(), 1_024);
    }
}
