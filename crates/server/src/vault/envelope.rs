//! How sealed bytes are laid out, and to what they are bound.
//!
//! ```text
//! envelope        = "BW" | version u8 (1) | suite u8 (1) | dek id 16 | dek version u32 | flags u8 | nonce 12
//!                   | ciphertext | tag 16
//! associated data = the header before the nonce (25 bytes)
//!                   | for owner (16), label and row each: length u32, bytes
//! key             = HKDF-SHA256(data key, salt = the subject's key or nothing, info = "bailiwick/seal/v1" 0x00 label)
//! ```
//!
//! Numbers are big endian. Suite 1 is AES-256-GCM with random nonces: a key is good for 2^28 seals (the chance that two
//! of them share a nonce stays below 2^-40, NIST SP 800-38D, 8.3). Flag 1: a subject's key went into the key. Which KEK
//! wraps the data key does not stand here, so that another KEK, or a move to another region, touches no envelope.

use smallvec::SmallVec;
use uuid::Uuid;

use super::error::VaultError;

/// Bytes of the nonce.
pub(super) const NONCE: usize = 12;
/// Bytes of the tag.
pub(super) const TAG: usize = 16;
/// Bytes of the header before the nonce.
const HEADER: usize = 2 + 1 + 1 + 16 + 4 + 1;
const MAGIC: [u8; 2] = *b"BW";
const VERSION: u8 = 1;
const AES_256_GCM: u8 = 1;
const FOR_SUBJECT: u8 = 1;

/// Longer than those of most places, so that they stand on the stack.
pub(super) type AssociatedData = SmallVec<[u8; 192]>;

/// What stands before the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The owner's line of data keys.
    pub(super) dek: Uuid,
    /// Which of them.
    pub(super) version: u32,
    /// Whether a subject's key went into the key.
    pub(super) for_subject: bool,
}

/// An envelope, taken apart.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) header: Header,
    pub(super) nonce: [u8; NONCE],
    /// Ciphertext and tag.
    pub(super) rest: &'a [u8],
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = VERSION;
        bytes[3] = AES_256_GCM;
        bytes[4..20].copy_from_slice(self.dek.as_bytes());
        bytes[20..24].copy_from_slice(&self.version.to_be_bytes());
        bytes[24] = if self.for_subject { FOR_SUBJECT } else { 0 };
        bytes
    }

    /// What a seal under this header is bound to in every row of a column.
    pub(super) fn bound(self, owner: Uuid, label: &str) -> Box<[u8]> {
        let mut data = self.to_bytes().to_vec();
        for part in [owner.as_bytes().as_slice(), label.as_bytes()] {
            data.extend_from_slice(&length(part));
            data.extend_from_slice(part);
        }
        data.into_boxed_slice()
    }
}

/// What a seal is bound to in this row, after what it is bound to in every one.
pub(super) fn associated_data(bound: &[u8], row: &[u8]) -> AssociatedData {
    let mut data = AssociatedData::from_elem(0, bound.len() + 4 + row.len());
    let (first, rest) = data.split_at_mut(bound.len());
    first.copy_from_slice(bound);
    if let Some((length_of_row, last)) = rest.split_first_chunk_mut() {
        *length_of_row = length(row);
        last.copy_from_slice(row);
    }
    data
}

fn length(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}

impl<'a> Envelope<'a> {
    /// Takes an envelope apart; nothing is believed of it yet.
    ///
    /// # Errors
    /// [`VaultError::Malformed`].
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, VaultError> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(VaultError::Malformed("cut"))?;
        let [b, w, version, suite, rest_of_header @ ..] = header;
        if [*b, *w] != MAGIC {
            return Err(VaultError::Malformed("no envelope"));
        }
        if (*version, *suite) != (VERSION, AES_256_GCM) {
            return Err(VaultError::Malformed("of another version or suite"));
        }
        let (dek, rest_of_header) = rest_of_header.split_first_chunk::<16>().ok_or(VaultError::Malformed("cut"))?;
        let (version, flags) = rest_of_header.split_first_chunk::<4>().ok_or(VaultError::Malformed("cut"))?;
        let for_subject = match flags {
            [0] => false,
            [FOR_SUBJECT] => true,
            _ => return Err(VaultError::Malformed("with flags that are not known")),
        };
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(VaultError::Malformed("cut"))?;
        if rest.len() < TAG {
            return Err(VaultError::Malformed("cut"));
        }
        let header = Header { dek: Uuid::from_bytes(*dek), version: u32::from_be_bytes(*version), for_subject };
        Ok(Self { header, nonce: *nonce, rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER_OF_TEST: Header = Header { dek: Uuid::from_u128(0x0102), version: 7, for_subject: true };

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let mut bytes = HEADER_OF_TEST.to_bytes().to_vec();
        bytes.extend([9; NONCE + TAG]);
        let envelope = Envelope::parse(&bytes).unwrap();
        assert_eq!((envelope.header, envelope.nonce, envelope.rest), (HEADER_OF_TEST, [9; NONCE], [9; TAG].as_slice()));
        for length in 0..bytes.len() {
            assert!(Envelope::parse(&bytes[..length]).is_err(), "{length}");
        }
        for (at, to) in [(0, b'b'), (2, 2), (3, 0), (24, 2), (24, 255)] {
            let mut other = bytes.clone();
            other[at] = to;
            assert!(Envelope::parse(&other).is_err(), "{at}");
        }
    }

    #[test]
    fn no_two_places_share_their_associated_data() {
        let data = |label, row| associated_data(&HEADER_OF_TEST.bound(Uuid::nil(), label), row);
        assert_ne!(data("a", b"bc"), data("ab", b"c"));
        assert_ne!(data("a", b""), data("", b"a"));
    }
}
