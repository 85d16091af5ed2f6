//! How long ago the node last heard from the database, by the monotonic clock.
//!
//! Both marks are moments at which something *began*: whatever the database said is at least as young.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::STALE_AFTER;

/// When the last good poll and the last committed sign of life began. Asked with every use of a key, so without a lock.
pub(super) struct Age {
    origin: Instant,
    polled: Mark,
    published: Mark,
}

/// A moment in nanoseconds since the origin, plus one; zero is none.
#[derive(Default)]
struct Mark(AtomicU64);

impl Mark {
    fn set(&self, origin: Instant, at: Instant) {
        let since = at.saturating_duration_since(origin).as_nanos();
        self.0.store(u64::try_from(since).unwrap_or(u64::MAX - 1) + 1, Ordering::SeqCst);
    }

    fn clear(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    fn get(&self) -> Option<u64> {
        self.0.load(Ordering::SeqCst).checked_sub(1)
    }
}

impl Default for Age {
    fn default() -> Self {
        Self { origin: Instant::now(), polled: Mark::default(), published: Mark::default() }
    }
}

impl Age {
    pub(super) fn polled(&self, began: Instant) {
        self.polled.set(self.origin, began);
    }

    pub(super) fn published(&self, began: Instant) {
        self.published.set(self.origin, began);
    }

    /// From now on memory decides nothing, until it has been read anew.
    pub(super) fn lose(&self) {
        self.polled.clear();
        self.published.clear();
    }

    /// `None` when there is nothing to be as old as.
    pub(super) fn at(&self, now: Instant) -> Option<Duration> {
        let heard = Duration::from_nanos(self.polled.get()?.min(self.published.get()?));
        Some(now.saturating_duration_since(self.origin).saturating_sub(heard))
    }

    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.at(now).is_some_and(|age| age < STALE_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_older_mark_counts_from_its_beginning() {
        let age = Age::default();
        let begin = Instant::now();
        assert!(!age.is_fresh(begin), "nothing was heard yet");
        age.polled(begin);
        assert!(!age.is_fresh(begin), "nothing was published yet");
        age.published(begin);
        let later = begin + STALE_AFTER - Duration::from_millis(1);
        assert!(age.is_fresh(later));
        age.polled(later);
        assert!(!age.is_fresh(begin + STALE_AFTER), "a poll does not make up for a sign of life");
        age.published(later);
        assert!(age.is_fresh(begin + STALE_AFTER));
        age.lose();
        assert!(!age.is_fresh(later));
    }
}
