//! Where a copy stands: in a customer's bucket, or in the operator's store. Objects are created once, or replaced from what was seen.

use axum::body::Bytes;

use super::bucket::{self, Bucket, Replaced};
use super::fault::{Code, Fault};
use crate::anchor::{AnchorError, AnchorStore, Object, ObjectName};

/// A place, below one log's path.
pub(super) enum Place {
    /// A bucket that a customer named.
    Customers(Bucket),
    /// A folder or a bucket that the operator named: an object store as the anchor store is one.
    Operators(Shelf),
}

/// An object, by which it is replaced.
pub(super) enum Seen {
    Customers(bucket::Seen),
    Operators(Object),
}

/// The operator's store, below one log's path.
pub(super) struct Shelf {
    pub(super) store: AnchorStore,
    pub(super) below: String,
}

impl Seen {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Customers(seen) => &seen.bytes,
            Self::Operators(object) => &object.bytes,
        }
    }
}

impl Place {
    /// The name of an object there.
    pub(super) fn name(&self, object: &str) -> String {
        match self {
            Self::Customers(bucket) => bucket.name(object),
            Self::Operators(shelf) => format!("{}/{object}", shelf.below),
        }
    }

    /// A small object, if it is there.
    pub(super) async fn read(&self, object: &str) -> Result<Option<Seen>, Fault> {
        Ok(match self {
            Self::Customers(bucket) => bucket.read(object).await?.map(Seen::Customers),
            Self::Operators(shelf) => {
                let name = shelf.name(object)?;
                shelf.store.read(&name).await.map_err(|error| fault(&error))?.map(Seen::Operators)
            }
        })
    }

    /// Creates an object; the same one that is there already is success.
    ///
    /// # Errors
    /// [`Code::StreamConflict`] for another one, and those of the place.
    pub(super) async fn create(&self, object: &str, bytes: &Bytes) -> Result<(), Fault> {
        match self {
            Self::Customers(bucket) => bucket.create(object, bytes).await,
            Self::Operators(shelf) => shelf.create(object, bytes).await,
        }
    }

    /// Puts an object in the place of the one that was seen, or of none.
    pub(super) async fn replace(&self, object: &str, bytes: &Bytes, seen: Option<&Seen>) -> Result<Replaced, Fault> {
        match (self, seen) {
            (Self::Customers(bucket), Some(Seen::Customers(seen))) => bucket.replace(object, bytes, Some(seen)).await,
            (Self::Customers(bucket), _) => bucket.replace(object, bytes, None).await,
            (Self::Operators(shelf), Some(Seen::Operators(seen))) => shelf.replace(object, bytes, seen).await,
            (Self::Operators(shelf), _) => shelf.begin(object, bytes).await,
        }
    }
}

impl Shelf {
    fn name(&self, object: &str) -> Result<ObjectName, Fault> {
        // A name of the cell's logs that no folder can have.
        format!("{}/{object}", self.below).parse().map_err(|_| Fault::of(Code::BucketUnfit))
    }

    async fn create(&self, object: &str, bytes: &Bytes) -> Result<(), Fault> {
        let name = self.name(object)?;
        match self.store.create(&name, bytes).await {
            Ok(_) => Ok(()),
            Err(AnchorError::Exists { .. }) if self.is_there(&name, bytes).await? => Ok(()),
            Err(AnchorError::Exists { .. }) => Err(Fault::at(Code::StreamConflict, name.as_str())),
            Err(error) => Err(fault(&error)),
        }
    }

    async fn begin(&self, object: &str, bytes: &Bytes) -> Result<Replaced, Fault> {
        match self.store.create(&self.name(object)?, bytes).await {
            Ok(_) => Ok(Replaced::Done),
            Err(AnchorError::Exists { .. }) => Ok(Replaced::Raced),
            Err(error) => Err(fault(&error)),
        }
    }

    async fn replace(&self, object: &str, bytes: &Bytes, seen: &Object) -> Result<Replaced, Fault> {
        match self.store.replace(&self.name(object)?, bytes, &seen.tag).await {
            Ok(_) => Ok(Replaced::Done),
            Err(AnchorError::Changed { .. }) => Ok(Replaced::Raced),
            Err(error) => Err(fault(&error)),
        }
    }

    async fn is_there(&self, name: &ObjectName, bytes: &Bytes) -> Result<bool, Fault> {
        let there = self.store.read(name).await.map_err(|error| fault(&error))?;
        Ok(there.is_some_and(|there| **there.bytes == **bytes))
    }
}

fn fault(error: &AnchorError) -> Fault {
    tracing::warn!(event = "audit.publication_failed", cause = %error);
    Fault::of(match error {
        AnchorError::Unavailable { .. } => Code::BucketAway,
        _ => Code::BucketUnfit,
    })
}
