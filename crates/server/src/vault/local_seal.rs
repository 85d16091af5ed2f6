//! AES-256-GCM under one local key, with the place as associated data.
//!
//! ```text
//! sealed = version u8 (1) | nonce 12 | ciphertext | tag 16
//! associated data = version u8 | for label and place each: length u32 big endian, bytes
//! ```
//!
//! Nonces are random, 96 bits: one key is good for some 2^32 seals (NIST SP 800-38D, 8.3).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::entropy::Entropy;

const VERSION: u8 = 1;

/// Seals small things under a label and a place, so that nothing sealed opens elsewhere.
#[derive(Clone)]
pub struct LocalSeal {
    key: std::sync::Arc<LessSafeKey>,
    entropy: Entropy,
}

/// It does not open: another key, another place, or altered bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open here")]
pub struct SealError;

impl LocalSeal {
    /// # Errors
    /// [`SealError`] when the key has not 32 bytes.
    pub fn new(key: &[u8], entropy: Entropy) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError)?;
        Ok(Self { key: std::sync::Arc::new(LessSafeKey::new(key)), entropy })
    }

    /// Seals under a label (what it is, frozen) and a place (where it stands).
    ///
    /// # Errors
    /// [`SealError`] when the plaintext is beyond what GCM takes.
    pub fn seal(&self, label: &str, place: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce: [u8; NONCE_LEN] = self.entropy.bytes();
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        let mut text = Zeroizing::new(plaintext.to_vec());
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(label, place)),
                &mut text,
            )
            .map_err(|_| SealError)?;
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed under the same label and place.
    ///
    /// # Errors
    /// [`SealError`], without telling why.
    pub fn open(&self, label: &str, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        if *version != VERSION {
            return Err(SealError);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut text = Zeroizing::new(ciphertext.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(associated_data(label, place)), &mut text)
            .map_err(|_| SealError)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

fn associated_data(label: &str, place: &[u8]) -> Vec<u8> {
    let mut data = vec![VERSION];
    for part in [label.as_bytes(), place] {
        data.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_where_it_was_sealed() {
        let seal = LocalSeal::new(&[7; 32], Entropy::system()).unwrap();
        let sealed = seal.seal("replay", b"here", b"secret").unwrap();
        assert_eq!(seal.open("replay", b"here", &sealed).unwrap().as_slice(), b"secret");
        assert!(seal.open("replay", b"there", &sealed).is_err());
        assert!(seal.open("flash", b"here", &sealed).is_err());
        let other = LocalSeal::new(&[8; 32], Entropy::system()).unwrap();
        assert!(other.open("replay", b"here", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(seal.open("replay", b"here", &altered).is_err(), "byte {at}");
            assert!(seal.open("replay", b"here", &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_ne!(sealed, seal.seal("replay", b"here", b"secret").unwrap());
    }
}
