//! What a process remembers of one owner.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use super::keys::Keys;
use crate::clock::Tick;

/// An owner's place in memory.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by whoever fetches keys or reserves uses.
    pub(super) fetching: tokio::sync::Mutex<()>,
    remembered: RwLock<Option<Arc<Remembered>>>,
    looked_at: Mutex<Option<Instant>>,
}

/// Keys, since when, and how often they may still seal.
pub(super) struct Remembered {
    pub(super) keys: Arc<Keys>,
    at: Tick,
    /// Uses of the newest version that are reserved and not made. They are that version's: whatever is fetched of it anew
    /// goes on with them.
    left: Arc<AtomicI64>,
}

impl Slot {
    /// What has been remembered for less than this.
    pub(super) fn remembered(&self, at_most: Duration) -> Option<Arc<Remembered>> {
        self.with(at_most, Arc::clone)
    }

    /// The same, for as long as somebody looks at it.
    pub(super) fn with<T>(&self, at_most: Duration, look: impl FnOnce(&Arc<Remembered>) -> T) -> Option<T> {
        let remembered = self.remembered.read().unwrap_or_else(PoisonError::into_inner);
        remembered.as_ref().filter(|remembered| remembered.at.elapsed() < at_most).map(look)
    }

    /// Remembers these from now on, and answers what is remembered.
    pub(super) fn remember(&self, keys: Keys) -> Arc<Remembered> {
        let newest = |keys: &Keys| keys.version().ok();
        let mut slot = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
        let same = slot.as_ref().filter(|before| newest(&before.keys) == newest(&keys));
        let left = same.map(|before| Arc::clone(&before.left)).unwrap_or_default();
        Arc::clone(slot.insert(Arc::new(Remembered { keys: Arc::new(keys), at: Tick::last(), left })))
    }

    /// Whether to look for a version that nobody here has heard of: once in a while, or bytes that were made up would have
    /// the key service asked each time.
    pub(super) fn may_look(&self, pause: Duration) -> bool {
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = looked_at.is_none_or(|at| at.elapsed() >= pause);
        if may {
            *looked_at = Some(Instant::now());
        }
        may
    }

    pub(super) fn forget(&self) {
        *self.remembered.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Remembered {
    /// Takes so many of the uses that are reserved; all or none.
    pub(super) fn take(&self, uses: u32) -> bool {
        let take = |left| (left >= i64::from(uses)).then(|| left - i64::from(uses));
        self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok()
    }

    /// Whether so many are reserved.
    pub(super) fn has(&self, uses: u32) -> bool {
        self.left.load(Ordering::Acquire) >= i64::from(uses)
    }

    /// So many were reserved.
    pub(super) fn add(&self, uses: u32) {
        self.left.fetch_add(i64::from(uses), Ordering::AcqRel);
    }
}
