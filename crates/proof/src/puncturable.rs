//! Puncturable keys: from one seed a key for each subject, any of which can be made underivable for ever.
//!
//! A tree as Goldreich, Goldwasser and Micali built it (*How to construct random functions*, 1986), over SHA-256 and 32 levels.
//! Each node holds 32 bytes; the path to a leaf is the subject's number, its most significant bit first:
//!
//! ```text
//! root        = the seed, 32 random bytes
//! left child  = SHA-256("bailiwick/ggm/v1" 0x00 parent)      a 0 bit
//! right child = SHA-256("bailiwick/ggm/v1" 0x01 parent)      a 1 bit
//! subject key = the leaf, at depth 32
//! ```
//!
//! To puncture is to replace the node above a leaf by that leaf's *co-path*: the siblings of all nodes on the way down. What is left
//! derives every other leaf and, SHA-256 being one-way, nothing on that way. The state is all nodes that are left, encoded as
//!
//! ```text
//! state = version u8 = 1 | count u32 | count × node              big endian
//! node  = depth u8 | first u32 | key 32                          first: the lowest subject below the node
//! ```
//!
//! sorted by `first`. It is a function of the seed and the set of punctured subjects, whatever their order.
//!
//! # Invariants
//! Nodes of a state do not overlap, are sorted, and are as high as they can be: two siblings never stand side by side, for their parent would
//! stand there. [`PuncturableKey::decode`] accepts exactly what [`PuncturableKey::encode`] writes. No node above a punctured
//! leaf stays in memory that this owns; what is moved or freed is wiped first. What SHA-256 leaves on the stack is not.
//!
//! Puncturing takes a key away from those only who have no older state. Who stores it must see to it that no older one stays
//! anywhere, and that the newer one is stored before anybody is told.

mod encoding;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;
use std::fmt;

use zeroize::{Zeroize as _, Zeroizing};

pub use encoding::MalformedState;
use tree::{DEPTH, Node, Secret, Subtree, Way};

/// Bytes of a seed, and of a subject's key.
pub const KEY_BYTES: usize = 32;

/// The key of one subject. Neither `Display` nor `Serialize`: it leaves by [`Self::reveal`] alone, and its memory is wiped.
pub struct SubjectKey(Secret);

impl SubjectKey {
    /// The key itself, to derive from or to seal with.
    #[must_use]
    pub fn reveal(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey([redacted])")
    }
}

/// The keys of all subjects but the punctured ones. Its memory is wiped when it goes.
pub struct PuncturableKey {
    /// As the module says of a state's nodes. Only [`Self::put_in_place_of`] may let it grow, because a `Vec` that grows by itself frees
    /// what it leaves without wiping it.
    nodes: Zeroizing<Vec<Node>>,
}

impl PuncturableKey {
    /// A state in which nobody is punctured.
    #[must_use]
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Self {
        Self { nodes: Zeroizing::new(vec![Node { place: Subtree::ROOT, key: Zeroizing::new(*seed) }]) }
    }

    /// The key of a subject; `None` when it was punctured. At most 32 hashes.
    #[must_use]
    pub fn derive(&self, subject: u32) -> Option<SubjectKey> {
        let node = self.nodes.get(self.position(subject)?)?;
        let mut key = node.key.clone();
        for depth in node.place.depth()..DEPTH {
            key = tree::child(&key, tree::side(subject, depth));
        }
        Some(SubjectKey(key))
    }

    /// The keys of these subjects, in their order, without those that were punctured. Neighbours share most of their way, which is gone
    /// once: of many in a row each costs a hash or two.
    #[must_use]
    pub fn derive_all(&self, subjects: &BTreeSet<u32>) -> Vec<(u32, SubjectKey)> {
        let mut way = Way::default();
        let one = |subject: &u32| {
            let node = self.nodes.get(self.position(*subject)?)?;
            way.key(node, *subject).map(|key| (*subject, SubjectKey(key)))
        };
        subjects.iter().filter_map(one).collect()
    }

    /// Takes a subject's key away, and says whether it was there. The time is that of moving the state in memory once.
    pub fn puncture(&mut self, subject: u32) -> bool {
        let Some(at) = self.position(subject) else { return false };
        let Some(node) = self.nodes.get_mut(at) else { return false };
        let co_path = node.co_path(subject);
        node.key.zeroize();
        self.put_in_place_of(at, co_path);
        true
    }

    /// Whether a subject's key was taken away. Nothing is derived for it.
    #[must_use]
    pub fn is_punctured(&self, subject: u32) -> bool {
        self.position(subject).is_none()
    }

    /// How many subjects are punctured, at most 2^32.
    #[must_use]
    pub fn punctured(&self) -> u64 {
        let left: u64 = self.nodes.iter().map(|node| node.place.size()).sum();
        Subtree::ROOT.size() - left
    }

    /// Where the node above a subject's leaf stands.
    fn position(&self, subject: u32) -> Option<usize> {
        let at = self.nodes.partition_point(|node| node.place.first() <= subject).checked_sub(1)?;
        self.nodes.get(at)?.place.contains(subject).then_some(at)
    }

    fn put_in_place_of(&mut self, at: usize, mut co_path: Zeroizing<Vec<Node>>) {
        if self.nodes.capacity() < self.nodes.len() + co_path.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * (self.nodes.len() + co_path.len())));
            larger.append(&mut *self.nodes);
            // The smaller one goes here, and is wiped with all that it could hold.
            self.nodes = larger;
        }
        drop(self.nodes.splice(at..=at, co_path.drain(..)));
    }
}

impl fmt::Debug for PuncturableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PuncturableKey([redacted])")
    }
}
