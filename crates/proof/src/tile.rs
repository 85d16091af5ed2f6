//! Tiles: which stored hashes a subtree's hash is computed from (C2SP tlog-tiles).
//!
//! Of all complete subtrees a log stores those whose level is a multiple of [`HEIGHT`]: the leaves, the
//! roots of 256 leaves, of 65,536, and so on. A *tile* is [`WIDTH`] neighbours of one such level, or fewer
//! at the right edge of the tree. Every other node is computed from a run of at most 128 hashes within one
//! tile.
//!
//! ```text
//! checkpoint
//! tile/<tile level>/<index>[.p/<width>]         hashes, 32 bytes each
//! tile/entries/<index>[.p/<width>]              entries, each behind its length (two bytes, big endian)
//! index: groups of three digits, all but the last with an "x" before it: 1234067 is x001/x234/067
//! ```

use std::fmt;
use std::str::FromStr;

use crate::decimal;
use crate::merkle::{Hash, Node, node_hash};

/// Levels of the tree that one tile spans.
pub const HEIGHT: u8 = 8;
/// Hashes of a full tile.
pub const WIDTH: u64 = 256;
/// More tile levels than any log below 2^53 entries has.
const LEVELS: u8 = 8;

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
    let groups = groups(index);
    match width {
        Some(width) => format!("tile/{tile_level}/{groups}.p/{width}"),
        None => format!("tile/{tile_level}/{groups}"),
    }
}

/// What a path below a log's own names (C2SP tlog-tiles): its checkpoint, or a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `checkpoint`
    Checkpoint,
    /// `tile/…`
    Tile(Tile),
}

/// A tile, full or partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// What it holds.
    pub kind: Kind,
    /// Its place among those of its kind.
    pub index: u64,
    /// How many hashes or entries: [`WIDTH`] when it is full, and at least 1.
    pub width: u64,
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Hashes of this tile level: 0 holds leaves.
    Hashes(u8),
    /// Entries, each with its length before it as two bytes, big endian.
    Entries,
}

/// The text is the path of neither a checkpoint nor a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected checkpoint, tile/<level>/<index>[.p/<width>] or tile/entries/<index>[.p/<width>]")]
pub struct NoResource;

impl Tile {
    /// The index of the first hash or entry in it.
    #[must_use]
    pub const fn first(self) -> u64 {
        self.index.saturating_mul(WIDTH)
    }

    /// Whether the log has all of it at this size.
    #[must_use]
    pub const fn is_within(self, size: u64) -> bool {
        let there = match self.kind {
            Kind::Hashes(level) => size.checked_shr(HEIGHT as u32 * level as u32),
            Kind::Entries => Some(size),
        };
        match there {
            Some(there) => self.first().saturating_add(self.width) <= there,
            None => false,
        }
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes(level) => write!(f, "tile/{level}/{}", groups(self.index))?,
            Kind::Entries => write!(f, "tile/entries/{}", groups(self.index))?,
        }
        if self.width == WIDTH { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = NoResource;

    /// # Errors
    /// [`NoResource`] for anything that [`Self`] does not print.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, width) = match text.split_once(".p/") {
            Some((path, width)) => (path, decimal::parse(width).filter(|width| *width < WIDTH).ok_or(NoResource)?),
            None => (text, WIDTH),
        };
        let (kind, index) = path.strip_prefix("tile/").and_then(|path| path.split_once('/')).ok_or(NoResource)?;
        let kind = match kind {
            "entries" => Kind::Entries,
            level => Kind::Hashes(level.parse().ok().filter(|level| *level < LEVELS).ok_or(NoResource)?),
        };
        let mut number: u64 = 0;
        for group in index.split('/') {
            let digits: u64 = group.trim_start_matches('x').parse().map_err(|_| NoResource)?;
            number = number.checked_mul(1000).and_then(|number| number.checked_add(digits)).ok_or(NoResource)?;
        }
        let tile = Self { kind, index: number, width };
        // One spelling: whatever else the groups, signs and zeros could say is refused here.
        if width > 0 && tile.to_string() == text { Ok(tile) } else { Err(NoResource) }
    }
}

impl FromStr for Resource {
    type Err = NoResource;

    /// # Errors
    /// [`NoResource`].
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "checkpoint" { Ok(Self::Checkpoint) } else { text.parse().map(Self::Tile) }
    }
}

/// Entries as they stand in a tile of them; `None` for an entry of more than 65,535 bytes.
#[must_use]
pub fn bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Some(bytes)
}

/// The entries of a tile of them; `None` when it is cut.
#[must_use]
pub fn unbundle(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    bytes.is_empty().then_some(entries)
}

fn groups(index: u64) -> String {
    let mut groups = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        groups = format!("x{:03}/{groups}", rest % 1000);
        rest /= 1000;
    }
    groups
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
    fn each_resource_has_one_path() {
        let tile = |kind, index, width| Ok(Resource::Tile(Tile { kind, index, width }));
        assert_eq!("checkpoint".parse(), Ok(Resource::Checkpoint));
        assert_eq!("tile/0/000".parse(), tile(Kind::Hashes(0), 0, 256));
        assert_eq!("tile/1/x001/067.p/112".parse(), tile(Kind::Hashes(1), 1067, 112));
        assert_eq!("tile/entries/x001/x234/067.p/1".parse(), tile(Kind::Entries, 1_234_067, 1));
        for text in [
            "",
            "checkpoint/",
            "tile",
            "tile/0",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/x001/67",
            "tile/0/001/067",
            "tile/00/000",
            "tile/8/000",
            "tile/-1/000",
            "tile/+0/000",
            "tile/0/+01",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/1.p/1",
            "tile/0/000/",
            "tile/data/000",
            "tile/0/xx01/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
            "/tile/0/000",
            "tile/0/../000",
        ] {
            assert_eq!(text.parse::<Resource>(), Err(NoResource), "{text}");
        }
    }

    #[test]
    fn a_tile_is_there_when_all_of_it_is() {
        let is = |text: &str, size| text.parse::<Tile>().unwrap().is_within(size);
        assert!(is("tile/0/000", 256) && !is("tile/0/000", 255) && is("tile/0/000.p/255", 255));
        assert!(is("tile/entries/001.p/1", 257) && !is("tile/entries/001.p/2", 257));
        assert!(is("tile/1/000.p/2", 512) && !is("tile/1/000.p/2", 511) && !is("tile/7/000.p/1", (1 << 53) - 1));
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
        fn bundles_and_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5), cut in 1usize..9) {
            let bytes = bundle(entries.iter().map(Vec::as_slice)).unwrap();
            let found: Vec<Vec<u8>> = unbundle(&bytes).unwrap().into_iter().map(<[u8]>::to_vec).collect();
            prop_assert_eq!(&found, &entries);
            let shorter = unbundle(&bytes[..bytes.len().saturating_sub(cut)]).map(|entries| entries.len());
            prop_assert!(entries.is_empty() || shorter.is_none_or(|count| count < entries.len()));
        }

        #[test]
        fn paths_and_back(index in 0u64..1 << 60, level in 0u8..8, width in 1u64..=256, entries: bool) {
            let tile = Tile { kind: if entries { Kind::Entries } else { Kind::Hashes(level) }, index, width };
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        }

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
