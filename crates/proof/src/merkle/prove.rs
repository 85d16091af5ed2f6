//! Roots and proofs out of the hashes of complete subtrees, wherever those are kept.

use super::nodes::{Subtree, consistency_path, inclusion_path};
use super::{Hash, Node, empty_root};

/// The root of a tree of `size` leaves; asks `hash` for each of [`super::frontier_nodes`].
///
/// # Errors
/// The first error of `hash`.
pub fn root_from<E>(size: u64, mut hash: impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
    Subtree::whole(size).map_or_else(|| Ok(empty_root()), |tree| tree.hash(&mut hash))
}

/// The inclusion proof of leaf `index` in a tree of `size`, the leaf's sibling first (RFC 9162 section
/// 2.1.3.1); asks `hash` for each of [`super::inclusion_nodes`]. `None` unless `index < size`.
///
/// # Errors
/// The first error of `hash`.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut hash: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    hashes(inclusion_path(index, size), &mut hash)
}

/// The consistency proof from `old` to `new` leaves (RFC 9162 section 2.1.4.1), empty when `old` is 0 or
/// equal to `new`; asks `hash` for each of [`super::consistency_nodes`]. `None` unless `old <= new`.
///
/// # Errors
/// The first error of `hash`.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut hash: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    hashes(consistency_path(old, new), &mut hash)
}

fn hashes<E>(
    path: Option<Vec<Subtree>>,
    hash: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    path.map(|path| path.into_iter().map(|subtree| subtree.hash(hash)).collect()).transpose()
}
