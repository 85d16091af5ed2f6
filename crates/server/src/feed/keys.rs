//! API keys in memory, by their public index.
//!
//! # Invariants
//! - Of two states of a key the one with the higher version stays, whoever brings it: a slow question cannot put back what
//!   the feed has taken away. Revoked keys stay, so that there is a version to compare with.
//! - A state that was read before something vanished is not kept ([`Keys::begin`]): versions cannot tell that.
//! - Digests are compared in constant time, and all that stand under an index.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bailiwick_proof::api_key::LOOKUP_CHARS;
use bailiwick_proof::id::{ApiKeyId, WorkspaceId};
use foldhash::fast::RandomState;
use subtle::{Choice, ConditionallySelectable};
use uuid::Uuid;

use crate::authz::{KeyFacts, SharedSlug};

/// Enough that a change of one key holds up few of the others.
const SHARDS: usize = 64;

/// The public characters of a key.
pub(super) type Lookup = [u8; LOOKUP_CHARS];

/// A key as the database has it.
#[derive(Clone)]
pub(super) struct KeyRow {
    pub(super) lookup: Lookup,
    pub(super) digest: [u8; 32],
    pub(super) version: i64,
    pub(super) revoked: bool,
    /// With a slug of its own, until it is kept.
    pub(super) facts: KeyFacts,
}

/// What memory says of a digest.
#[derive(Debug)]
pub(super) enum Found {
    /// Such a key, and whether its use is to be noted.
    Key(Arc<KeyFacts>, bool),
    /// Such a key was revoked.
    Revoked,
    /// None with this digest.
    Nothing,
}

/// A moment before a question, to be shown with its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun(usize);

/// A moment before everything is read.
#[derive(Clone, Copy)]
pub(super) struct BegunAll(usize);

struct Stored {
    id: Uuid,
    digest: [u8; 32],
    version: i64,
    /// `None` when it was revoked.
    facts: Option<Arc<KeyFacts>>,
    /// The unix second of the last use that was noted.
    noted: AtomicI64,
}

type Shard = HashMap<u64, Vec<Stored>, RandomState>;

/// The index as it is hashed: one word, at once.
const fn number(lookup: &Lookup) -> u64 {
    u64::from_le_bytes(*lookup)
}

/// Every key of the cell, once they are loaded.
pub(super) struct Keys {
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
    /// Slugs, which the keys of a workspace share.
    slugs: RwLock<HashMap<WorkspaceId, SharedSlug>>,
    /// How often something vanished.
    vanished: AtomicUsize,
    count: AtomicUsize,
    /// How often everything was dropped, plus one.
    resets: AtomicUsize,
    /// After which of the resets everything was read again.
    complete: AtomicUsize,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::default(),
            slugs: RwLock::default(),
            vanished: AtomicUsize::new(0),
            count: AtomicUsize::new(0),
            resets: AtomicUsize::new(1),
            complete: AtomicUsize::new(0),
        }
    }
}

impl Keys {
    /// Whether what is not here is not there either, as far as the feed was followed.
    pub(super) fn are_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire) == self.resets.load(Ordering::Acquire)
    }

    /// To be called before everything is read.
    pub(super) fn begin_all(&self) -> BegunAll {
        BegunAll(self.resets.load(Ordering::Acquire))
    }

    /// Everything that has been read since then has been kept.
    pub(super) fn completed(&self, begun: BegunAll) {
        self.complete.store(begun.0, Ordering::Release);
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// To be called before the database is asked.
    pub(super) fn begin(&self) -> Begun {
        Begun(self.vanished.load(Ordering::Acquire))
    }

    /// Looks for a digest among the keys with an index. `now` is in unix seconds; a use is noted when the last one was
    /// noted more than `grain` ago.
    pub(super) fn find(&self, lookup: &Lookup, digest: &[u8; 32], now: i64, grain: i64) -> Found {
        let shard = self.read(lookup);
        let Some(candidates) = shard.get(&number(lookup)) else { return Found::Nothing };
        // Which one it is stands in no branch of the loop.
        let mut found = u64::MAX;
        for (n, stored) in (0_u64..).zip(candidates) {
            let same = verify_slices_are_equal(&stored.digest, digest).is_ok();
            found.conditional_assign(&n, Choice::from(u8::from(same)));
        }
        let Some(stored) = usize::try_from(found).ok().and_then(|n| candidates.get(n)) else { return Found::Nothing };
        let Some(facts) = &stored.facts else { return Found::Revoked };
        let noted = stored.noted.load(Ordering::Relaxed);
        let due = noted.saturating_add(grain) <= now;
        let ours = due && stored.noted.compare_exchange(noted, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        Found::Key(facts.clone(), ours)
    }

    /// Keeps what was read after `begun`, unless memory knows better. False when something vanished meanwhile.
    pub(super) fn keep(&self, begun: Begun, row: KeyRow) -> bool {
        let KeyRow { lookup, digest, version, revoked, mut facts } = row;
        let id = facts.id.uuid();
        let mut shard = self.write(&lookup);
        // Under the lock: whoever lets something vanish takes it after having counted.
        if self.vanished.load(Ordering::Acquire) != begun.0 {
            return false;
        }
        facts.workspace_slug = self.slug_of(facts.workspace, facts.workspace_slug);
        let candidates = shard.entry(number(&lookup)).or_default();
        let facts = (!revoked).then(|| Arc::new(facts));
        match candidates.iter_mut().find(|stored| stored.id == id) {
            Some(stored) if stored.version >= version => {}
            Some(stored) => (stored.digest, stored.version, stored.facts) = (digest, version, facts),
            None => {
                self.count.fetch_add(1, Ordering::Relaxed);
                // Nearly every index has one key: no room for more.
                candidates.reserve_exact(1);
                candidates.push(Stored { id, digest, version, facts, noted: AtomicI64::new(i64::MIN) });
            }
        }
        true
    }

    /// A key is gone, or stands elsewhere. Rare, so it may look everywhere.
    pub(super) fn vanish(&self, key: ApiKeyId) {
        self.vanished.fetch_add(1, Ordering::AcqRel);
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, candidates| {
                let before = candidates.len();
                candidates.retain(|stored| stored.id != key.uuid());
                self.count.fetch_sub(before - candidates.len(), Ordering::Relaxed);
                !candidates.is_empty()
            });
        }
    }

    /// A workspace has this slug now.
    pub(super) fn rename(&self, workspace: WorkspaceId, slug: &str) {
        let mut slugs = self.slugs.write().unwrap_or_else(PoisonError::into_inner);
        slugs.entry(workspace).or_default().set(slug);
    }

    /// Everything is to be read anew.
    pub(super) fn reset(&self) {
        self.resets.fetch_add(1, Ordering::AcqRel);
        self.vanished.fetch_add(1, Ordering::AcqRel);
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let before: usize = shard.values().map(Vec::len).sum();
            self.count.fetch_sub(before, Ordering::Relaxed);
            *shard = Shard::default();
        }
        self.slugs.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What the feed said of a slug stays; a row that was read aside may be older.
    fn slug_of(&self, workspace: WorkspaceId, read: SharedSlug) -> SharedSlug {
        if let Some(known) = self.slugs.read().unwrap_or_else(PoisonError::into_inner).get(&workspace) {
            return known.clone();
        }
        let mut slugs = self.slugs.write().unwrap_or_else(PoisonError::into_inner);
        slugs.entry(workspace).or_insert(read).clone()
    }

    fn shard(&self, lookup: &Lookup) -> &RwLock<Shard> {
        let [first, ..] = &self.shards;
        let nth = usize::try_from(self.hasher.hash_one(number(lookup)) % SHARDS as u64).unwrap_or_default();
        self.shards.get(nth).unwrap_or(first)
    }

    fn read(&self, lookup: &Lookup) -> RwLockReadGuard<'_, Shard> {
        self.shard(lookup).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, lookup: &Lookup) -> RwLockWriteGuard<'_, Shard> {
        self.shard(lookup).write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::environment::Environment;
    use bailiwick_proof::id::Id;
    use time::OffsetDateTime;

    use super::*;
    use crate::authz::{Audiences, Scope, ScopeSet};
    use crate::db::ProjectWall;
    use crate::networks::Networks;

    const LOOKUP: Lookup = *b"AbCdEfGh";

    fn row(id: u128, digest: u8, version: i64, revoked: bool) -> KeyRow {
        let facts = KeyFacts {
            id: Id::from_uuid(Uuid::from_u128(id)),
            workspace: Id::from_uuid(Uuid::from_u128(1)),
            workspace_slug: SharedSlug::of("acme"),
            environment: Environment::Live,
            project: ProjectWall::Unconfined,
            name: "deploy".into(),
            scopes: ScopeSet::of(&[Scope::Read]),
            created_at: OffsetDateTime::UNIX_EPOCH,
            expires_at: None,
            audiences: Audiences::All,
            allowed: Networks::from_words(&[]),
        };
        KeyRow { lookup: LOOKUP, digest: [digest; 32], version, revoked, facts }
    }

    /// `k` for a key with this digest, `r` for a revoked one, `-` for none.
    fn says(keys: &Keys, digest: u8) -> char {
        match keys.find(&LOOKUP, &[digest; 32], 0, 60) {
            Found::Key(..) => 'k',
            Found::Revoked => 'r',
            Found::Nothing => '-',
        }
    }

    #[test]
    fn a_slow_question_puts_nothing_back() {
        let keys = Keys::default();
        let slow = keys.begin();
        keys.keep(keys.begin(), row(1, 7, 2, true));
        assert_eq!(says(&keys, 7), 'r');
        assert!(keys.keep(slow, row(1, 7, 1, false)), "it was read in time, and is older");
        assert_eq!(says(&keys, 7), 'r');

        let slow = keys.begin();
        keys.vanish(Id::from_uuid(Uuid::from_u128(1)));
        assert!(!keys.keep(slow, row(1, 7, 3, false)), "no version tells that the row is gone");
        assert_eq!((says(&keys, 7), keys.count()), ('-', 0));
        keys.keep(keys.begin(), row(1, 7, 1, false));
        assert_eq!(says(&keys, 7), 'k', "it is there again, under a lower version");
    }

    #[test]
    fn keys_with_one_index_are_told_apart_by_their_digests() {
        let keys = Keys::default();
        for (id, revoked) in [(1, false), (2, true), (3, false)] {
            keys.keep(keys.begin(), row(id, u8::try_from(id).unwrap(), 1, revoked));
        }
        assert_eq!([1, 2, 3, 4].map(|digest| says(&keys, digest)), ['k', 'r', 'k', '-']);
        let Found::Key(third, _) = keys.find(&LOOKUP, &[3; 32], 0, 60) else { panic!("it is there") };
        assert_eq!(third.id.uuid(), Uuid::from_u128(3));
    }

    #[test]
    fn a_use_is_noted_once_in_its_grain() {
        let keys = Keys::default();
        keys.keep(keys.begin(), row(1, 7, 1, false));
        let noted = |now: i64| matches!(keys.find(&LOOKUP, &[7; 32], now, 60), Found::Key(_, true));
        let times = [1_000, 1_001, 1_059, 1_060, 1_061, 9_000];
        assert_eq!(times.map(noted), [true, false, false, true, false, true]);
        keys.keep(keys.begin(), row(1, 7, 2, false));
        assert!(!noted(9_001), "a change of the key is no use of it");
    }

    #[test]
    fn they_are_complete_when_all_was_read_after_the_last_reset() {
        let keys = Keys::default();
        assert!(!keys.are_complete());
        let before = keys.begin_all();
        keys.reset();
        keys.completed(before);
        assert!(!keys.are_complete(), "what was read before the reset is gone");
        keys.completed(keys.begin_all());
        assert!(keys.are_complete());
    }

    #[test]
    fn a_slug_that_the_feed_told_is_kept_and_shared() {
        let keys = Keys::default();
        keys.rename(Id::from_uuid(Uuid::from_u128(1)), "later");
        keys.keep(keys.begin(), row(1, 7, 1, false));
        let slug = |slug: &str| {
            let Found::Key(facts, _) = keys.find(&LOOKUP, &[7; 32], 0, 60) else { panic!("it is there") };
            facts.workspace_slug.is(&slug.parse().unwrap())
        };
        assert!(slug("later") && !slug("acme"));
        keys.rename(Id::from_uuid(Uuid::from_u128(1)), "latest");
        assert!(slug("latest"));
    }
}
