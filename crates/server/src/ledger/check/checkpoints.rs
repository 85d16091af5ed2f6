//! Stored checkpoints and the journal's head against the entries, beside these: of a log that was signed each second for years no more is in
//! memory than belongs to a page of entries.

use std::collections::BTreeMap;

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::merkle::Hash;

use super::{Checking, PAGE, sql};
use crate::anchor::Head;
use crate::db::{DbError, SystemTx};

/// The sizes at which somebody vouches for a root, with the entries' own once they are reached.
pub(super) struct Roots {
    asked: BTreeMap<u64, Option<Hash>>,
    /// The journal's, which is asked for at the end.
    kept: Option<u64>,
}

impl Roots {
    pub(super) fn new(journaled: Option<Head>) -> Self {
        let kept = journaled.map(|head| head.size);
        Self { asked: kept.map(|size| (size, None)).into_iter().collect(), kept }
    }

    /// Keeps the root at this size if somebody asks for it.
    pub(super) fn note(&mut self, size: u64, root: impl FnOnce() -> Hash) {
        if let Some(asked) = self.asked.get_mut(&size) {
            *asked = Some(root());
        }
    }

    fn ask(&mut self, size: u64) {
        self.asked.entry(size).or_default();
    }

    fn at(&self, size: u64) -> Option<Hash> {
        self.asked.get(&size).copied().flatten()
    }

    fn forget(&mut self) {
        self.asked.retain(|size, root| root.is_none() || Some(*size) == self.kept);
    }
}

impl Checking<'_> {
    /// The stored checkpoints of these sizes, at most a page of them; their roots are asked for.
    pub(super) async fn stored(
        &self,
        tx: &mut SystemTx,
        sizes: (u64, u64),
        roots: &mut Roots,
    ) -> Result<Vec<(u64, String)>, DbError> {
        let notes = sql::checkpoints(tx, (self.origin.log(), self.origin.generation()), sizes, PAGE).await?;
        notes.iter().for_each(|(size, _)| roots.ask(*size));
        Ok(notes)
    }

    /// Those of entries that were read just now.
    pub(super) fn check_stored(&mut self, notes: &[(u64, String)], roots: &mut Roots) {
        let count = self.report.good;
        for (size, note) in notes.iter().filter(|(size, _)| *size <= count) {
            self.check_checkpoint(*size, note, roots, true);
        }
        roots.forget();
    }

    /// Those that cover more than there is, or than could be read.
    pub(super) fn check_beyond(&mut self, notes: &[(u64, String)], roots: &Roots, is_whole: bool) {
        for (size, note) in notes {
            self.check_checkpoint(*size, note, roots, is_whole);
        }
    }

    fn check_checkpoint(&mut self, size: u64, note: &str, roots: &Roots, is_whole: bool) {
        self.report.checkpoints += 1;
        let Ok(signed) = note.parse::<SignedCheckpoint>() else {
            return self.damage(None, format!("the stored checkpoint of size {size} cannot be read"));
        };
        if let Err(error) = signed.verify(&self.keys) {
            return self.damage(None, format!("the stored checkpoint of size {size} is not signed: {error}"));
        }
        let checkpoint = signed.unverified();
        if checkpoint.size != size || checkpoint.origin != self.report.origin {
            return self.damage(None, format!("the stored checkpoint of size {size} is another's"));
        }
        let root = checkpoint.root;
        self.check_root("a signed checkpoint", size, &root, roots, is_whole);
    }

    /// A root that somebody vouches for against the root of the entries at that size.
    pub(super) fn check_root(&mut self, who: &str, size: u64, root: &Hash, roots: &Roots, is_whole: bool) {
        match roots.at(size) {
            Some(found) if found == *root => {}
            Some(_) => {
                self.damage(None, format!("{who} has another root at size {size} than the entries"));
            }
            // The bad entry itself was named already.
            None if !is_whole => {}
            None => {
                let count = self.report.good;
                self.damage(Some(count), format!("entry {count} is missing: {who} covers {size} entries"));
            }
        }
    }
}
