//! The store below everything that is anchored: small objects, created once or replaced by compare-and-swap.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::bucket::Bucket;
use super::folder::{Folder, FolderLock};
use super::name::ObjectName;
use crate::config::AnchorPlace;
use crate::entropy::Entropy;

/// An object is at most so large: the shred state of a workspace with ten thousand erasures is 12 MB.
pub const MAX_OBJECT_BYTES: usize = 16 * 1024 * 1024;
/// An operation ends within this time; then it has failed, and whether it has had its effect is not known.
pub const OPERATION_LIMIT: Duration = Duration::from_secs(10);

/// Why an operation on the anchor store failed.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// There is an object of this name, and it is never written again.
    #[error("there is an object {name} already")]
    Exists {
        /// Which.
        name: ObjectName,
    },
    /// The object is not the one that was seen any more, or is gone.
    #[error("the object {name} was changed by somebody else")]
    Changed {
        /// Which.
        name: ObjectName,
    },
    /// The store does not serve at the moment. Whether the operation has had its effect is not known.
    #[error("cannot {what} {at} in the anchor store: {source}")]
    Unavailable {
        /// What was tried.
        what: &'static str,
        /// On what: a path.
        at: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// What is there is not what this program writes.
    #[error("{at} in the anchor store {why}")]
    Malformed {
        /// What.
        at: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store does not do what is relied on.
    #[error("{at} cannot be the anchor store: it {why}")]
    Unfit {
        /// Which.
        at: String,
        /// What it does or does not do.
        why: &'static str,
    },
    /// The object to be written is larger than [`MAX_OBJECT_BYTES`].
    #[error("an object of {bytes} bytes is too large for the anchor store: {name}")]
    TooLarge {
        /// Which.
        name: ObjectName,
        /// Its size.
        bytes: usize,
    },
    /// Not the name of an object.
    #[error("{name:?} cannot name an object of the anchor store")]
    BadName {
        /// What was given.
        name: String,
    },
}

/// Stands for the content of an object at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub(super) String);

/// An object as it was read.
#[derive(Clone)]
pub struct Object {
    /// Its content.
    pub bytes: Zeroizing<Vec<u8>>,
    /// By which it is replaced.
    pub tag: Tag,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("len", &self.bytes.len()).field("tag", &self.tag).finish_non_exhaustive()
    }
}

/// The anchor store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AnchorStore(Backend);

#[derive(Clone, Debug)]
enum Backend {
    Folder(Folder),
    Bucket(Bucket),
}

/// The right to write by turns with others, until it is dropped. Over a store that has no locks it promises nothing: who
/// writes relies on [`AnchorStore::create`] and [`AnchorStore::replace`] alone.
#[derive(Debug)]
pub struct StoreLock {
    _held: Option<FolderLock>,
}

impl AnchorStore {
    /// Opens a store that is to be written in. In a folder, what a crash left half-written is taken away; a bucket is tried
    /// out.
    ///
    /// # Errors
    /// [`AnchorError::Unavailable`]; [`AnchorError::Unfit`] for a bucket without conditional writes or with versions.
    pub async fn open(place: &AnchorPlace, entropy: &Entropy) -> Result<Self, AnchorError> {
        let store = Self::at(place, entropy)?;
        match &store.0 {
            Backend::Folder(folder) => folder.open().await?,
            Backend::Bucket(bucket) => bucket.probe().await?,
        }
        Ok(store)
    }

    /// A store that is only to be read: nothing there is touched, or asked so far.
    ///
    /// # Errors
    /// [`AnchorError::Unavailable`] when this machine has nothing to verify certificates by.
    pub fn at(place: &AnchorPlace, entropy: &Entropy) -> Result<Self, AnchorError> {
        Ok(Self(match place {
            AnchorPlace::Folder(path) => Backend::Folder(Folder::at(path)),
            AnchorPlace::Bucket(bucket) => Backend::Bucket(Bucket::at(bucket, entropy.clone())?),
        }))
    }

    /// Creates an object, whole or not at all; when it returns, the object outlives a crash.
    ///
    /// # Errors
    /// [`AnchorError::Exists`], [`AnchorError::TooLarge`], [`AnchorError::Unavailable`].
    pub async fn create(&self, name: &ObjectName, bytes: &[u8]) -> Result<Tag, AnchorError> {
        check_size(name, bytes)?;
        match &self.0 {
            Backend::Folder(folder) => folder.create(name, bytes).await,
            Backend::Bucket(bucket) => bucket.create(name, bytes).await,
        }
    }

    /// Puts other content in the place of the one that was seen; nobody else's change is lost. When it returns, the new
    /// content outlives a crash, and the old one is not to be read from the store any more.
    ///
    /// # Errors
    /// [`AnchorError::Changed`], also when there is no such object; [`AnchorError::TooLarge`],
    /// [`AnchorError::Unavailable`].
    pub async fn replace(&self, name: &ObjectName, bytes: &[u8], seen: &Tag) -> Result<Tag, AnchorError> {
        check_size(name, bytes)?;
        match &self.0 {
            Backend::Folder(folder) => folder.replace(name, bytes, seen).await,
            Backend::Bucket(bucket) => bucket.replace(name, bytes, seen).await,
        }
    }

    /// The object of this name, if there is one.
    ///
    /// # Errors
    /// [`AnchorError::Unavailable`]; [`AnchorError::Malformed`] when it is larger than [`MAX_OBJECT_BYTES`].
    pub async fn read(&self, name: &ObjectName) -> Result<Option<Object>, AnchorError> {
        match &self.0 {
            Backend::Folder(folder) => folder.read(name).await,
            Backend::Bucket(bucket) => bucket.read(name).await,
        }
    }

    /// The names of all objects below `prefix`, sorted.
    ///
    /// # Errors
    /// [`AnchorError::Unavailable`].
    pub async fn list(&self, prefix: &ObjectName) -> Result<Vec<ObjectName>, AnchorError> {
        match &self.0 {
            Backend::Folder(folder) => folder.list(prefix).await,
            Backend::Bucket(bucket) => bucket.list(prefix).await,
        }
    }

    /// Waits until nobody else on this machine holds the lock of this prefix; `None` after `patience`.
    ///
    /// # Errors
    /// [`AnchorError::Unavailable`].
    pub async fn lock(&self, prefix: &ObjectName, patience: Duration) -> Result<Option<StoreLock>, AnchorError> {
        match &self.0 {
            Backend::Folder(folder) => {
                Ok(folder.lock(prefix, patience).await?.map(|held| StoreLock { _held: Some(held) }))
            }
            Backend::Bucket(_) => Ok(Some(StoreLock { _held: None })),
        }
    }

    /// Where an object lies, in words for people.
    #[must_use]
    pub fn place(&self, name: &ObjectName) -> String {
        match &self.0 {
            Backend::Folder(folder) => folder.path(name).display().to_string(),
            Backend::Bucket(bucket) => bucket.at_name(name),
        }
    }
}

fn check_size(name: &ObjectName, bytes: &[u8]) -> Result<(), AnchorError> {
    if bytes.len() > MAX_OBJECT_BYTES {
        return Err(AnchorError::TooLarge { name: name.clone(), bytes: bytes.len() });
    }
    Ok(())
}
