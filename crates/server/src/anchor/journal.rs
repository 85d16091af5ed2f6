//! The signer's journal: every root is written down here before it is signed.
//!
//! ```json
//! {"v":1,"n":1,"at":1763782979123,"prev":"<hex SHA-256 of object n-1, zeros for 1>","snapshot":false,
//!  "heads":[{"origin":"example.com/w/ws_…/live/1","size":3,"root":"<base64>"}]}
//! ```
//!
//! Objects are numbered from 1 without a gap; `heads` are sorted by origin. A snapshot names every log, so that
//! reading begins at the newest one. `at` is milliseconds since the Unix epoch by the signer's clock, for people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bailiwick_proof::merkle::Hash;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::name::ObjectName;
use super::store::{AnchorError, AnchorStore, StoreLock};

const VERSION: u8 = 1;
/// An object of the cell: that the store knows it.
const KNOWN: &str = "known";
/// What the journal's objects lie below.
const OBJECTS: &str = "journal";
/// An object that lies so long after the last snapshot is a snapshot.
const SNAPSHOT_EVERY_MS: u64 = 3_600_000;
/// More logs do not fit into an object, each of which takes 300 bytes at most: with more there are no snapshots, and a
/// start reads on from the last one.
const SNAPSHOT_MAX_HEADS: usize = 50_000;
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// So many objects are on their way at once while a journal is read at the start.
const READ_AHEAD: usize = 16;

/// How far a log was signed, or was about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Entries in it.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why the journal cannot be read or continued.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The anchor store failed.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// An object is not what this program writes.
    #[error("{at}: {why}")]
    Malformed {
        /// Which.
        at: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Somebody else created the object that was to be created: two signers, of which one has a stale state.
    #[error("another signer created journal object {n}")]
    AnotherSigner {
        /// Its number.
        n: u64,
    },
    /// The anchor store did not serve whoever tried just before.
    #[error("the anchor store did not serve a moment ago")]
    Away,
    /// Somebody else holds the signing lock.
    #[error("the signing lock was not to be had within {} seconds", LOCK_PATIENCE.as_secs())]
    Busy,
}

impl JournalError {
    /// Whether the anchor store is to blame, and may serve again by itself.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Anchor(error) => matches!(error, AnchorError::Unavailable { .. }),
            Self::Away | Self::Busy | Self::AnotherSigner { .. } => true,
            Self::Malformed { .. } => false,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    v: u8,
    n: u64,
    at: u64,
    prev: String,
    snapshot: bool,
    heads: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    origin: String,
    size: u64,
    root: String,
}

/// What the objects say together.
struct Known {
    n: u64,
    digest: Hash,
    heads: BTreeMap<String, Head>,
    snapshot_at: u64,
}

/// A cell's journal. Cheap to clone.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    store: AnchorStore,
    /// What the cell's objects lie below; its lock is the signer's.
    cell: ObjectName,
    objects: ObjectName,
    known: Mutex<Known>,
}

/// The right to append, until it is dropped. Where the store has no locks, every signer has it, and the one who creates
/// the next object wins.
pub struct SigningLock {
    journal: Journal,
    _held: StoreLock,
}

impl Journal {
    /// Whether the anchor store knows this cell.
    ///
    /// # Errors
    /// [`JournalError::Anchor`].
    pub async fn exists(store: &AnchorStore, cell: Uuid) -> Result<bool, JournalError> {
        let cell: ObjectName = cell.to_string().parse()?;
        let known = store.read(&cell.join(KNOWN)?).await?.is_some();
        Ok(known || !store.list(&cell.join(OBJECTS)?).await?.is_empty())
    }

    /// Where the journal of this cell would be, in words for people.
    ///
    /// # Errors
    /// [`JournalError::Anchor`].
    pub fn place(store: &AnchorStore, cell: Uuid) -> Result<String, JournalError> {
        Ok(store.place(&cell.to_string().parse()?))
    }

    /// Has the anchor store know this cell, if it does not: a store without its journal is noticed from now on.
    ///
    /// # Errors
    /// [`JournalError::Anchor`].
    pub async fn begin(store: &AnchorStore, cell: Uuid) -> Result<(), JournalError> {
        let cell: ObjectName = cell.to_string().parse()?;
        match store.create(&cell.join(KNOWN)?, b"").await {
            Ok(_) | Err(AnchorError::Exists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the journal of this cell.
    ///
    /// # Errors
    /// [`JournalError::Anchor`], [`JournalError::Malformed`].
    pub async fn open(store: AnchorStore, cell: Uuid) -> Result<Self, JournalError> {
        let cell: ObjectName = cell.to_string().parse()?;
        let objects = cell.join(OBJECTS)?;
        let known = Known { n: 0, digest: Hash::ZERO, heads: BTreeMap::new(), snapshot_at: 0 };
        let journal = Self(Arc::new(Inner { store, cell, objects, known: Mutex::new(known) }));
        journal.load().await?;
        Ok(journal)
    }

    /// How far the log of this origin was signed, as far as this process has read.
    #[must_use]
    pub fn head(&self, origin: &str) -> Option<Head> {
        self.known().heads.get(origin).copied()
    }

    /// Every log that was ever signed, as far as this process has read.
    #[must_use]
    pub fn heads(&self) -> Vec<(String, Head)> {
        self.known().heads.iter().map(|(origin, head)| (origin.clone(), *head)).collect()
    }

    /// Of each of these logs the newest head that was signed at no more than this size: reads the objects from the newest back, until all
    /// are found.
    ///
    /// # Errors
    /// [`JournalError::Anchor`], [`JournalError::Malformed`].
    pub async fn heads_at_most(&self, sizes: &BTreeMap<String, u64>) -> Result<BTreeMap<String, Head>, JournalError> {
        let numbers = self.numbers().await?;
        let mut found = BTreeMap::new();
        let mut objects = stream::iter(numbers.iter().rev()).map(|n| self.read(*n)).buffered(READ_AHEAD);
        while found.len() < sizes.len()
            && let Some(read) = objects.next().await
        {
            let Some((_, object)) = read? else { continue };
            for line in &object.heads {
                let is_wanted = sizes.get(&line.origin).is_some_and(|most| line.size <= *most);
                if is_wanted && !found.contains_key(&line.origin) {
                    found.insert(line.origin.clone(), self.head_of(object.n, line)?);
                }
            }
        }
        Ok(found)
    }

    /// Waits for the right to append, and reads what others appended meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Busy`] after ten seconds, and those of reading.
    pub async fn lock(&self) -> Result<SigningLock, JournalError> {
        let held = self.0.store.lock(&self.0.cell, LOCK_PATIENCE).await?.ok_or(JournalError::Busy)?;
        self.read_on().await?;
        Ok(SigningLock { journal: self.clone(), _held: held })
    }

    /// Reads from the newest snapshot on.
    async fn load(&self) -> Result<(), JournalError> {
        let numbers = self.numbers().await?;
        let (Some(first), Some(last)) = (numbers.first().copied(), numbers.last().copied()) else { return Ok(()) };
        let begin = self.newest_snapshot(&numbers).await?.unwrap_or(first);
        if begin != 1 && !self.read(begin).await?.is_some_and(|(_, object)| object.snapshot) {
            return Err(self.malformed(begin, "the objects before it are missing, and it is no snapshot"));
        }
        let mut objects = stream::iter(begin..=last).map(|n| self.read(n)).buffered(READ_AHEAD);
        let mut follows = (begin == 1).then_some(Hash::ZERO);
        while let Some(read) = objects.next().await {
            let (bytes, object) = read?.ok_or_else(|| self.malformed(last, "objects before it are missing"))?;
            self.apply(&bytes, object, follows)?;
            follows = Some(self.known().digest);
        }
        self.read_on().await
    }

    async fn newest_snapshot(&self, numbers: &[u64]) -> Result<Option<u64>, JournalError> {
        let mut objects = stream::iter(numbers.iter().rev()).map(|n| self.read(*n)).buffered(READ_AHEAD);
        while let Some(read) = objects.next().await {
            if let Some((_, object)) = read?.filter(|(_, object)| object.snapshot) {
                return Ok(Some(object.n));
            }
        }
        Ok(None)
    }

    /// The numbers of all objects, from the smallest up.
    async fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        let names = self.0.store.list(&self.0.objects).await?;
        let digits = |name: &ObjectName| {
            let digits = name.last().strip_suffix(".json").filter(|digits| digits.len() == 20)?;
            digits.parse().ok()
        };
        Ok(names.iter().filter_map(digits).collect())
    }

    /// Reads what others have appended since.
    ///
    /// # Errors
    /// [`JournalError::Anchor`], [`JournalError::Malformed`].
    pub async fn read_on(&self) -> Result<(), JournalError> {
        loop {
            let (n, digest) = {
                let known = self.known();
                (known.n + 1, known.digest)
            };
            let Some((bytes, object)) = self.read(n).await? else { return Ok(()) };
            self.apply(&bytes, object, Some(digest))?;
        }
    }

    fn apply(&self, bytes: &[u8], object: Object, follows: Option<Hash>) -> Result<(), JournalError> {
        if follows.is_some_and(|digest| digest.to_hex() != object.prev) {
            return Err(self.malformed(object.n, "does not follow the object before it"));
        }
        let mut heads = BTreeMap::new();
        for line in object.heads {
            let head = self.head_of(object.n, &line)?;
            heads.insert(line.origin, head);
        }
        let mut known = self.known();
        // Whoever read it too, and was quicker, has applied it.
        if known.n >= object.n {
            return Ok(());
        }
        if object.snapshot {
            known.snapshot_at = object.at;
        }
        known.n = object.n;
        known.digest = digest_of(bytes);
        known.heads.append(&mut heads);
        Ok(())
    }

    /// Object n, if there is one.
    async fn read(&self, n: u64) -> Result<Option<(Vec<u8>, Object)>, JournalError> {
        let Some(read) = self.0.store.read(&self.name(n)?).await? else { return Ok(None) };
        let object: Object =
            serde_json::from_slice(&read.bytes).map_err(|_| self.malformed(n, "is no journal object"))?;
        if object.v != VERSION || object.n != n {
            return Err(self.malformed(n, "is of another version or number"));
        }
        Ok(Some((read.bytes.to_vec(), object)))
    }

    fn head_of(&self, n: u64, line: &Line) -> Result<Head, JournalError> {
        let root = Hash::from_base64(&line.root);
        let root = root.map_err(|_| self.malformed(n, "holds a root that is not 32 bytes in base64"))?;
        Ok(Head { size: line.size, root })
    }

    fn malformed(&self, n: u64, why: &'static str) -> JournalError {
        let at = self.name(n).map_or_else(|_| n.to_string(), |name| self.0.store.place(&name));
        JournalError::Malformed { at, why }
    }

    fn name(&self, n: u64) -> Result<ObjectName, AnchorError> {
        self.0.objects.join(&format!("{n:020}.json"))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SigningLock {
    /// Writes down these heads; when it returns, they outlive a crash. `at` is milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`JournalError::AnotherSigner`] when the object exists, [`JournalError::Anchor`].
    pub async fn append(&self, at: u64, moved: &BTreeMap<String, Head>) -> Result<(), JournalError> {
        let journal = &self.journal;
        let (n, prev, snapshot, heads) = {
            let known = journal.known();
            let fits = known.heads.len() + moved.len() <= SNAPSHOT_MAX_HEADS;
            let snapshot = fits && at.abs_diff(known.snapshot_at) >= SNAPSHOT_EVERY_MS;
            let mut heads = if snapshot { known.heads.clone() } else { BTreeMap::new() };
            heads.extend(moved.iter().map(|(origin, head)| (origin.clone(), *head)));
            (known.n + 1, known.digest.to_hex(), snapshot, heads)
        };
        let heads = heads
            .into_iter()
            .map(|(origin, head)| Line { origin, size: head.size, root: head.root.to_base64() })
            .collect();
        let object = Object { v: VERSION, n, at, prev, snapshot, heads };
        let bytes = serde_json::to_vec(&object).map_err(|_| journal.malformed(n, "cannot be written as JSON"))?;
        match journal.0.store.create(&journal.name(n)?, &bytes).await {
            Ok(_) => journal.apply(&bytes, object, None),
            Err(AnchorError::Exists { .. }) => Err(JournalError::AnotherSigner { n }),
            Err(error) => Err(error.into()),
        }
    }
}

fn digest_of(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    Hash::new(hash)
}

#[cfg(test)]
mod golden;

#[cfg(test)]
mod tests;
