//! Checking proofs against roots (RFC 9162 sections 2.1.3.2 and 2.1.4.2).

use super::{Hash, empty_root, node_hash};

/// Why a Merkle proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf.
    #[error("entry {index} cannot be in a tree of {size} entries")]
    OutsideTree {
        /// The leaf's index.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The later tree has fewer leaves than the earlier one.
    #[error("the log shrank from {old} to {new} entries")]
    Shrank {
        /// Leaves of the earlier tree.
        old: u64,
        /// Leaves of the later tree.
        new: u64,
    },
    /// A proof for these sizes has another number of hashes.
    #[error("the proof has {got} hashes where {expected} belong")]
    PathLength {
        /// Hashes that such a proof has.
        expected: usize,
        /// Hashes that were given.
        got: usize,
    },
    /// The path leads from the leaf to another root.
    #[error("the entry is not in the tree under this root")]
    NotIncluded,
    /// Both trees have the same number of leaves, but not the same root.
    #[error("two roots for one size of {size} entries")]
    TwoRoots {
        /// Leaves of both.
        size: u64,
    },
    /// The path leads to another root for the earlier tree.
    #[error("the proof does not lead to the older root")]
    NotTheOlderRoot,
    /// The path leads to the earlier root, but to another one for the later tree.
    #[error("the newer tree does not extend the older one")]
    NotTheNewerRoot,
}

impl ProofError {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::OutsideTree { .. } => "outside_tree",
            Self::Shrank { .. } => "shrank",
            Self::PathLength { .. } => "path_length",
            Self::NotIncluded => "not_included",
            Self::TwoRoots { .. } => "two_roots",
            Self::NotTheOlderRoot => "not_the_older_root",
            Self::NotTheNewerRoot => "not_the_newer_root",
        }
    }
}

/// Checks that `leaf` is number `index` of the tree of `size` leaves with this root.
///
/// # Errors
/// [`ProofError::OutsideTree`], [`ProofError::PathLength`], or [`ProofError::NotIncluded`] when the path
/// leads to another root.
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutsideTree { index, size });
    }
    let expected = inclusion_length(index, size);
    if path.len() != expected {
        return Err(ProofError::PathLength { expected, got: path.len() });
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            // A last node without a right neighbour is carried up unchanged.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if hash == *root { Ok(()) } else { Err(ProofError::NotIncluded) }
}

/// Levels at which the leaf has a sibling: all below its last common one with the last leaf, and above that
/// one for each bit that is set.
fn inclusion_length(index: u64, size: u64) -> usize {
    let last = size - 1;
    let inner = u64::BITS - (index ^ last).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or_default().count_ones();
    usize::try_from(inner + border).unwrap_or(usize::MAX)
}

/// Checks that the tree of `new_size` leaves begins with the leaves of the tree of `old_size`.
///
/// # Errors
/// [`ProofError::Shrank`], [`ProofError::TwoRoots`] at equal sizes, [`ProofError::PathLength`],
/// [`ProofError::NotTheOlderRoot`] (also for an empty older tree whose root is not that of no leaves), or
/// [`ProofError::NotTheNewerRoot`].
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if old_size > new_size {
        return Err(ProofError::Shrank { old: old_size, new: new_size });
    }
    if old_size == new_size && old_root != new_root {
        return Err(ProofError::TwoRoots { size: old_size });
    }
    let expected = consistency_length(old_size, new_size);
    if path.len() != expected {
        return Err(ProofError::PathLength { expected, got: path.len() });
    }
    if old_size == new_size {
        return Ok(());
    }
    if old_size == 0 {
        return if *old_root == empty_root() { Ok(()) } else { Err(ProofError::NotTheOlderRoot) };
    }
    let (older, newer) = roots_along(old_size, old_root, new_size, path);
    if older != *old_root {
        Err(ProofError::NotTheOlderRoot)
    } else if newer != *new_root {
        Err(ProofError::NotTheNewerRoot)
    } else {
        Ok(())
    }
}

/// Both roots to which the path leads, for `0 < old_size < new_size` and a path of the right length.
fn roots_along(old_size: u64, old_root: &Hash, new_size: u64, path: &[Hash]) -> (Hash, Hash) {
    let skipped = old_size.trailing_zeros();
    // The last complete subtree of the older tree, and the last leaf of the newer, at the same level.
    let mut at = (old_size - 1) >> skipped;
    let mut last = (new_size - 1) >> skipped;
    let (start, rest) = match path.split_first() {
        // A power of two: the older root is itself the first hash, and is left out.
        _ if old_size.is_power_of_two() => (*old_root, path),
        Some((first, rest)) => (*first, rest),
        None => return (*old_root, *old_root),
    };
    let (mut older, mut newer) = (start, start);
    for sibling in rest {
        if at & 1 == 1 || at == last {
            older = node_hash(sibling, &older);
            newer = node_hash(sibling, &newer);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            newer = node_hash(&newer, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (older, newer)
}

/// As [`inclusion_length`] of the older tree's last complete subtree, and one hash to begin with unless the
/// older tree is that subtree.
fn consistency_length(old_size: u64, new_size: u64) -> usize {
    if old_size == 0 || old_size == new_size {
        return 0;
    }
    let skipped = old_size.trailing_zeros();
    let at = (old_size - 1) >> skipped;
    let last = (new_size - 1) >> skipped;
    let start = usize::from(!old_size.is_power_of_two());
    start + inclusion_length(at, last.saturating_add(1))
}
