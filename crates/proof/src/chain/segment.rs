//! A part of a log, checked apart from what stands before it: so several threads can walk one log.

use super::{BadEntry, BadEntryReason, check_at};
use crate::log::Log;
use crate::merkle::{Hash, leaf_hash};

/// Neighbouring entries that fit to each other. Whether the first fits to what stands before it, [`super::ChainVerifier::append`] says.
#[derive(Clone, Debug)]
pub struct Segment {
    pub(super) log: Log,
    pub(super) generation: u32,
    /// The place of the first.
    pub(super) first: u64,
    /// The leaf hash that the first is linked to.
    pub(super) prev: Hash,
    /// Of those that fit.
    pub(super) leaves: Vec<Hash>,
    /// What ended it.
    pub(super) fault: Option<BadEntry>,
}

impl Segment {
    /// Checks entries that stand from `first` on, each beside the leaf hash that was kept of it, up to the first that does not fit.
    #[must_use]
    pub fn check<'a>(
        log: Log,
        generation: u32,
        first: u64,
        entries: impl IntoIterator<Item = (&'a [u8], Hash)>,
    ) -> Self {
        let mut segment = Self { log, generation, first, prev: Hash::ZERO, leaves: Vec::new(), fault: None };
        for (stored, kept) in entries {
            if let Err(fault) = segment.push(stored, kept) {
                segment.fault = Some(fault);
                break;
            }
        }
        segment
    }

    fn push(&mut self, stored: &[u8], kept: Hash) -> Result<(), BadEntry> {
        let seq = self.end();
        let leaf = leaf_hash(stored);
        if leaf != kept {
            return Err(BadEntry { seq, reason: BadEntryReason::OtherLeaf });
        }
        let entry = check_at(stored, self.log, self.generation, seq)?;
        match self.leaves.last() {
            None => self.prev = entry.prev,
            Some(last) if entry.prev == *last => {}
            Some(_) => return Err(BadEntry { seq: seq.saturating_sub(1), reason: BadEntryReason::Unlinked }),
        }
        self.leaves.push(leaf);
        Ok(())
    }

    /// The leaf hashes of the entries that fit, in their order.
    #[must_use]
    pub fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// The place behind the last that fits.
    fn end(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.leaves.len()).unwrap_or(u64::MAX))
    }
}
