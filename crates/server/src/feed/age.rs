//! How long ago the node last heard from the database, by the monotonic clock.
//!
//! Both marks are moments at which something *began*: whatever the database said is at least as young.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::STALE_AFTER;

/// When the last good poll and the last committed sign of life began.
#[derive(Default)]
pub(super) struct Age(Mutex<Marks>);

#[derive(Clone, Copy, Default)]
struct Marks {
    polled: Option<Instant>,
    published: Option<Instant>,
}

impl Age {
    pub(super) fn polled(&self, began: Instant) {
        self.marks(|marks| marks.polled = Some(began));
    }

    pub(super) fn published(&self, began: Instant) {
        self.marks(|marks| marks.published = Some(began));
    }

    /// From now on memory decides nothing, until it has been read anew.
    pub(super) fn lose(&self) {
        self.marks(|marks| *marks = Marks::default());
    }

    /// `None` when there is nothing to be as old as.
    pub(super) fn at(&self, now: Instant) -> Option<Duration> {
        let Marks { polled, published } = self.marks(|marks| *marks);
        Some(now.saturating_duration_since(polled?.min(published?)))
    }

    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.at(now).is_some_and(|age| age < STALE_AFTER)
    }

    fn marks<T>(&self, with: impl FnOnce(&mut Marks) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
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
