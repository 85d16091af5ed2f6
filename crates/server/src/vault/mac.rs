//! MACs over rows that grant something, so that the database's owner alone grants nothing.
//!
//! ```text
//! mac = key version u32, big endian | HMAC-SHA256(row key, meaning)
//! row key = HKDF-SHA256(the cell's data key, info = "bailiwick/mac/v1" 0x00 label)
//! ```
//!
//! The meaning is what the row grants, in the words of whoever writes and reads it ([`Meaning`]). One key of the cell's
//! serves all workspaces: a hundred thousand rows are loaded with it, and the workspace is part of the meaning.

use std::collections::BTreeMap;

use aws_lc_rs::{digest, hmac};
use time::OffsetDateTime;
use uuid::Uuid;

/// Bytes of a MAC with its version.
pub const MAC_BYTES: usize = 4 + 32;

/// What a row grants: its parts in order, none of which can run into the next.
#[derive(Clone, Debug)]
pub struct Meaning(Vec<u8>);

impl Default for Meaning {
    /// With room for what most rows grant.
    fn default() -> Self {
        Self(Vec::with_capacity(320))
    }
}

impl Meaning {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With bytes.
    #[must_use]
    pub fn bytes(mut self, part: &[u8]) -> Self {
        self.0.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(part);
        self
    }

    /// With text.
    #[must_use]
    pub fn text(self, part: &str) -> Self {
        self.bytes(part.as_bytes())
    }

    /// With an id.
    #[must_use]
    pub fn uuid(self, part: Uuid) -> Self {
        self.bytes(part.as_bytes())
    }

    /// With something that may be missing, which is not the same as empty.
    #[must_use]
    pub fn maybe(self, part: Option<&[u8]>) -> Self {
        match part {
            Some(part) => self.bytes(&[1]).bytes(part),
            None => self.bytes(&[0]),
        }
    }

    /// With a moment, to the microsecond that the database keeps.
    #[must_use]
    pub fn moment(self, part: Option<OffsetDateTime>) -> Self {
        let micros = part.map(|at| (at.unix_timestamp_nanos().div_euclid(1000)).to_be_bytes());
        self.maybe(micros.as_ref().map(<[u8; 16]>::as_slice))
    }

    /// Its SHA-256, which says of two rows whether they grant the same.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, &self.0).as_ref());
        bytes
    }

    /// With several of the same kind.
    #[must_use]
    pub fn list<'a>(self, parts: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        parts.fold(self.bytes(&count.to_be_bytes()), Meaning::text)
    }
}

/// The keys of one kind of row, by version.
pub struct RowKeys {
    newest: (u32, hmac::Key),
    all: BTreeMap<u32, hmac::Key>,
}

impl std::fmt::Debug for RowKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RowKeys([redacted])")
    }
}

impl RowKeys {
    /// `None` without any.
    pub(super) fn of(all: BTreeMap<u32, hmac::Key>) -> Option<Self> {
        let newest = all.last_key_value().map(|(version, key)| (*version, key.clone()))?;
        Some(Self { newest, all })
    }

    /// Vouches for a row.
    #[must_use]
    pub fn sign(&self, meaning: &Meaning) -> Vec<u8> {
        let (version, key) = &self.newest;
        [version.to_be_bytes().as_slice(), hmac::sign(key, &meaning.0).as_ref()].concat()
    }

    /// What each key makes of it, to find a row by.
    #[must_use]
    pub fn sign_under_each(&self, meaning: &Meaning) -> Vec<Vec<u8>> {
        let sign = |(version, key): (&u32, &hmac::Key)| {
            [version.to_be_bytes().as_slice(), hmac::sign(key, &meaning.0).as_ref()].concat()
        };
        self.all.iter().map(sign).collect()
    }

    /// Whether somebody with the key vouched for this row; in constant time. `None` when the MAC is of a version that is
    /// not known here: newer than what was loaded, or made up.
    #[must_use]
    pub fn vouches(&self, meaning: &Meaning, mac: &[u8]) -> Option<bool> {
        let Some((version, tag)) = mac.split_first_chunk::<4>() else { return Some(false) };
        let key = self.all.get(&u32::from_be_bytes(*version))?;
        Some(hmac::verify(key, &meaning.0, tag).is_ok())
    }

    /// Whether a MAC was made under the newest key.
    #[must_use]
    pub fn is_newest(&self, mac: &[u8]) -> bool {
        mac.first_chunk::<4>().is_some_and(|version| u32::from_be_bytes(*version) == self.newest.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(of: &[(u32, u8)]) -> RowKeys {
        let key = |byte: u8| hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32]);
        RowKeys::of(of.iter().map(|(version, byte)| (*version, key(*byte))).collect()).unwrap()
    }

    #[test]
    fn a_row_is_vouched_for_by_its_version_alone() {
        let (old, both) = (keys(&[(1, 7)]), keys(&[(1, 7), (2, 8)]));
        let meaning = Meaning::new().text("admin").uuid(Uuid::max());
        let (first, second) = (old.sign(&meaning), both.sign(&meaning));
        assert_eq!((first.len(), second.len()), (MAC_BYTES, MAC_BYTES));
        assert_eq!(both.vouches(&meaning, &first), Some(true));
        assert_eq!(both.vouches(&meaning, &second), Some(true));
        assert_eq!(old.vouches(&meaning, &second), None);
        assert!(both.is_newest(&second) && !both.is_newest(&first) && !both.is_newest(&[]));
        assert_eq!(both.vouches(&Meaning::new().text("owner").uuid(Uuid::max()), &first), Some(false));
        for cut in 0..first.len() {
            assert_ne!(old.vouches(&meaning, &first[..cut]), Some(true), "{cut}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let alike = [
            Meaning::new().text("ab").text("c"),
            Meaning::new().text("a").text("bc"),
            Meaning::new().maybe(None).text(""),
            Meaning::new().maybe(Some(b"")),
            Meaning::new().moment(None),
            Meaning::new().list(["ab", "c"].into_iter()),
            Meaning::new().list(["a", "bc"].into_iter()),
        ];
        for (at, meaning) in alike.iter().enumerate() {
            assert!(alike.iter().skip(at + 1).all(|other| other.0 != meaning.0), "{at}");
        }
    }
}
