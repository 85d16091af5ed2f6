//! What a process remembers of owners.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::time::Instant;
use uuid::Uuid;

use super::keys::Keys;
use crate::clock::Tick;

/// So many owners are remembered; past it those whose time is over are forgotten.
const OWNERS: usize = 20_000;

type ByOwner = HashMap<Uuid, Held, RandomState>;

/// All owners of whom something is remembered. One lock is on the way to keys that serve; whoever changes what is remembered
/// waits for as long as one value takes to be sealed or opened. Keys that are given up are wiped after the lock.
#[derive(Default)]
pub(super) struct Slots(RwLock<ByOwner>);

/// An owner's place in memory, and the keys that stand there.
#[derive(Default)]
struct Held {
    slot: Arc<Slot>,
    remembered: Option<Arc<Remembered>>,
}

/// What those who fetch for an owner share.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by whoever fetches keys or reserves uses.
    pub(super) fetching: tokio::sync::Mutex<()>,
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

impl Slots {
    /// An owner's slot, made if there is none.
    pub(super) fn slot(&self, owner: Uuid, lifetime: Duration) -> Arc<Slot> {
        if let Some(held) = self.read().get(&owner) {
            return Arc::clone(&held.slot);
        }
        let mut owners = self.write();
        let mut gone = Vec::new();
        if owners.len() >= OWNERS {
            // Nobody holds it, and it is over: its reserved uses are lost, which is what they are reserved for.
            let is_over = |held: &Held| Arc::strong_count(&held.slot) == 1 && held.serving(lifetime).is_none();
            gone.extend(owners.extract_if(|_, held| is_over(held)));
        }
        let slot = Arc::clone(&owners.entry(owner).or_default().slot);
        drop(owners);
        drop(gone);
        slot
    }

    /// What has been remembered for less than this.
    pub(super) fn remembered(&self, owner: Uuid, at_most: Duration) -> Option<Arc<Remembered>> {
        self.with(owner, at_most, Arc::clone)
    }

    /// The same, for as long as somebody looks at it.
    pub(super) fn with<T>(
        &self,
        owner: Uuid,
        at_most: Duration,
        look: impl FnOnce(&Arc<Remembered>) -> T,
    ) -> Option<T> {
        self.read().get(&owner)?.serving(at_most).map(look)
    }

    /// Remembers these from now on, and answers what is remembered. Keys that were fetched for a slot that has been given up
    /// meanwhile serve whoever fetched them, and nobody else.
    pub(super) fn remember(&self, owner: Uuid, slot: &Slot, keys: Keys) -> Arc<Remembered> {
        let mut owners = self.write();
        let held = Self::held(&mut owners, owner, slot);
        let newest = |keys: &Keys| keys.version().ok();
        let before = held.as_ref().and_then(|held| held.remembered.as_ref());
        let same = before.filter(|before| newest(&before.keys) == newest(&keys));
        let left = same.map(|before| Arc::clone(&before.left)).unwrap_or_default();
        let remembered = Arc::new(Remembered { keys: Arc::new(keys), at: Tick::last(), left });
        let gone = held.and_then(|held| held.remembered.replace(Arc::clone(&remembered)));
        drop(owners);
        drop(gone);
        remembered
    }

    /// Forgets the keys that stand by this slot.
    pub(super) fn forget_keys(&self, owner: Uuid, slot: &Slot) {
        let gone = Self::held(&mut self.write(), owner, slot).and_then(|held| held.remembered.take());
        drop(gone);
    }

    /// Gives an owner's slot up: what is being fetched for it at this moment will not be remembered.
    pub(super) fn forget(&self, owner: Uuid) {
        let gone = self.write().remove(&owner);
        drop(gone);
    }

    fn held<'a>(owners: &'a mut ByOwner, owner: Uuid, slot: &Slot) -> Option<&'a mut Held> {
        owners.get_mut(&owner).filter(|held| std::ptr::eq(&*held.slot, slot))
    }

    fn read(&self) -> RwLockReadGuard<'_, ByOwner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, ByOwner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn serving(&self, at_most: Duration) -> Option<&Arc<Remembered>> {
        self.remembered.as_ref().filter(|remembered| remembered.at.elapsed() < at_most)
    }
}

impl Slot {
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

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);
    const OWNER: Uuid = Uuid::from_u128(1);

    #[test]
    fn what_was_fetched_for_a_slot_that_was_given_up_serves_nobody_else() {
        let slots = Slots::default();
        let slot = slots.slot(OWNER, LONG);
        slots.remember(OWNER, &slot, Keys::sample());
        assert!(slots.remembered(OWNER, LONG).is_some());

        slots.forget(OWNER);
        slots.remember(OWNER, &slot, Keys::sample());
        assert!(slots.remembered(OWNER, LONG).is_none(), "nobody has a slot");
        let next = slots.slot(OWNER, LONG);
        slots.remember(OWNER, &slot, Keys::sample());
        assert!(slots.remembered(OWNER, LONG).is_none(), "somebody has another");

        slots.remember(OWNER, &next, Keys::sample());
        slots.forget_keys(OWNER, &slot);
        assert!(slots.remembered(OWNER, LONG).is_some());
        slots.forget_keys(OWNER, &next);
        assert!(slots.remembered(OWNER, LONG).is_none());
    }

    #[test]
    fn what_is_left_of_the_reserved_uses_goes_on_with_the_same_version() {
        let slots = Slots::default();
        let slot = slots.slot(OWNER, LONG);
        slots.remember(OWNER, &slot, Keys::sample()).add(3);
        assert!(slots.remembered(OWNER, LONG).unwrap().take(1));

        let anew = slots.remember(OWNER, &slot, Keys::sample());
        assert!(anew.has(2) && !anew.has(3));
        slots.forget_keys(OWNER, &slot);
        assert!(!slots.remember(OWNER, &slot, Keys::sample()).has(1));
    }

    #[test]
    fn those_whose_time_is_over_make_room_unless_somebody_holds_their_slot() {
        let slots = Slots::default();
        let owners = || (1..=OWNERS as u128).map(Uuid::from_u128);
        owners().for_each(|owner| drop(slots.slot(owner, LONG)));
        let held = slots.slot(OWNER, LONG);
        let serving = Uuid::from_u128(2);
        slots.remember(serving, &slots.slot(serving, LONG), Keys::sample());

        slots.slot(Uuid::nil(), LONG);

        assert_eq!(slots.read().len(), 3);
        assert!(Arc::ptr_eq(&held, &slots.slot(OWNER, LONG)) && slots.remembered(serving, LONG).is_some());
    }
}
