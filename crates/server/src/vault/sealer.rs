//! Many seals one after the other, under one owner's newest key.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aws_lc_rs::hkdf::Prk;
use foldhash::fast::RandomState;

use super::envelope::NONCE;
use super::error::VaultError;
use super::keys::{ColumnKey, Keys, Place, seal_under};

/// So many nonces are drawn together: a draw costs more than a seal.
const NONCES: usize = 32;
/// Of fewer subjects the keys that are remembered serve.
const MANY: usize = 32;

/// Keys with uses that are reserved for whoever holds this, which is not for long: what is drawn and derived ahead stays here.
pub struct Sealer {
    keys: Arc<Keys>,
    left: u32,
    nonces: Vec<[u8; NONCE]>,
    /// Of subjects that were announced.
    extracted: HashMap<u32, Prk, RandomState>,
    /// Of those, in the columns that they were needed in.
    derived: HashMap<(&'static str, u32), ColumnKey, RandomState>,
}

impl Sealer {
    /// The uses are reserved.
    pub(super) fn new(keys: Arc<Keys>, uses: u32) -> Self {
        Self { keys, left: uses, nonces: Vec::new(), extracted: HashMap::default(), derived: HashMap::default() }
    }

    /// Says for whom is going to be sealed: the keys of many are derived together. Whoever was erased is left out, and told when sealed for.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`], [`VaultError::AnchorMissing`].
    pub fn announce(&mut self, subjects: &BTreeSet<u32>) -> Result<(), VaultError> {
        if subjects.len() >= MANY {
            self.extracted = self.keys.extracted(subjects)?.collect();
        }
        Ok(())
    }

    /// Seals under the newest key.
    ///
    /// # Errors
    /// [`VaultError::Erased`]; [`VaultError::Malformed`] beyond what was reserved, or beyond GCM.
    pub fn seal(&mut self, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.left = self.left.checked_sub(1).ok_or(VaultError::Malformed("sealed more often than was reserved"))?;
        let nonce = self.nonce();
        let Some((subject, extracted)) =
            place.subject.and_then(|subject| Some((subject, self.extracted.get(&subject)?)))
        else {
            return self.keys.seal_with(nonce, place, plaintext);
        };
        let label = place.column.label;
        let key = match self.derived.entry((label, subject)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.keys.of_extracted(extracted, label)?),
        };
        seal_under(key, nonce, place.row, plaintext)
    }

    fn nonce(&mut self) -> [u8; NONCE] {
        if let Some(nonce) = self.nonces.pop() {
            return nonce;
        }
        if self.left < 2 {
            return self.keys.nonce();
        }
        let drawn = self.keys.draw::<{ NONCE * NONCES }>();
        self.nonces.extend_from_slice(drawn.as_chunks::<NONCE>().0);
        self.nonces.pop().unwrap_or_else(|| self.keys.nonce())
    }

    /// The keys, to open or look up with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }
}
