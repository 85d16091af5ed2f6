//! A state as bytes, in the one spelling that the module above gives.

use zeroize::Zeroizing;

use super::tree::{Node, Subtree};
use super::{KEY_BYTES, PuncturableKey};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = size_of::<u8>() + size_of::<u32>();
const NODE_BYTES: usize = size_of::<u8>() + size_of::<u32>() + KEY_BYTES;

/// Why bytes are not a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedState {
    /// Another version than this one, or nothing at all.
    #[error("not a state of version {VERSION}")]
    Version,
    /// The bytes are more or fewer than those of as many nodes as the header says.
    #[error("the length is not that of the number of nodes")]
    Length,
    /// A node is deeper than the leaves, or begins where no node of its depth does.
    #[error("node {0} has no place in the tree")]
    Place(usize),
    /// A node begins before the one before it ends.
    #[error("node {0} is out of order, or overlaps the one before it")]
    Order(usize),
    /// A node and the one before it would be one, if neither were punctured.
    #[error("node {0} is the sibling of the one before it")]
    Siblings(usize),
}

impl MalformedState {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Version => "state_version",
            Self::Length => "state_length",
            Self::Place(_) => "state_place",
            Self::Order(_) => "state_order",
            Self::Siblings(_) => "state_siblings",
        }
    }
}

impl PuncturableKey {
    /// The state: what is to be stored, sealed. As secret as the keys of all subjects that are left.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // All room at once: bytes that grow would leave keys behind where they were.
        let mut state = Zeroizing::new(Vec::with_capacity(HEADER_BYTES + NODE_BYTES * self.nodes.len()));
        state.push(VERSION);
        // No state has 2^32 nodes: at most every second leaf is one.
        state.extend_from_slice(&u32::try_from(self.nodes.len()).unwrap_or(u32::MAX).to_be_bytes());
        for node in self.nodes.iter() {
            state.push(node.place.depth());
            state.extend_from_slice(&node.place.first().to_be_bytes());
            state.extend_from_slice(&*node.key);
        }
        state
    }

    /// The state that these bytes are. Allocates no more than in proportion to them.
    ///
    /// # Errors
    /// [`MalformedState`] for anything that [`Self::encode`] does not write; the first reason that holds, in the order of its variants for each node.
    pub fn decode(state: &[u8]) -> Result<Self, MalformedState> {
        let [VERSION, rest @ ..] = state else { return Err(MalformedState::Version) };
        let (count, rest) = rest.split_first_chunk().ok_or(MalformedState::Length)?;
        let (encoded, trailing) = rest.as_chunks::<NODE_BYTES>();
        if !trailing.is_empty() || u32::try_from(encoded.len()) != Ok(u32::from_be_bytes(*count)) {
            return Err(MalformedState::Length);
        }
        let mut nodes: Zeroizing<Vec<Node>> = Zeroizing::new(Vec::with_capacity(encoded.len()));
        for (number, [depth, a, b, c, d, key @ ..]) in encoded.iter().enumerate() {
            let first = u32::from_be_bytes([*a, *b, *c, *d]);
            let place = Subtree::new(*depth, first).ok_or(MalformedState::Place(number))?;
            if let Some(before) = nodes.last().map(|node| node.place) {
                if u64::from(first) < before.end() {
                    return Err(MalformedState::Order(number));
                }
                if before.is_left_of_sibling(place) {
                    return Err(MalformedState::Siblings(number));
                }
            }
            nodes.push(Node { place, key: Zeroizing::new(*key) });
        }
        Ok(Self { nodes })
    }
}
