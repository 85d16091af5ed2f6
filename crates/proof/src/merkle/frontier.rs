//! The right edge of a growing tree: all that is needed to append to it and to know its root.

use super::nodes::{fold, frontier_nodes};
use super::{HASH_BYTES, Hash, Node, node_hash};

/// The complete subtrees of a tree, largest first: at most 63 hashes, however large the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One for each bit that is set in `size`, the highest first.
    subtrees: Vec<Hash>,
}

/// The bytes are not the frontier of a tree of that size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// There must be 32 bytes for each bit that is set in the size.
    #[error("the frontier of {size} leaves has {expected} bytes, not {got}")]
    Length {
        /// Leaves of the tree.
        size: u64,
        /// Bytes that its frontier has.
        expected: usize,
        /// Bytes that were given.
        got: usize,
    },
    /// No log has 2^63 entries.
    #[error("a tree of {size} leaves: a log has fewer than 2^63")]
    Size {
        /// Leaves of the tree.
        size: u64,
    },
}

impl Frontier {
    /// The empty tree's.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, subtrees: Vec::new() }
    }

    /// Leaves of the tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(&self.subtrees)
    }

    /// Appends a leaf, and tells `completed` of every node above it that is complete by it: level 1 and up,
    /// the lowest first. A tree that is to be proved from must keep these and the leaves.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(Node, Hash)) {
        let mut node = Node { level: 0, index: self.size };
        let mut hash = leaf;
        while node.index & 1 == 1
            && let Some(left) = self.subtrees.pop()
        {
            hash = node_hash(&left, &hash);
            node = Node { level: node.level.saturating_add(1), index: node.index >> 1 };
            completed(node, hash);
        }
        self.subtrees.push(hash);
        // From fewer than 2^63 leaves, which `from_bytes` checks, nobody counts to the end.
        self.size = self.size.saturating_add(1);
    }

    /// The complete subtrees with their places, largest first.
    pub fn nodes(&self) -> impl Iterator<Item = (Node, Hash)> {
        frontier_nodes(self.size).into_iter().zip(self.subtrees.iter().copied())
    }

    /// The hashes one after the other, largest subtree first: 32 bytes for each bit that is set in the size.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.subtrees.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`FrontierError`] when a tree of `size` has a frontier of another length, or `size` is 2^63 or more.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, FrontierError> {
        if size >= 1 << 63 {
            return Err(FrontierError::Size { size });
        }
        let expected = HASH_BYTES * frontier_nodes(size).len();
        if bytes.len() != expected {
            return Err(FrontierError::Length { size, expected, got: bytes.len() });
        }
        let subtrees = bytes.chunks_exact(HASH_BYTES).flat_map(Hash::try_from).collect();
        Ok(Self { size, subtrees })
    }
}
