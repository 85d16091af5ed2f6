//! Tiles: which stored hashes a subtree's hash is computed from (C2SP tlog-tiles).
//!
//! Of all complete subtrees a log stores those whose level is a multiple of [`HEIGHT`]: the leaves, the
//! roots of 256 leaves, of 65,536, and so on. A *tile* is [`WIDTH`] neighbours of one such level, or fewer
//! at the right edge of the tree. Every other node is computed from a run of at most 128 hashes within one
//! tile.
//!
//! ```text
//! tile/<tile level>/<index>[.p/<width>]
//! index: groups of three digits, all but the last with an "x" before it: 1234067 is x001/x234/067
//! ```

use crate::merkle::{Hash, Node, node_hash};

/// Levels of the tree that one tile spans.
pub const HEIGHT: u8 = 8;
/// Hashes of a full tile.
pub const WIDTH: u64 = 256;

/// Neighbouring stored hashes: those of the nodes at level `HEIGHT * tile_level` with the indices
/// `[start, start + len)`. They lie in one tile, since `len` is a power of two below [`WIDTH`] and divides
/// `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// Level of the tile: 0 holds leaves.
    pub tile_level: u8,
    /// Index of the first stored hash among those of its level.
    pub start: u64,
    /// How many.
    pub len: u64,
}

impl Run {
    /// The index of the tile that holds the run.
    #[must_use]
    pub const fn tile_index(self) -> u64 {
        self.start / WIDTH
    }
}

/// The stored hashes from which [`node_from_run`] computes this node: one, when the node itself is stored.
#[must_use]
pub const fn run_of(node: Node) -> Run {
    let above = node.level % HEIGHT;
    Run { tile_level: node.level / HEIGHT, start: node.index << above, len: 1 << above }
}

/// The node above the hashes of its run; `None` unless there is a power of two of them.
#[must_use]
pub fn node_from_run(hashes: &[Hash]) -> Option<Hash> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(node_hash(left, right)),
                _ => None,
            })
            .collect();
    }
    level.first().copied()
}

/// Where a tile is served below the log's own path; `width` is that of a partial tile, 1 to 255.
#[must_use]
pub fn path(tile_level: u8, index: u64, width: Option<u16>) -> String {
    let mut groups = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        groups = format!("x{:03}/{groups}", rest % 1000);
        rest /= 1000;
    }
    match width {
        Some(width) => format!("tile/{tile_level}/{groups}.p/{width}"),
        None => format!("tile/{tile_level}/{groups}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::merkle::{frontier_nodes, leaf_hash, root};

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(path(0, 0, None), "tile/0/000");
        assert_eq!(path(0, 1_234_067, None), "tile/0/x001/x234/067");
        assert_eq!(path(1, 1067, Some(112)), "tile/1/x001/067.p/112");
        assert_eq!(path(0, u64::MAX / WIDTH, Some(1)), "tile/0/x072/x057/x594/x037/x927/935.p/1");
    }

    #[test]
    fn a_stored_node_is_its_own_run() {
        let leaf = leaf_hash(b"x");
        assert_eq!(run_of(Node { level: 0, index: 7 }), Run { tile_level: 0, start: 7, len: 1 });
        assert_eq!(run_of(Node { level: 8, index: 7 }), Run { tile_level: 1, start: 7, len: 1 });
        assert_eq!(run_of(Node { level: 15, index: 3 }), Run { tile_level: 1, start: 384, len: 128 });
        assert_eq!(node_from_run(&[leaf]), Some(leaf));
        for count in [0, 3, 6] {
            assert_eq!(node_from_run(&vec![leaf; count]), None, "{count}");
        }
    }

    proptest! {
        #[test]
        fn runs_cover_the_leaves_of_their_node(level in 0u8..8, index in 0u64..40) {
            let leaves: Vec<_> = (0u64..1 << (level + 1)).map(|i| leaf_hash(&(index + i).to_be_bytes())).collect();
            let run = run_of(Node { level, index });
            prop_assert_eq!(run, Run { tile_level: 0, start: index << level, len: 1 << level });
            let len = usize::try_from(run.len).unwrap();
            prop_assert_eq!(node_from_run(&leaves[..len]), Some(root(&leaves[..len])));
        }

        #[test]
        fn a_run_stays_in_one_tile_and_no_size_panics(size: u64) {
            for node in frontier_nodes(size) {
                let run = run_of(node);
                prop_assert!(run.len < WIDTH && run.start.is_multiple_of(run.len));
                prop_assert_eq!(run.tile_index(), (run.start + run.len - 1) / WIDTH);
            }
        }
    }
}
