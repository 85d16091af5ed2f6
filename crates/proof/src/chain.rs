//! The chain: walking a log from its first entry, with nothing but the stored bytes.
//!
//! Each entry names the leaf hash of the one before it, so a walk finds the first entry that was changed, removed, moved
//! or put in, without a checkpoint. What it cannot find is a log that was rewritten from some entry to the end, or cut:
//! for that, compare [`ChainVerifier::frontier`] with a checkpoint that somebody kept.
//!
//! # Invariants
//! A refused entry leaves the verifier as it was: everything up to there holds.

use crate::entry::{Entry, EntryError};
use crate::log::Log;
use crate::merkle::{Frontier, Hash, Node, leaf_hash};

mod segment;

pub use segment::Segment;

/// Walks one generation of one log.
#[derive(Clone, Debug)]
pub struct ChainVerifier {
    log: Log,
    generation: u32,
    /// Leaf hash of the last good entry; zeros before the first.
    last: Hash,
    frontier: Frontier,
}

/// The first entry that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {reason}")]
pub struct BadEntry {
    /// Where the fault is: the lowest place of the log that is not as it was written.
    pub seq: u64,
    /// What is wrong there.
    pub reason: BadEntryReason,
}

/// Why an entry does not fit where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEntryReason {
    /// The bytes are no entry.
    #[error(transparent)]
    NotAnEntry(#[from] EntryError),
    /// An entry of another workspace, environment or generation.
    #[error("it belongs to another log")]
    OtherLog,
    /// Another entry stands where this one belongs: it was removed, moved or doubled.
    #[error("entry {found} stands in its place")]
    OtherSeq {
        /// What the entry says of its place.
        found: u64,
    },
    /// The entry after it was linked to something else. Or `prev` of that one was changed, which the entries alone cannot tell apart;
    /// [`ChainVerifier::push_known`] can.
    #[error("it is not the entry that the next one was linked to")]
    Unlinked,
    /// Its hash is not the one that was kept of it.
    #[error("it does not have the leaf hash that was kept of it")]
    OtherLeaf,
}

impl BadEntryReason {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotAnEntry(error) => error.word(),
            Self::OtherLog => "other_log",
            Self::OtherSeq { .. } => "other_seq",
            Self::Unlinked => "unlinked",
            Self::OtherLeaf => "other_leaf",
        }
    }
}

impl ChainVerifier {
    /// Begins before the first entry of a generation.
    #[must_use]
    pub const fn new(log: Log, generation: u32) -> Self {
        Self { log, generation, last: Hash::ZERO, frontier: Frontier::new() }
    }

    /// The place of the next entry, and the number of entries that hold.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.frontier.size()
    }

    /// The tree over all entries that hold.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Checks the next entry and returns its leaf hash.
    ///
    /// # Errors
    /// [`BadEntry`]. With [`BadEntryReason::Unlinked`] its `seq` is that of the entry before the one that was pushed.
    pub fn push(&mut self, stored: &[u8]) -> Result<Hash, BadEntry> {
        let leaf = leaf_hash(stored);
        self.link(stored, leaf, |_, _| {})?;
        Ok(leaf)
    }

    fn link(&mut self, stored: &[u8], leaf: Hash, completed: impl FnMut(Node, Hash)) -> Result<Entry, BadEntry> {
        let entry = check_at(stored, self.log, self.generation, self.seq())?;
        self.follows(entry.prev)?;
        self.grow(leaf, completed);
        Ok(entry)
    }

    /// Whether the next entry is linked to the last.
    fn follows(&self, prev: Hash) -> Result<(), BadEntry> {
        if prev == self.last {
            return Ok(());
        }
        Err(BadEntry { seq: self.seq().saturating_sub(1), reason: BadEntryReason::Unlinked })
    }

    fn grow(&mut self, leaf: Hash, completed: impl FnMut(Node, Hash)) {
        self.frontier.push(leaf, completed);
        self.last = leaf;
    }

    /// Passes over an entry of which nothing is left but its leaf hash. The root says whether it was the right one.
    pub fn skip(&mut self, leaf: Hash) {
        self.grow(leaf, |_, _| {});
    }

    /// As [`Self::push`], for an entry of which the leaf hash was kept elsewhere: compared first, this tells an entry that was changed
    /// from one whose successor was. Tells `completed` as [`Frontier::push`] does.
    ///
    /// # Errors
    /// [`BadEntry`], with [`BadEntryReason::OtherLeaf`] for other bytes than those that were hashed.
    pub fn push_known(
        &mut self,
        stored: &[u8],
        leaf: Hash,
        completed: impl FnMut(Node, Hash),
    ) -> Result<Entry, BadEntry> {
        let hashed = leaf_hash(stored);
        if hashed != leaf {
            return Err(BadEntry { seq: self.seq(), reason: BadEntryReason::OtherLeaf });
        }
        self.link(stored, leaf, completed)
    }

    /// Goes on with the entries of a segment, which were checked elsewhere, such as in another thread. Tells `completed` as
    /// [`Frontier::push`] does.
    ///
    /// # Errors
    /// As [`Self::push_known`], for the first entry that does not fit. Those before it were taken.
    pub fn append(&mut self, segment: &Segment, mut completed: impl FnMut(Node, Hash)) -> Result<(), BadEntry> {
        let seq = self.seq();
        if (segment.log, segment.generation) != (self.log, self.generation) {
            return Err(BadEntry { seq, reason: BadEntryReason::OtherLog });
        }
        if segment.first != seq {
            return Err(BadEntry { seq, reason: BadEntryReason::OtherSeq { found: segment.first } });
        }
        if !segment.leaves.is_empty() {
            self.follows(segment.prev)?;
        }
        segment.leaves.iter().for_each(|leaf| self.grow(*leaf, &mut completed));
        segment.fault.clone().map_or(Ok(()), Err)
    }
}

/// What stands at this place of a log, if it belongs there. To what it is linked is left to the caller.
fn check_at(stored: &[u8], log: Log, generation: u32, seq: u64) -> Result<Entry, BadEntry> {
    let bad = |reason| BadEntry { seq, reason };
    let entry = Entry::parse(stored).map_err(|error| bad(error.into()))?;
    if entry.log != log || entry.generation != generation {
        return Err(bad(BadEntryReason::OtherLog));
    }
    if entry.seq != seq {
        return Err(bad(BadEntryReason::OtherSeq { found: entry.seq }));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::commitment::Commitments;
    use crate::entry::TraceId;

    fn chain(log: Log, generation: u32, length: u64, salt: u8) -> Vec<Vec<u8>> {
        let hash = Hash::new([salt; 32]);
        let mut prev = Hash::ZERO;
        (0..length)
            .map(|seq| {
                let entry = Entry {
                    log,
                    generation,
                    seq,
                    prev,
                    recorded_at_ms: 1_763_782_979_123 - seq,
                    action: "project.created".parse().unwrap(),
                    trace: TraceId::new([salt; 16]),
                    commitments: Commitments { actor: hash, ip: hash, meta: hash, target: hash },
                };
                let bytes = entry.to_bytes();
                prev = leaf_hash(&bytes);
                bytes
            })
            .collect()
    }

    /// How many hold, and the first that does not.
    fn walk(entries: &[Vec<u8>]) -> (u64, Option<(u64, &'static str)>) {
        let mut verifier = ChainVerifier::new(Log::Cell, 1);
        for entry in entries {
            if let Err(bad) = verifier.push(entry) {
                return (verifier.seq(), Some((bad.seq, bad.reason.word())));
            }
        }
        (verifier.seq(), None)
    }

    #[test]
    fn an_honest_chain_holds_and_has_its_root() {
        let entries = chain(Log::Cell, 1, 20, 1);
        let mut verifier = ChainVerifier::new(Log::Cell, 1);
        let leaves: Vec<Hash> = entries.iter().map(|entry| verifier.push(entry).unwrap()).collect();
        assert_eq!(verifier.seq(), 20);
        assert_eq!(verifier.frontier().root(), crate::merkle::root(&leaves));
    }

    #[test]
    fn removed_moved_doubled_and_foreign_entries() {
        let entries = chain(Log::Cell, 1, 6, 1);
        let changed = |change: fn(&mut Vec<Vec<u8>>)| {
            let mut entries = entries.clone();
            change(&mut entries);
            walk(&entries)
        };
        assert_eq!(changed(|all| drop(all.remove(2))), (2, Some((2, "other_seq"))));
        assert_eq!(changed(|all| drop(all.remove(0))), (0, Some((0, "other_seq"))));
        assert_eq!(changed(|all| all.swap(2, 4)), (2, Some((2, "other_seq"))));
        assert_eq!(changed(|all| all.insert(3, all[2].clone())), (3, Some((3, "other_seq"))));
        assert_eq!(changed(|all| all[3] = chain(Log::Cell, 2, 4, 1).remove(3)), (3, Some((3, "other_log"))));
        assert_eq!(changed(|all| all[3] = chain(Log::Cell, 1, 4, 2).remove(3)), (3, Some((2, "unlinked"))));
        assert_eq!(changed(|all| all[3].truncate(40)), (3, Some((3, "entry_shape"))));
        assert_eq!(changed(|all| all.truncate(4)), (4, None), "only a checkpoint tells");
    }

    #[test]
    fn entries_that_are_gone_are_passed_over_by_their_hashes() {
        let entries = chain(Log::Cell, 1, 6, 1);
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let mut verifier = ChainVerifier::new(Log::Cell, 1);
        leaves.iter().take(3).for_each(|leaf| verifier.skip(*leaf));
        assert!(entries.iter().skip(3).all(|entry| verifier.push(entry).is_ok()));
        assert_eq!(verifier.frontier().root(), crate::merkle::root(&leaves));
        let mut other = ChainVerifier::new(Log::Cell, 1);
        [leaves[0], leaves[2], leaves[1]].into_iter().for_each(|leaf| other.skip(leaf));
        assert!(other.push(&entries[3]).is_err(), "linked to another");
    }

    #[test]
    fn segments_go_on_where_they_stand_and_nowhere_else() {
        let entries = chain(Log::Cell, 1, 9, 1);
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let of = |generation, range: std::ops::Range<usize>| {
            let kept = entries[range.clone()].iter().map(Vec::as_slice).zip(leaves[range.clone()].iter().copied());
            Segment::check(Log::Cell, generation, range.start as u64, kept)
        };
        let mut verifier = ChainVerifier::new(Log::Cell, 1);
        verifier.append(&of(1, 0..4), |_, _| {}).unwrap();
        let reason = |segment: &Segment| verifier.clone().append(segment, |_, _| {}).unwrap_err();
        assert_eq!(reason(&of(1, 5..9)), BadEntry { seq: 4, reason: BadEntryReason::OtherSeq { found: 5 } });
        assert_eq!(reason(&of(2, 4..9)), BadEntry { seq: 4, reason: BadEntryReason::OtherLog });
        verifier.append(&of(1, 4..9), |_, _| {}).unwrap();
        assert_eq!(verifier.frontier().root(), crate::merkle::root(&leaves));
    }

    #[test]
    fn a_refused_entry_changes_nothing() {
        let entries = chain(Log::Cell, 1, 3, 1);
        let mut verifier = ChainVerifier::new(Log::Cell, 1);
        verifier.push(&entries[0]).unwrap();
        assert!(verifier.push(&entries[2]).is_err());
        assert!(verifier.push_known(&entries[1], Hash::ZERO, |_, _| {}).is_err());
        assert!(verifier.push_known(&entries[1], leaf_hash(&entries[1]), |_, _| {}).is_ok());
        assert!(verifier.push(&entries[2]).is_ok());
    }

    proptest! {
        /// Requirement: one changed byte in any entry, and the first bad seq is named.
        #[test]
        fn one_changed_byte_is_named(victim in 0usize..8, parted in 0usize..9, at: prop::sample::Index, to: u8) {
            let honest = chain(Log::Cell, 1, 9, 1);
            let leaves: Vec<Hash> = honest.iter().map(|entry| leaf_hash(entry)).collect();
            let mut entries = honest.clone();
            let at = at.index(entries[victim].len());
            entries[victim][at] = to;
            prop_assume!(entries != honest);
            let mut verifier = ChainVerifier::new(Log::Cell, 1);
            let mut push = |(entry, leaf): (&Vec<u8>, &Hash)| verifier.push_known(entry, *leaf, |_, _| {}).err();
            let bad = entries.iter().zip(&leaves).find_map(&mut push);
            prop_assert_eq!(bad, Some(BadEntry { seq: victim as u64, reason: BadEntryReason::OtherLeaf }));
            // The same by segments, wherever one ends and the next begins.
            for leaves in [leaves.clone(), entries.iter().map(|entry| leaf_hash(entry)).collect()] {
                let (mut whole, mut parts) = (ChainVerifier::new(Log::Cell, 1), ChainVerifier::new(Log::Cell, 1));
                let mut push = |(entry, leaf): (&Vec<u8>, &Hash)| whole.push_known(entry, *leaf, |_, _| {}).err();
                let first = entries.iter().zip(&leaves).find_map(&mut push);
                let halves = [(0, &entries[..parted], &leaves[..parted]), (parted, &entries[parted..], &leaves[parted..])];
                let found = halves.into_iter().find_map(|(at, entries, leaves)| {
                    let kept = entries.iter().map(Vec::as_slice).zip(leaves.iter().copied());
                    parts.append(&Segment::check(Log::Cell, 1, at as u64, kept), |_, _| {}).err()
                });
                prop_assert_eq!((found, parts.seq(), parts.frontier()), (first, whole.seq(), whole.frontier()));
            }
            // Without the hashes: the same, but for a `prev` that still looks like one.
            let (_, bad) = walk(&entries);
            let (seq, reason) = bad.unwrap();
            let prev = String::from_utf8(honest[victim].clone()).unwrap().find("\"prev\":\"").unwrap() + 8;
            if (prev..prev + 64).contains(&at) && reason == "unlinked" {
                prop_assert_eq!(seq + 1, victim as u64);
            } else {
                prop_assert_eq!(seq, victim as u64);
            }
        }
    }
}
