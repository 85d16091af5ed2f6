//! What of an owner's keys stands outside of the database: one object for each owner, in the anchor store.
//!
//! ```text
//! object  = an envelope under the cell's data key (label "anchored/v1", row: the owner)
//! inside  = version u8 (1) | binding 32 | state of the subjects' keys (bailiwick_proof::puncturable)
//! shredded = {"v":1,"shredded_at_ms":1763782979123}
//! ```
//!
//! A workspace's data key opens with its `binding` alone, and a subject's key comes out of the state alone. Both are
//! replaced, never kept beside an older one: what is gone from here does not open any more, whatever is put back elsewhere.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use bailiwick_proof::puncturable::PuncturableKey;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::column::{ANCHORED, RowId};
use super::envelope::Envelope;
use super::error::VaultError;
use super::keys::{Keys, Place};
use crate::anchor::{AnchorError, AnchorStore, ObjectName, Tag};
use crate::entropy::Entropy;

const VERSION: u8 = 1;
const BINDING: usize = 32;
const NONCE: usize = 12;
const INFO: &[u8] = b"bailiwick/binding/v1";

/// An owner's object, open.
pub(super) struct Anchored {
    binding: Zeroizing<[u8; BINDING]>,
    pub(super) subjects: PuncturableKey,
}

/// What the object says.
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// There is one, as it was when it had this tag.
    Here(Box<Anchored>, Tag),
    /// There was one.
    Shredded,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tombstone {
    v: u8,
    shredded_at_ms: i64,
}

/// The objects of one cell.
pub(super) struct Shelf {
    store: AnchorStore,
    cell: Uuid,
}

impl Anchored {
    pub(super) fn make(entropy: &Entropy) -> Self {
        let seed = Zeroizing::new(entropy.bytes());
        Self { binding: Zeroizing::new(entropy.bytes()), subjects: PuncturableKey::from_seed(&seed) }
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let subjects = self.subjects.encode();
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + BINDING + subjects.len()));
        bytes.push(VERSION);
        bytes.extend_from_slice(self.binding.as_slice());
        bytes.extend_from_slice(&subjects);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (binding, state) = rest.split_first_chunk::<BINDING>()?;
        let subjects = PuncturableKey::decode(state).ok().filter(|_| *version == VERSION)?;
        Some(Self { binding: Zeroizing::new(*binding), subjects })
    }

    /// Binds a data key to this object: `nonce 12 | ciphertext | tag 16`, AES-256-GCM.
    pub(super) fn bind(&self, entropy: &Entropy, about: &[u8], key: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let nonce = entropy.bytes::<NONCE>();
        let mut text = Zeroizing::new(key.to_vec());
        let tag = self
            .key()?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about), &mut text)
            .map_err(|_| VaultError::WrapRefused)?;
        Ok(Zeroizing::new([nonce.as_slice(), &text, tag.as_ref()].concat()))
    }

    /// The data key that was bound.
    pub(super) fn release(&self, about: &[u8], bound: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, rest) = bound.split_first_chunk::<NONCE>().ok_or(VaultError::WrapRefused)?;
        let mut text = Zeroizing::new(rest.to_vec());
        let length = self
            .key()?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(about), &mut text)
            .map_err(|_| VaultError::WrapRefused)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    fn key(&self) -> Result<LessSafeKey, VaultError> {
        let extracted = Salt::new(HKDF_SHA256, &[]).extract(self.binding.as_slice());
        let key = extracted.expand(&[INFO], &AES_256_GCM).map_err(|_| VaultError::WrapRefused)?;
        Ok(LessSafeKey::new(UnboundKey::from(key)))
    }
}

impl Shelf {
    pub(super) fn new(store: AnchorStore, cell: Uuid) -> Self {
        Self { store, cell }
    }

    fn name(&self, owner: Uuid) -> Result<ObjectName, VaultError> {
        Ok(format!("{}/vault/{owner}", self.cell).parse()?)
    }

    /// Whether the owner ever had an object.
    pub(super) async fn exists(&self, owner: Uuid) -> Result<bool, VaultError> {
        Ok(self.store.read(&self.name(owner)?).await?.is_some())
    }

    /// The owner's object, opened with the cell's keys.
    pub(super) async fn find(&self, owner: Uuid, cell: &Keys) -> Result<Found, VaultError> {
        let Some(object) = self.store.read(&self.name(owner)?).await? else { return Ok(Found::Nothing) };
        if serde_json::from_slice::<Tombstone>(&object.bytes).is_ok_and(|stone| stone.v == VERSION) {
            return Ok(Found::Shredded);
        }
        let row = RowId::new().uuid(owner);
        let inside = cell.open(&place(&row), &object.bytes)?;
        let anchored = Anchored::decode(&inside).ok_or(VaultError::Malformed("no anchored keys"))?;
        Ok(Found::Here(Box::new(anchored), object.tag))
    }

    /// The owner's object, made now if there is none.
    pub(super) async fn find_or_make(
        &self,
        owner: Uuid,
        cell: &Keys,
        entropy: &Entropy,
    ) -> Result<Box<Anchored>, VaultError> {
        loop {
            match self.find(owner, cell).await? {
                Found::Here(anchored, _) => return Ok(anchored),
                Found::Shredded => return Err(VaultError::Shredded),
                Found::Nothing => {}
            }
            let row = RowId::new().uuid(owner);
            let sealed = cell.seal(&place(&row), &Anchored::make(entropy).encode())?;
            match self.store.create(&self.name(owner)?, &sealed).await {
                // Read again even so: what is used is what stands there.
                Ok(_) => {}
                Err(AnchorError::Exists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Puts what is given in the place of what was found.
    pub(super) async fn replace(
        &self,
        owner: Uuid,
        cell: &Keys,
        anchored: &Anchored,
        seen: &Tag,
    ) -> Result<(), VaultError> {
        let row = RowId::new().uuid(owner);
        let sealed = cell.seal(&place(&row), &anchored.encode())?;
        self.store.replace(&self.name(owner)?, &sealed, seen).await?;
        Ok(())
    }

    /// Seals under the cell's newest key whatever an older one sealed, and answers how many objects.
    pub(super) async fn reseal(&self, cell: &Keys) -> Result<u64, VaultError> {
        let mut done = 0;
        for name in self.store.list(&format!("{}/vault", self.cell).parse()?).await? {
            let Ok(owner) = name.last().parse::<Uuid>() else { continue };
            let Some(object) = self.store.read(&name).await? else { continue };
            let newest = cell.version()?;
            if Envelope::parse(&object.bytes).is_ok_and(|envelope| envelope.header.version != newest)
                && let Found::Here(anchored, seen) = self.find(owner, cell).await?
            {
                self.replace(owner, cell, &anchored, &seen).await?;
                done += 1;
            }
        }
        Ok(done)
    }

    /// Nothing of the owner opens any more.
    pub(super) async fn shred(&self, owner: Uuid, at: OffsetDateTime) -> Result<(), VaultError> {
        let stone =
            Tombstone { v: VERSION, shredded_at_ms: (at.unix_timestamp_nanos() / 1_000_000).try_into().unwrap_or(0) };
        let stone = serde_json::to_vec(&stone).map_err(|_| VaultError::Malformed("no tombstone"))?;
        let name = self.name(owner)?;
        loop {
            let written = match self.store.read(&name).await? {
                Some(object) if *object.bytes == stone => return Ok(()),
                Some(object) => self.store.replace(&name, &stone, &object.tag).await,
                None => self.store.create(&name, &stone).await,
            };
            match written {
                Ok(_) => return Ok(()),
                Err(AnchorError::Exists { .. } | AnchorError::Changed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn place(row: &RowId) -> Place<'_> {
    Place { column: &ANCHORED, row: row.as_bytes(), subject: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_released_by_its_own_binding_alone() {
        let entropy = Entropy::system();
        let (one, other) = (Anchored::make(&entropy), Anchored::make(&entropy));
        let bound = one.bind(&entropy, b"about", &[7; 32]).unwrap();
        assert_eq!(one.release(b"about", &bound).unwrap().as_slice(), [7; 32]);
        assert!(one.release(b"else", &bound).is_err() && other.release(b"about", &bound).is_err());
        let again = Anchored::decode(&one.encode()).unwrap();
        assert_eq!(again.release(b"about", &bound).unwrap().as_slice(), [7; 32]);
        let encoded = one.encode();
        for cut in 0..encoded.len() {
            assert!(Anchored::decode(&encoded[..cut]).is_none(), "{cut}");
        }
    }
}
