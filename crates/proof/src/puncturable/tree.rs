//! The tree: places in it, nodes, and the step from a node to its children.

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::{Zeroize, Zeroizing, optimization_barrier};

use super::KEY_BYTES;

/// Levels between the root and the leaves.
pub(super) const DEPTH: u8 = 32;
/// With the side and a parent's key it fills 49 bytes: one block of SHA-256.
const DOMAIN: &[u8; DOMAIN_BYTES] = b"bailiwick/ggm/v1";
const DOMAIN_BYTES: usize = 16;

/// What a node holds; wiped when it goes.
pub(super) type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// Which of two children.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left = 0,
    Right = 1,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// To which side the way to a subject turns below a node at this depth, which is below [`DEPTH`].
pub(super) fn side(subject: u32, depth: u8) -> Side {
    if subject.rotate_left(u32::from(depth)) >> 31 == 0 { Side::Left } else { Side::Right }
}

/// The key of a child.
pub(super) fn child(parent: &Secret, side: Side) -> Secret {
    let mut block = [0; DOMAIN_BYTES + 1 + KEY_BYTES];
    block[..DOMAIN_BYTES].copy_from_slice(DOMAIN);
    block[DOMAIN_BYTES] = side as u8;
    block[DOMAIN_BYTES + 1..].copy_from_slice(parent.as_slice());
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    key.copy_from_slice(digest(&SHA256, &block).as_ref());
    // A word at a time, where `Zeroizing` takes a byte: that is as dear as the hash.
    block.fill(0);
    optimization_barrier(&block);
    key
}

/// A complete subtree, named by its depth and the lowest subject in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subtree {
    first: u32,
    depth: u8,
}

impl Subtree {
    pub(super) const ROOT: Self = Self { first: 0, depth: 0 };

    /// `None` when there is no such subtree: it is too deep, or begins at a subject at which none of this depth does.
    pub(super) fn new(depth: u8, first: u32) -> Option<Self> {
        let place = Self { first, depth };
        (depth <= DEPTH && u64::from(first).is_multiple_of(place.size())).then_some(place)
    }

    pub(super) const fn first(self) -> u32 {
        self.first
    }

    pub(super) const fn depth(self) -> u8 {
        self.depth
    }

    /// Leaves below it.
    pub(super) const fn size(self) -> u64 {
        1 << DEPTH.saturating_sub(self.depth)
    }

    /// The lowest subject behind it; 2^32 when it is the last.
    pub(super) fn end(self) -> u64 {
        u64::from(self.first) + self.size()
    }

    pub(super) fn contains(self, subject: u32) -> bool {
        self.first <= subject && u64::from(subject) < self.end()
    }

    /// Whether the two are the children of one node, this one the left.
    pub(super) fn is_left_of_sibling(self, next: Self) -> bool {
        self.depth == next.depth
            && self.end() == u64::from(next.first)
            && u64::from(self.first).is_multiple_of(2 * self.size())
    }

    /// A child's place. There is none below a leaf.
    fn child(self, side: Side) -> Self {
        let depth = self.depth + 1;
        let first = match side {
            Side::Left => self.first,
            Side::Right => self.first | 1 << u32::from(DEPTH.saturating_sub(depth)),
        };
        Self { first, depth }
    }
}

/// A node that is left. No `Clone`, no `Debug`: there is one of each, and nobody prints it.
pub(super) struct Node {
    pub(super) place: Subtree,
    pub(super) key: Secret,
}

impl Node {
    /// The siblings of all nodes on the way from here to a leaf below, sorted: no more than [`DEPTH`], none for the leaf itself.
    pub(super) fn co_path(&self, leaf: u32) -> Zeroizing<Vec<Self>> {
        // With room for all of them from the start, so that none is left behind by a `Vec` that grows.
        let mut co_path = Zeroizing::new(Vec::with_capacity(usize::from(DEPTH)));
        let mut right = Zeroizing::new(Vec::with_capacity(usize::from(DEPTH)));
        let (mut place, mut key) = (self.place, self.key.clone());
        while place.depth < DEPTH {
            let towards = side(leaf, place.depth);
            let away = towards.other();
            let sibling = Self { place: place.child(away), key: child(&key, away) };
            match away {
                Side::Left => co_path.push(sibling),
                Side::Right => right.push(sibling),
            }
            (place, key) = (place.child(towards), child(&key, towards));
        }
        // Those at the left move towards the leaf with each level, and those at the right come back to it.
        co_path.extend(right.drain(..).rev());
        co_path
    }
}

impl Zeroize for Node {
    fn zeroize(&mut self) {
        self.key.zeroize();
    }
}

/// The way down to a leaf, kept for the next one.
#[derive(Default)]
pub(super) struct Way {
    below: Option<Subtree>,
    leaf: u32,
    /// From the node down to the leaf.
    keys: Vec<Secret>,
}

impl Way {
    /// The key of a leaf below this node. What the way there shares with the last one is not hashed again.
    pub(super) fn key(&mut self, node: &Node, leaf: u32) -> Option<Secret> {
        let top = usize::from(node.place.depth);
        let is_below_same = self.below.replace(node.place) == Some(node.place);
        let shared = usize::try_from((self.leaf ^ leaf).leading_zeros()).unwrap_or_default() + 1;
        self.leaf = leaf;
        self.keys.truncate(if is_below_same { shared.saturating_sub(top) } else { 0 });
        if self.keys.is_empty() {
            self.keys.push(node.key.clone());
        }
        for depth in (node.place.depth..DEPTH).skip(self.keys.len() - 1) {
            let next = child(self.keys.last()?, side(leaf, depth));
            self.keys.push(next);
        }
        self.keys.last().cloned()
    }
}
