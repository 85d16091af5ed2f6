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
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bailiwick_proof::merkle::Hash;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const VERSION: u8 = 1;
/// An object that lies so long after the last snapshot is a snapshot.
const SNAPSHOT_EVERY_MS: u64 = 3_600_000;
const LOCK_PAUSE: Duration = Duration::from_millis(3);
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

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
    /// The folder does not serve.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// An object is not what this program writes.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Somebody else created the object that was to be created: two signers, of which one has a stale state.
    #[error("another signer created journal object {n}")]
    AnotherSigner {
        /// Its number.
        n: u64,
    },
    /// Somebody else holds the signing lock.
    #[error("the signing lock was not to be had within {} seconds", LOCK_PATIENCE.as_secs())]
    Busy,
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
    objects: PathBuf,
    lock: PathBuf,
    known: Mutex<Known>,
}

/// The right to append, until it is dropped.
pub struct SigningLock {
    journal: Journal,
    _held: File,
}

impl Journal {
    /// Whether the anchor store knows this cell.
    #[must_use]
    pub fn exists(anchor_dir: &Path, cell: Uuid) -> bool {
        anchor_dir.join(cell.to_string()).join("journal").is_dir()
    }

    /// Opens the journal of this cell below `anchor_dir`, made if it is not there, and reads it.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Malformed`].
    pub fn open(anchor_dir: &Path, cell: Uuid) -> Result<Self, JournalError> {
        let folder = anchor_dir.join(cell.to_string());
        let objects = folder.join("journal");
        DirBuilder::new().recursive(true).mode(0o700).create(&objects).map_err(io("create the folder", &objects))?;
        let known = Known { n: 0, digest: Hash::ZERO, heads: BTreeMap::new(), snapshot_at: 0 };
        let journal = Self(Arc::new(Inner { lock: folder.join("lock"), objects, known: Mutex::new(known) }));
        journal.load()?;
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

    /// Waits for the right to append, and reads what others appended meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Busy`] after ten seconds, and those of reading.
    pub async fn lock(&self) -> Result<SigningLock, JournalError> {
        let path = &self.0.lock;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(io("open", path))?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if waited < LOCK_PATIENCE => {
                    tokio::time::sleep(LOCK_PAUSE).await;
                    waited += LOCK_PAUSE;
                }
                Err(TryLockError::WouldBlock) => return Err(JournalError::Busy),
                Err(TryLockError::Error(source)) => return Err(io("lock", path)(source)),
            }
        }
        self.read_on()?;
        Ok(SigningLock { journal: self.clone(), _held: file })
    }

    /// Reads from the newest snapshot on.
    fn load(&self) -> Result<(), JournalError> {
        let mut numbers = self.numbers()?;
        numbers.sort_unstable();
        let mut begin = numbers.first().copied();
        for n in numbers.iter().rev() {
            if self.read(*n)?.1.snapshot {
                begin = Some(*n);
                break;
            }
        }
        let Some(begin) = begin else { return Ok(()) };
        let (bytes, object) = self.read(begin)?;
        if begin != 1 && !object.snapshot {
            return Err(self.malformed(begin, "the objects before it are missing, and it is no snapshot"));
        }
        self.apply(&bytes, object, (begin == 1).then_some(Hash::ZERO))?;
        self.read_on()?;
        let last = numbers.last().copied().unwrap_or_default();
        if self.known().n < last {
            return Err(self.malformed(last, "objects before it are missing"));
        }
        Ok(())
    }

    fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        let objects = &self.0.objects;
        let mut numbers = Vec::new();
        for file in fs::read_dir(objects).map_err(io("list", objects))? {
            let name = file.map_err(io("list", objects))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".json")).filter(|digits| digits.len() == 20);
            numbers.extend(number.and_then(|digits| digits.parse::<u64>().ok()));
        }
        Ok(numbers)
    }

    /// Reads what follows the objects that are known.
    fn read_on(&self) -> Result<(), JournalError> {
        loop {
            let (n, digest) = {
                let known = self.known();
                (known.n + 1, known.digest)
            };
            if !self.path(n).exists() {
                return Ok(());
            }
            let (bytes, object) = self.read(n)?;
            self.apply(&bytes, object, Some(digest))?;
        }
    }

    fn apply(&self, bytes: &[u8], object: Object, follows: Option<Hash>) -> Result<(), JournalError> {
        if follows.is_some_and(|digest| digest.to_hex() != object.prev) {
            return Err(self.malformed(object.n, "does not follow the object before it"));
        }
        let mut heads = BTreeMap::new();
        for line in object.heads {
            let root = Hash::from_base64(&line.root)
                .map_err(|_| self.malformed(object.n, "holds a root that is not 32 bytes in base64"))?;
            heads.insert(line.origin, Head { size: line.size, root });
        }
        let mut known = self.known();
        if object.snapshot {
            known.snapshot_at = object.at;
        }
        known.n = object.n;
        known.digest = digest_of(bytes);
        known.heads.append(&mut heads);
        Ok(())
    }

    fn read(&self, n: u64) -> Result<(Vec<u8>, Object), JournalError> {
        let path = self.path(n);
        let bytes = fs::read(&path).map_err(io("read", &path))?;
        let object: Object = serde_json::from_slice(&bytes).map_err(|_| self.malformed(n, "is no journal object"))?;
        if object.v != VERSION || object.n != n {
            return Err(self.malformed(n, "is of another version or number"));
        }
        Ok((bytes, object))
    }

    fn malformed(&self, n: u64, why: &'static str) -> JournalError {
        JournalError::Malformed { path: self.path(n), why }
    }

    fn path(&self, n: u64) -> PathBuf {
        self.0.objects.join(format!("{n:020}.json"))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SigningLock {
    /// Writes down these heads; when it returns, they are on the disk. `at` is milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`JournalError::AnotherSigner`] when the object exists, [`JournalError::Io`].
    pub fn append(&self, at: u64, moved: &BTreeMap<String, Head>) -> Result<(), JournalError> {
        let journal = &self.journal;
        let (n, prev, snapshot, heads) = {
            let known = journal.known();
            let snapshot = at.abs_diff(known.snapshot_at) >= SNAPSHOT_EVERY_MS;
            let mut heads = if snapshot { known.heads.clone() } else { BTreeMap::new() };
            heads.extend(moved.iter().map(|(origin, head)| (origin.clone(), *head)));
            (known.n + 1, known.digest.to_hex(), snapshot, heads)
        };
        let heads = heads
            .into_iter()
            .map(|(origin, head)| Line { origin, size: head.size, root: head.root.to_base64() })
            .collect();
        let object = Object { v: VERSION, n, at, prev, snapshot, heads };
        let path = journal.path(n);
        let bytes = serde_json::to_vec(&object).map_err(|_| journal.malformed(n, "cannot be written as JSON"))?;
        create(&journal.0.objects, &path, &bytes).map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => JournalError::AnotherSigner { n },
            _ => io("create", &path)(source),
        })?;
        journal.apply(&bytes, object, None)
    }
}

/// Creates a file whole or not at all, and never over another: written under a temporary name, synced, linked.
fn create(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked?;
    File::open(folder)?.sync_all()
}

fn digest_of(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    Hash::new(hash)
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.to_path_buf();
    move |source| JournalError::Io { what, path, source }
}

#[cfg(test)]
mod golden;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64) -> Head {
        Head { size, root: Hash::new([u8::try_from(size).unwrap(); 32]) }
    }

    fn heads(of: &[(&str, u64)]) -> BTreeMap<String, Head> {
        of.iter().map(|(origin, size)| ((*origin).to_owned(), head(*size))).collect()
    }

    #[tokio::test]
    async fn what_was_written_is_read_again_also_by_others() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), Uuid::nil()).unwrap();
        let other = Journal::open(dir.path(), Uuid::nil()).unwrap();
        journal.lock().await.unwrap().append(SNAPSHOT_EVERY_MS, &heads(&[("a", 1), ("b", 2)])).unwrap();
        journal.lock().await.unwrap().append(SNAPSHOT_EVERY_MS + 1, &heads(&[("a", 3)])).unwrap();
        assert_eq!(other.head("a"), None);
        drop(other.lock().await.unwrap());
        assert_eq!(other.head("a"), Some(head(3)));
        other.lock().await.unwrap().append(2 * SNAPSHOT_EVERY_MS, &heads(&[("c", 1)])).unwrap();
        let again = Journal::open(dir.path(), Uuid::nil()).unwrap();
        assert_eq!(again.heads(), heads(&[("a", 3), ("b", 2), ("c", 1)]).into_iter().collect::<Vec<_>>());
        assert_eq!(Journal::open(dir.path(), Uuid::max()).unwrap().heads(), []);
    }

    #[tokio::test]
    async fn a_signer_with_a_stale_state_loses_and_a_gap_or_an_altered_object_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), Uuid::nil()).unwrap();
        let stale = journal.lock().await.unwrap();
        stale.append(1, &heads(&[("a", 1)])).unwrap();
        fs::copy(journal.path(1), journal.path(2)).unwrap();
        assert!(matches!(stale.append(2, &heads(&[("a", 2)])), Err(JournalError::AnotherSigner { n: 2 })));
        assert!(matches!(Journal::open(dir.path(), Uuid::nil()), Err(JournalError::Malformed { .. })));
        fs::remove_file(journal.path(2)).unwrap();
        stale.append(2, &heads(&[("a", 2)])).unwrap();
        stale.append(3, &heads(&[("a", 3)])).unwrap();
        let second = fs::read(journal.path(2)).unwrap();
        fs::remove_file(journal.path(2)).unwrap();
        assert!(Journal::open(dir.path(), Uuid::nil()).is_err());
        fs::write(journal.path(2), String::from_utf8(second).unwrap().replace(r#""at":2"#, r#""at":5"#)).unwrap();
        assert!(Journal::open(dir.path(), Uuid::nil()).is_err());
    }
}
