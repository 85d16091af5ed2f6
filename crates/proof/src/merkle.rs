//! Merkle trees over the entries of a log (RFC 6962 section 2.1, RFC 9162 section 2.1).
//!
//! ```text
//! leaf hash  = SHA-256(0x00 || entry)
//! node hash  = SHA-256(0x01 || left || right)
//! empty root = SHA-256("")
//! ```
//!
//! A tree of n > 1 leaves splits at the largest power of two below n. Every tree is thus a row of
//! *complete* subtrees of falling size, whose hashes never change once they exist: a log stores those and
//! computes the rest. A [`Node`] names one; [`frontier_nodes`], [`inclusion_nodes`] and
//! [`consistency_nodes`] say which ones a root or a proof is made of, so that a caller can fetch them
//! at once.
//!
//! # Invariants
//! Nothing here panics or overflows for any `u64` size or index. A proof holds for exactly one size.

mod frontier;
mod nodes;
mod prove;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use frontier::{Frontier, FrontierError};
pub use nodes::{Node, consistency_nodes, frontier_nodes, inclusion_nodes};
pub use prove::{consistency_proof, inclusion_proof, root_from};
pub use verify::{ProofError, verify_consistency, verify_inclusion};

/// Bytes of a SHA-256 digest.
pub const HASH_BYTES: usize = 32;
/// With its prefix, longer than all but the rarest of entries.
const SHORT: usize = 1024;

/// A SHA-256 digest: of an entry, of two nodes, of a tree, or a commitment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; HASH_BYTES]);

/// The text is not a digest in the one spelling that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: expected 32 bytes as 64 lower-case hex digits, or as padded base64")]
pub struct InvalidHash;

impl Hash {
    /// 32 zero bytes: what stands for "no entry before this one".
    pub const ZERO: Self = Self([0; HASH_BYTES]);

    /// A digest that was computed or stored elsewhere.
    #[must_use]
    pub const fn new(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// SHA-256 of `bytes` as they are, without a prefix.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(digest::digest(&SHA256, bytes).as_ref())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// 64 lower-case hex digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        crate::hex::encode(&self.0)
    }

    /// Reads [`Self::to_hex`].
    ///
    /// # Errors
    /// [`InvalidHash`] for anything but 64 lower-case hex digits.
    pub fn from_hex(text: &str) -> Result<Self, InvalidHash> {
        crate::hex::decode(text).map(Self).ok_or(InvalidHash)
    }

    /// Base64 with padding (RFC 4648 section 4): 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads [`Self::to_base64`].
    ///
    /// # Errors
    /// [`InvalidHash`] for another length, alphabet or padding, and for stray bits in the last character.
    pub fn from_base64(text: &str) -> Result<Self, InvalidHash> {
        if text.len() != 44 {
            return Err(InvalidHash);
        }
        let bytes = STANDARD.decode(text).map_err(|_| InvalidHash)?;
        Self::try_from(bytes.as_slice())
    }

    /// Of bytes behind a prefix. What is short is put together first: to hash something in parts the library takes memory from the heap,
    /// which costs as much as hashing a node.
    fn prefixed(prefix: u8, bytes: &[u8]) -> Self {
        let mut whole = [prefix; SHORT];
        if let Some(place) = whole.get_mut(1..).and_then(|rest| rest.get_mut(..bytes.len())) {
            place.copy_from_slice(bytes);
            return Self::of(whole.get(..=bytes.len()).unwrap_or_default());
        }
        let mut context = digest::Context::new(&SHA256);
        context.update(&[prefix]);
        context.update(bytes);
        Self::from_digest(context.finish().as_ref())
    }

    /// What a SHA-256 of the cryptographic library returned: 32 bytes.
    pub(crate) fn from_digest(digest: &[u8]) -> Self {
        let mut bytes = [0; HASH_BYTES];
        for (byte, digest) in bytes.iter_mut().zip(digest) {
            *byte = *digest;
        }
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = InvalidHash;

    /// # Errors
    /// [`InvalidHash`] unless there are 32 bytes.
    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| InvalidHash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash of an entry in its tree.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash::prefixed(0, entry)
}

/// The hash of two neighbours.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut whole = [1; 1 + 2 * HASH_BYTES];
    whole[1..=HASH_BYTES].copy_from_slice(&left.0);
    whole[1 + HASH_BYTES..].copy_from_slice(&right.0);
    Hash::of(&whole)
}

/// The root of the tree without leaves.
#[must_use]
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// The root of the tree with these leaf hashes, in one pass and logarithmic memory.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push(*leaf, |_, _| {});
    }
    frontier.root()
}
