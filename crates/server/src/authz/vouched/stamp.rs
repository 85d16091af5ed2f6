//! What an entry of the ledger says of the rows that changed with it: which serial each has now.
//!
//! ```text
//! stamps = *( kind u8 | workspace 16 | length u8 | id | serial u64 | until_ms i64 | mac 36 )      big endian
//! ```
//!
//! A row's serial grows with each of its changes, so the log's highest is the present one, and an older row put back has a
//! lower one. A stamp is vouched for by whoever makes the change: nobody else can write into a log that a row has another
//! serial, and one that is written twice says nothing new. Only ids and numbers stand in it, nothing personal.

use time::OffsetDateTime;
use uuid::Uuid;

use super::standing::{At, Standing};
use super::{Kind, Notary, Vouched};
use crate::db::DbError;
use crate::vault::{MAC_BYTES, Meaning};

/// For a row that no time ends.
pub const FOREVER_MS: i64 = i64::MAX;

/// That a row has changed, for the entry that tells of it.
#[derive(Clone, Debug)]
#[must_use = "an entry has to tell of every row that changed"]
pub struct Stamp(Vec<u8>);

impl Stamp {
    /// As the entry carries it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a stamp says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// What kind of row.
    pub kind: Kind,
    /// Which.
    pub at: At,
    /// How often it was changed, plus one.
    pub serial: u64,
    /// When it ends by itself, in unix milliseconds; [`FOREVER_MS`] for never.
    pub until_ms: i64,
}

/// Stamps that cannot be read, or that nobody vouches for.
#[derive(Debug, thiserror::Error)]
pub enum BadStamps {
    /// They were not made by whoever has the key.
    #[error("stamps that nobody vouches for")]
    Unvouched,
    /// Nobody can tell now.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Stamped {
    /// What the row's change makes it.
    pub(super) fn of<R: Vouched>(row: &R) -> Self {
        Self {
            kind: R::KIND,
            at: At { workspace: row.workspace(), id: row.id() },
            serial: row.serial(),
            until_ms: row.until().map_or(FOREVER_MS, milliseconds),
        }
    }

    /// What a row that stands there would be told as.
    #[must_use]
    pub fn standing(kind: Kind, row: &Standing) -> Self {
        let until_ms = row.until.map_or(FOREVER_MS, milliseconds);
        Self { kind, at: row.at.clone(), serial: row.serial, until_ms }
    }

    fn meaning(&self) -> Meaning {
        Meaning::new()
            .bytes(&[self.kind.number()])
            .uuid(self.at.workspace)
            .bytes(&self.at.id)
            .bytes(&self.serial.to_be_bytes())
            .bytes(&self.until_ms.to_be_bytes())
    }

    /// For an entry.
    pub fn signed(&self, notary: &Notary) -> Stamp {
        let id = &self.at.id;
        let mut bytes = vec![self.kind.number()];
        bytes.extend_from_slice(self.at.workspace.as_bytes());
        bytes.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(&self.serial.to_be_bytes());
        bytes.extend_from_slice(&self.until_ms.to_be_bytes());
        bytes.extend_from_slice(&notary.sign_stamp(&self.meaning()));
        Stamp(bytes)
    }

    fn split_from(bytes: &mut &[u8]) -> Option<(Self, Vec<u8>)> {
        let ([kind], rest) = bytes.split_first_chunk::<1>()?;
        let (workspace, rest) = rest.split_first_chunk::<16>()?;
        let ([length], rest) = rest.split_first_chunk::<1>()?;
        let (id, rest) = rest.split_at_checked(usize::from(*length))?;
        let (serial, rest) = rest.split_first_chunk::<8>()?;
        let (until_ms, rest) = rest.split_first_chunk::<8>()?;
        let (mac, rest) = rest.split_first_chunk::<MAC_BYTES>()?;
        *bytes = rest;
        let stamped = Self {
            kind: Kind::numbered(*kind)?,
            at: At { workspace: Uuid::from_bytes(*workspace), id: id.to_vec() },
            serial: u64::from_be_bytes(*serial),
            until_ms: i64::from_be_bytes(*until_ms),
        };
        Some((stamped, mac.to_vec()))
    }
}

/// What the stamps of an entry say, all of them vouched for.
///
/// # Errors
/// See [`BadStamps`].
pub async fn read(notary: &Notary, mut bytes: &[u8]) -> Result<Vec<Stamped>, BadStamps> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (stamped, mac) = Stamped::split_from(&mut bytes).ok_or(BadStamps::Unvouched)?;
        if !notary.knows_stamp(&stamped.meaning(), &mac).await? {
            return Err(BadStamps::Unvouched);
        }
        all.push(stamped);
    }
    Ok(all)
}

/// To the unix millisecond.
#[must_use]
pub fn milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(FOREVER_MS)
}
