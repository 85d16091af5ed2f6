//! What a step writes, held against the signed root before: from the right edge of the tree down to the entries.
//!
//! The root that was signed vouches for the partial tiles at the right edge, each tile's hashes for the full tiles below them, and the
//! lowest for the entries. So nothing that was altered here gets out, though one tile at a time is in memory, and besides them the hashes
//! of one level: 32 bytes for 256 entries.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bailiwick_proof::checkpoint::Checkpoint;
use bailiwick_proof::merkle::{self, Hash, leaf_hash};
use bailiwick_proof::tile::{self, HEIGHT, Kind, Tile, WIDTH};

use super::fault::{Code, Fault};

/// Levels of tiles that a tree of this size has.
fn levels(size: u64) -> u8 {
    (0..8).take_while(|level| nodes_at(*level, size) > 0).count().try_into().unwrap_or(u8::MAX)
}

/// Complete nodes that tiles of a level hold.
fn nodes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(HEIGHT) * u32::from(level)).unwrap_or(0)
}

/// The partial tiles at the right edge of a tree, one for each level that has one.
pub(super) fn edges(size: u64) -> Vec<Tile> {
    let edge = |level: u8| {
        let there = nodes_at(level, size);
        Tile { kind: Kind::Hashes(level), index: there / WIDTH, width: there % WIDTH }
    };
    (0..levels(size)).map(edge).filter(|tile| tile.width > 0).collect()
}

/// The right edge of a tree, once it comes to the root that was signed.
pub(super) struct Edge {
    hashes: BTreeMap<u8, Vec<Hash>>,
    from: u64,
    size: u64,
}

/// The hashes of one level, from this one on.
#[derive(Default)]
pub(super) struct Level {
    start: u64,
    hashes: Vec<Hash>,
}

impl Edge {
    /// Holds the partial tiles of the right edge against the checkpoint; a step goes from `from` to its size.
    pub(super) fn verified(
        tiles: impl IntoIterator<Item = (Tile, Vec<Hash>)>,
        checkpoint: &Checkpoint,
        from: u64,
    ) -> Result<Self, Fault> {
        let mut hashes = BTreeMap::new();
        for (tile, some) in tiles {
            if let Kind::Hashes(level) = tile.kind {
                hashes.insert(level, some);
            }
        }
        let edge = Self { hashes, from, size: checkpoint.size };
        let root = merkle::root_from(checkpoint.size, |node| Ok::<_, Infallible>(edge.node(node)));
        match root {
            Ok(root) if root == checkpoint.root => Ok(edge),
            _ => Err(Fault::of(Code::LogDamaged)),
        }
    }

    /// A node that the root is made of; nonsense when the tile is cut, which makes another root.
    fn node(&self, node: merkle::Node) -> Hash {
        let run = tile::run_of(node);
        let first = usize::try_from(run.start % WIDTH).unwrap_or(usize::MAX);
        let count = usize::try_from(run.len).unwrap_or(usize::MAX);
        let hashes = self.hashes.get(&run.tile_level).and_then(|hashes| hashes.get(first..)?.get(..count));
        hashes.and_then(tile::node_from_run).unwrap_or_else(merkle::empty_root)
    }

    /// The levels, the highest first.
    pub(super) fn levels(&self) -> impl Iterator<Item = u8> + use<> {
        (0..levels(self.size)).rev()
    }

    /// The full tiles of a level that have become complete.
    pub(super) fn completed(&self, level: u8) -> impl Iterator<Item = Tile> + use<> {
        let (from, size) = (nodes_at(level + 1, self.from), nodes_at(level + 1, self.size));
        (from..size).map(move |index| Tile { kind: Kind::Hashes(level), index, width: WIDTH })
    }

    /// The partial tile of a level, with its hashes.
    pub(super) fn partial(&self, level: u8) -> Option<(Tile, &[Hash])> {
        let hashes = self.hashes.get(&level)?;
        let width = u64::try_from(hashes.len()).ok()?;
        Some((Tile { kind: Kind::Hashes(level), index: nodes_at(level, self.size) / WIDTH, width }, hashes))
    }

    /// Where the hashes of a level begin that this step knows.
    pub(super) fn level(&self, level: u8) -> Level {
        Level { start: nodes_at(level + 1, self.from) * WIDTH, hashes: Vec::new() }
    }
}

impl Level {
    /// Goes on with these.
    pub(super) fn extend(&mut self, hashes: &[Hash]) {
        self.hashes.extend_from_slice(hashes);
    }

    /// Whether a full tile of the level below is the one that this level has at its place.
    pub(super) fn holds(&self, tile: Tile, hashes: &[Hash]) -> Result<(), Fault> {
        let place = tile.index.checked_sub(self.start).and_then(|place| usize::try_from(place).ok());
        let known = place.and_then(|place| self.hashes.get(place));
        match known {
            Some(known) if *known == merkle::root(hashes) => Ok(()),
            _ => Err(Fault::at(Code::LogDamaged, tile.to_string())),
        }
    }
}

/// The hashes of a tile's bytes; `None` when they are cut.
pub(super) fn hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let chunks = bytes.chunks_exact(32);
    if !chunks.remainder().is_empty() {
        return None;
    }
    chunks.map(|hash| Hash::try_from(hash).ok()).collect()
}

/// Whether these are the entries of these leaves.
pub(super) fn entries_hold(tile: Tile, bundle: &[u8], leaves: &[Hash]) -> Result<(), Fault> {
    let entries = tile::unbundle(bundle).unwrap_or_default();
    if entries.len() == leaves.len() && entries.iter().zip(leaves).all(|(entry, leaf)| leaf_hash(entry) == *leaf) {
        return Ok(());
    }
    Err(Fault::at(Code::LogDamaged, tile.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bailiwick_proof::merkle::{Frontier, Node};

    use super::*;

    /// A tree, and every node of it that a tile holds.
    struct Tree {
        nodes: HashMap<(u8, u64), Hash>,
        checkpoint: Checkpoint,
    }

    impl Tree {
        fn of(size: u64) -> Self {
            let (mut nodes, mut frontier) = (HashMap::new(), Frontier::new());
            for seq in 0..size {
                let leaf = leaf_hash(&seq.to_be_bytes());
                nodes.insert((0, seq), leaf);
                frontier.push(leaf, |Node { level, index }, hash| {
                    if level % HEIGHT == 0 {
                        nodes.insert((level / HEIGHT, index), hash);
                    }
                });
            }
            let checkpoint = Checkpoint { origin: "o".to_owned(), size, root: frontier.root(), extensions: Vec::new() };
            Self { nodes, checkpoint }
        }

        fn tile(&self, tile: Tile) -> Vec<Hash> {
            let Kind::Hashes(level) = tile.kind else { panic!("{tile}") };
            (tile.first()..tile.first() + tile.width).map(|index| self.nodes[&(level, index)]).collect()
        }

        /// Goes on from a size as a step does, and answers the tiles that it writes.
        fn step(&self, from: u64, altered: Option<&str>) -> Result<Vec<String>, Fault> {
            let read = |tile: Tile| {
                let mut hashes = self.tile(tile);
                if altered == Some(tile.to_string().as_str()) {
                    hashes[0] = leaf_hash(b"another");
                }
                hashes
            };
            let tiles: Vec<_> = edges(self.checkpoint.size).into_iter().map(|tile| (tile, read(tile))).collect();
            let edge = Edge::verified(tiles, &self.checkpoint, from)?;
            let (mut above, mut written) = (Level::default(), Vec::new());
            for level in edge.levels() {
                let mut own = edge.level(level);
                for tile in edge.completed(level) {
                    let hashes = read(tile);
                    above.holds(tile, &hashes)?;
                    own.extend(&hashes);
                    written.push(tile.to_string());
                }
                if let Some((tile, hashes)) = edge.partial(level) {
                    own.extend(hashes);
                    written.push(tile.to_string());
                }
                above = own;
            }
            Ok(written)
        }
    }

    #[test]
    fn every_step_writes_what_is_new_and_nothing_that_was_altered() {
        assert_eq!(Tree::of(1).step(0, None).unwrap(), ["tile/0/000.p/1"]);
        assert_eq!(Tree::of(256).step(1, None).unwrap(), ["tile/1/000.p/1", "tile/0/000"]);
        let some = Tree::of(600).step(100, None).unwrap();
        assert_eq!(some, ["tile/1/000.p/2", "tile/0/000", "tile/0/001", "tile/0/002.p/88"]);
        let tree = Tree::of(66_000);
        let far = tree.step(65_000, None).unwrap();
        let full = ["tile/1/000", "tile/1/001.p/1", "tile/0/253", "tile/0/254", "tile/0/255", "tile/0/256"];
        assert_eq!(far, [&["tile/2/000.p/1"], &full[..], &["tile/0/257.p/208"]].concat());
        for altered in &far {
            assert_eq!(tree.step(65_000, Some(altered)).unwrap_err().code, Code::LogDamaged, "{altered}");
        }
    }

    #[test]
    fn entries_are_those_of_the_leaves() {
        let entries: [&[u8]; 2] = [b"a", b"b"];
        let (bundle, leaves) = (tile::bundle(entries).unwrap(), entries.map(leaf_hash));
        let tile = Tile { kind: Kind::Entries, index: 0, width: 2 };
        assert_eq!(entries_hold(tile, &bundle, &leaves), Ok(()));
        assert!(entries_hold(tile, &bundle[..3], &leaves).is_err());
        assert!(entries_hold(tile, &bundle, &[leaves[1], leaves[0]]).is_err());
    }
}
