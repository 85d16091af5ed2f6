//! The unwrapped keys of one owner, and what is derived from them. Pure: no database, no key service, no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;
use bailiwick_proof::puncturable::{PuncturableKey, SubjectKey};
use foldhash::fast::RandomState;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::column::{COLUMNS, Column};
use super::envelope::{AssociatedData, Envelope, Header, NONCE, TAG, associated_data};
use super::error::VaultError;
use super::plaintext::Plaintext;
use crate::entropy::Entropy;

const SEAL: &[u8] = b"bailiwick/seal/v1\0";
const INDEX: &[u8] = b"bailiwick/index/v1\0";
const MAC: &[u8] = b"bailiwick/mac/v1\0";
/// Derived keys of subjects that are remembered for one data key; past it they are derived anew.
const SUBJECTS_REMEMBERED: usize = 256;

/// Where something sealed stands. It opens there and nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// What it is.
    pub column: &'static Column,
    /// Which row, in the words of its feature: the same bytes each time, other bytes for each other row.
    pub row: &'a [u8],
    /// Who can be erased from it.
    pub subject: Option<u32>,
}

/// A version of an owner's data key: HKDF's input, and what was derived from it so far.
pub(super) struct Dek {
    version: u32,
    bytes: Zeroizing<[u8; 32]>,
    extracted: Prk,
    /// Of whole columns, each at its place in the registry: found without a lock.
    of_columns: [OnceLock<ColumnKey>; COLUMNS.len()],
    /// Of what is looked up in columns, likewise.
    of_indexes: [OnceLock<hmac::Key>; COLUMNS.len()],
    /// Of a subject in a column.
    of_subjects: RwLock<HashMap<(&'static str, u32), Arc<ColumnKey>, RandomState>>,
}

/// What seals in a column: a derived key, and what is bound to each seal whichever the row.
pub(super) struct ColumnKey {
    key: LessSafeKey,
    header: Header,
    bound: Box<[u8]>,
}

impl ColumnKey {
    fn new(extracted: &Prk, header: Header, owner: Uuid, label: &str) -> Result<Self, VaultError> {
        let info = [SEAL, label.as_bytes()];
        let key = extracted.expand(&info, &AES_256_GCM).map_err(|_| VaultError::DoesNotOpen)?;
        Ok(Self { key: LessSafeKey::new(UnboundKey::from(key)), header, bound: header.bound(owner, label) })
    }

    fn data(&self, row: &[u8]) -> AssociatedData {
        associated_data(&self.bound, row)
    }
}

/// A derived key.
enum Derived<'a> {
    OfColumn(&'a ColumnKey),
    OfSubject(Arc<ColumnKey>),
}

impl Deref for Derived<'_> {
    type Target = ColumnKey;

    fn deref(&self) -> &ColumnKey {
        match self {
            Self::OfColumn(key) => key,
            Self::OfSubject(key) => key,
        }
    }
}

/// All versions of an owner's data key, the newest of which seals.
pub struct Keys {
    owner: Uuid,
    dek: Uuid,
    versions: BTreeMap<u32, Dek>,
    /// Nothing while the cell's own are being fetched, which are sealed under these very keys.
    subjects: Option<PuncturableKey>,
    entropy: Entropy,
}

impl Dek {
    pub(super) fn new(version: u32, bytes: Zeroizing<[u8; 32]>) -> Self {
        let extracted = Salt::new(HKDF_SHA256, &[]).extract(bytes.as_slice());
        let of_columns = std::array::from_fn(|_| OnceLock::new());
        let of_indexes = std::array::from_fn(|_| OnceLock::new());
        Self { version, bytes, extracted, of_columns, of_indexes, of_subjects: RwLock::default() }
    }

    fn of_column(&self, column: &'static Column, (owner, dek): (Uuid, Uuid)) -> Result<&ColumnKey, VaultError> {
        let kept = kept_for(column, &self.of_columns)?;
        if let Some(key) = kept.get() {
            return Ok(key);
        }
        let header = Header { dek, version: self.version, for_subject: false };
        let key = ColumnKey::new(&self.extracted, header, owner, column.label)?;
        Ok(kept.get_or_init(|| key))
    }

    fn of_subject(
        &self,
        label: &'static str,
        number: u32,
        (owner, dek): (Uuid, Uuid),
        subjects: &PuncturableKey,
    ) -> Result<Arc<ColumnKey>, VaultError> {
        let name = (label, number);
        if let Some(key) = self.of_subjects.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Ok(Arc::clone(key));
        }
        let subject = subjects.derive(number).ok_or(VaultError::Erased)?;
        let key = self.of_extracted(&self.extract(&subject), label, (owner, dek))?;
        let mut derived = self.of_subjects.write().unwrap_or_else(PoisonError::into_inner);
        if derived.len() >= SUBJECTS_REMEMBERED {
            derived.clear();
        }
        Ok(Arc::clone(derived.entry(name).or_insert_with(|| Arc::new(key))))
    }

    /// What a subject's keys in all columns are made from.
    fn extract(&self, subject: &SubjectKey) -> Prk {
        Salt::new(HKDF_SHA256, subject.reveal()).extract(self.bytes.as_slice())
    }

    fn of_extracted(
        &self,
        extracted: &Prk,
        label: &'static str,
        (owner, dek): (Uuid, Uuid),
    ) -> Result<ColumnKey, VaultError> {
        let header = Header { dek, version: self.version, for_subject: true };
        ColumnKey::new(extracted, header, owner, label)
    }

    /// The key by which values of a column are looked up.
    fn of_index(&self, column: &'static Column) -> Result<&hmac::Key, VaultError> {
        let kept = kept_for(column, &self.of_indexes)?;
        if let Some(key) = kept.get() {
            return Ok(key);
        }
        let key = self.hmac(INDEX, column.label)?;
        Ok(kept.get_or_init(|| key))
    }

    /// The key of an HMAC for this use of a label.
    fn hmac(&self, what: &[u8], label: &str) -> Result<hmac::Key, VaultError> {
        let info = [what, label.as_bytes()];
        let key = self.extracted.expand(&info, HKDF_SHA256.hmac_algorithm()).map_err(|_| VaultError::DoesNotOpen)?;
        Ok(hmac::Key::from(key))
    }
}

impl Keys {
    /// The versions are never empty: whoever has no key yet is made one before.
    pub(super) fn new(
        owner: Uuid,
        dek: Uuid,
        versions: Vec<Dek>,
        subjects: Option<PuncturableKey>,
        entropy: Entropy,
    ) -> Self {
        let versions = versions.into_iter().map(|dek| (dek.version, dek)).collect();
        Self { owner, dek, versions, subjects, entropy }
    }

    /// The same keys with those of their subjects.
    pub(super) fn with_subjects(self, subjects: PuncturableKey) -> Self {
        Self { subjects: Some(subjects), ..self }
    }

    /// Keys of a test, the same each time.
    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        let deks = vec![Dek::new(1, Zeroizing::new([7; 32]))];
        Self::new(Uuid::nil(), Uuid::from_u128(1), deks, Some(PuncturableKey::from_seed(&[8; 32])), Entropy::system())
    }

    fn newest(&self) -> Result<&Dek, VaultError> {
        self.versions.last_key_value().map(|(_, dek)| dek).ok_or(VaultError::UnknownKey)
    }

    /// The key of a column, or of a subject in it.
    fn of<'a>(&self, dek: &'a Dek, place: &Place<'_>) -> Result<Derived<'a>, VaultError> {
        let whose = (self.owner, self.dek);
        match place.subject {
            None => dek.of_column(place.column, whose).map(Derived::OfColumn),
            Some(subject) => {
                let subjects = self.subjects.as_ref().ok_or(VaultError::AnchorMissing)?;
                dek.of_subject(place.column.label, subject, whose, subjects).map(Derived::OfSubject)
            }
        }
    }

    /// The version that seals.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`] when there is none.
    pub fn version(&self) -> Result<u32, VaultError> {
        self.newest().map(|dek| dek.version)
    }

    /// Whether a version is here.
    pub(super) fn knows(&self, version: u32) -> bool {
        self.versions.contains_key(&version)
    }

    /// Seals under the newest key. The caller has reserved the use.
    ///
    /// # Errors
    /// [`VaultError::Erased`]; [`VaultError::Malformed`] for what is beyond GCM.
    pub(crate) fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.seal_with(self.nonce(), place, plaintext)
    }

    /// The same with a nonce of [`Self::nonce`], which is used for nothing else.
    pub(super) fn seal_with(
        &self,
        nonce: [u8; NONCE],
        place: &Place<'_>,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        seal_under(&*self.of(self.newest()?, place)?, nonce, place.row, plaintext)
    }

    pub(super) fn nonce(&self) -> [u8; NONCE] {
        self.draw()
    }

    /// Random bytes, for several nonces.
    pub(super) fn draw<const N: usize>(&self) -> [u8; N] {
        self.entropy.bytes()
    }

    /// What the newest keys of these subjects are made from; of those that were not erased.
    pub(super) fn extracted(&self, subjects: &BTreeSet<u32>) -> Result<impl Iterator<Item = (u32, Prk)>, VaultError> {
        let newest = self.newest()?;
        let keys = self.subjects.as_ref().ok_or(VaultError::AnchorMissing)?.derive_all(subjects);
        Ok(keys.into_iter().map(|(subject, key)| (subject, newest.extract(&key))))
    }

    /// A newest key of a subject, from what [`Self::extracted`] answers for it.
    pub(super) fn of_extracted(&self, extracted: &Prk, label: &'static str) -> Result<ColumnKey, VaultError> {
        self.newest()?.of_extracted(extracted, label, (self.owner, self.dek))
    }

    /// Opens what was sealed at the same place.
    ///
    /// # Errors
    /// [`VaultError::Malformed`], [`VaultError::UnknownKey`], [`VaultError::DoesNotOpen`], [`VaultError::Erased`].
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Plaintext, VaultError> {
        let Envelope { header, nonce, rest } = Envelope::parse(sealed)?;
        let dek =
            self.versions.get(&header.version).filter(|_| header.dek == self.dek).ok_or(VaultError::UnknownKey)?;
        if header.for_subject != place.subject.is_some() {
            return Err(VaultError::DoesNotOpen);
        }
        let key = self.of(dek, place)?;
        let data = key.data(place.row);
        Plaintext::open_in(rest.to_vec(), |text| {
            let opened = key.key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(data.as_slice()), text);
            opened.map(|text| text.len()).map_err(|_| VaultError::DoesNotOpen)
        })
    }

    /// How a value is looked up in a column: under the newest key, or under each that there is, the newest first.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`] when there is no key.
    pub fn blind_index(&self, column: &'static Column, value: &[u8]) -> Result<[u8; 32], VaultError> {
        Ok(sign(self.newest()?.of_index(column)?, value))
    }

    /// Under each key that there is: rows that rotation has not come to yet stand under an older one.
    ///
    /// # Errors
    /// As [`Self::blind_index`].
    pub fn blind_indexes(&self, column: &'static Column, value: &[u8]) -> Result<Vec<[u8; 32]>, VaultError> {
        self.versions.values().rev().map(|dek| Ok(sign(dek.of_index(column)?, value))).collect()
    }

    /// The keys of a MAC, by version, the newest last.
    pub(super) fn mac_keys(&self, label: &str) -> Result<BTreeMap<u32, hmac::Key>, VaultError> {
        self.versions.iter().map(|(version, dek)| Ok((*version, dek.hmac(MAC, label)?))).collect()
    }

    /// Whether this subject was erased.
    #[must_use]
    pub fn is_erased(&self, subject: u32) -> bool {
        self.subjects.as_ref().is_some_and(|subjects| subjects.is_punctured(subject))
    }
}

/// Header, nonce, ciphertext and tag.
pub(super) fn seal_under(
    key: &ColumnKey,
    nonce: [u8; NONCE],
    row: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let (head, data) = (key.header.to_bytes(), key.data(row));
    let mut sealed = Vec::with_capacity(head.len() + nonce.len() + plaintext.len() + TAG);
    sealed.extend_from_slice(&head);
    sealed.extend_from_slice(&nonce);
    let text_at = sealed.len();
    // Encrypted where it stands: no second copy of the plaintext is left behind.
    sealed.extend_from_slice(plaintext);
    let text = sealed.get_mut(text_at..).unwrap_or_default();
    let tag = key
        .key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(data.as_slice()), text)
        .map_err(|_| VaultError::Malformed("too long to be sealed"))?;
    sealed.extend_from_slice(tag.as_ref());
    Ok(sealed)
}

/// Where what is derived for a column is kept.
fn kept_for<'a, T>(column: &'static Column, kept: &'a [OnceLock<T>]) -> Result<&'a OnceLock<T>, VaultError> {
    let at = column.registered().and_then(|at| kept.get(at));
    at.ok_or(VaultError::Malformed("in a column that is not registered"))
}

fn sign(key: &hmac::Key, value: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hmac::sign(key, value).as_ref());
    bytes
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({}, [redacted])", self.owner)
    }
}
