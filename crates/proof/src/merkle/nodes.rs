//! Which complete subtrees a root or a proof is made of.

use super::{Hash, empty_root, node_hash};

/// A complete subtree: the leaves `[index << level, (index + 1) << level)`. Level 0 is a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Height above the leaves; the subtree has `2^level` of them.
    pub level: u8,
    /// Position among the subtrees of this level, from the left.
    pub index: u64,
}

/// Leaves `[start, end)` that are a subtree of some tree, not empty and not always complete: `start` is
/// a multiple of the smallest power of two that is no less than `end - start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subtree {
    start: u64,
    end: u64,
}

impl Subtree {
    /// The whole tree; `None` when it is empty.
    pub(super) const fn whole(size: u64) -> Option<Self> {
        if size == 0 { None } else { Some(Self { start: 0, end: size }) }
    }

    /// Left and right half, split at the largest power of two below the number of leaves; `None` for a leaf.
    fn halves(self) -> Option<(Self, Self)> {
        let leaves = self.end - self.start;
        let below = leaves.checked_sub(1).and_then(u64::checked_ilog2)?;
        let middle = self.start + (1 << below);
        Some((Self { end: middle, ..self }, Self { start: middle, ..self }))
    }

    /// The complete subtrees that this one consists of, largest first.
    pub(super) fn nodes(self) -> impl Iterator<Item = Node> {
        let mut start = self.start;
        std::iter::from_fn(move || {
            let level = (self.end - start).checked_ilog2()?;
            let node = Node { level: u8::try_from(level).ok()?, index: start >> level };
            start += 1 << level;
            Some(node)
        })
    }

    /// The hash, out of those of [`Self::nodes`].
    pub(super) fn hash<E>(self, hash: &mut impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
        let parts = self.nodes().map(hash).collect::<Result<Vec<_>, E>>()?;
        Ok(fold(&parts))
    }
}

/// The root over complete subtrees of falling size.
pub(super) fn fold(parts: &[Hash]) -> Hash {
    match parts.split_last() {
        Some((last, before)) => before.iter().rev().fold(*last, |right, left| node_hash(left, &right)),
        None => empty_root(),
    }
}

/// The subtrees whose hashes are the inclusion proof of leaf `index`, the leaf's sibling first.
pub(super) fn inclusion_path(index: u64, size: u64) -> Option<Vec<Subtree>> {
    if index >= size {
        return None;
    }
    let mut path = Vec::new();
    let mut around = Subtree::whole(size)?;
    while let Some((left, right)) = around.halves() {
        let (inside, sibling) = if index < left.end { (left, right) } else { (right, left) };
        path.push(sibling);
        around = inside;
    }
    path.reverse();
    Some(path)
}

/// The subtrees whose hashes are the consistency proof between the two sizes (RFC 9162 section 2.1.4.1).
pub(super) fn consistency_path(old: u64, new: u64) -> Option<Vec<Subtree>> {
    if old > new {
        return None;
    }
    if old == 0 || old == new {
        return Some(Vec::new());
    }
    let mut path = Vec::new();
    // Descend to the subtree that ends where the old tree ended. If it begins at 0 it is the old tree
    // itself, whose root the verifier has.
    let mut around = Subtree::whole(new)?;
    while around.end != old {
        let (left, right) = around.halves()?;
        let (inside, sibling) = if old <= left.end { (left, right) } else { (right, left) };
        path.push(sibling);
        around = inside;
    }
    if around.start != 0 {
        path.push(around);
    }
    path.reverse();
    Some(path)
}

/// The complete subtrees of a tree, largest first; none for the empty tree.
#[must_use]
pub fn frontier_nodes(size: u64) -> Vec<Node> {
    Subtree::whole(size).into_iter().flat_map(Subtree::nodes).collect()
}

/// Every node that the inclusion proof of leaf `index` in a tree of `size` needs; `None` unless `index < size`.
#[must_use]
pub fn inclusion_nodes(index: u64, size: u64) -> Option<Vec<Node>> {
    inclusion_path(index, size).map(flatten)
}

/// Every node that the consistency proof from `old` to `new` leaves needs; `None` unless `old <= new`.
#[must_use]
pub fn consistency_nodes(old: u64, new: u64) -> Option<Vec<Node>> {
    consistency_path(old, new).map(flatten)
}

fn flatten(path: Vec<Subtree>) -> Vec<Node> {
    path.into_iter().flat_map(Subtree::nodes).collect()
}
