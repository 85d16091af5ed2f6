//! Entries that retention pruned: passed over by their hashes, if the log itself says that they went.

use bailiwick_proof::entry::Entry;
use bailiwick_proof::log::{Log, Origin};
use bailiwick_proof::merkle::{Hash, Node};
use bailiwick_proof::tile;

use super::checkpoints::Roots;
use super::{Checking, Journaled, LogReport, PAGE, Row, sql};
use crate::db::{OperationalPath, SystemTx};
use crate::ledger::cell::Ledger;
use crate::ledger::cut;
use crate::ledger::error::LedgerError;

/// The first entries of a log that are all older than some moment, as whole tiles.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) struct Expiry {
    /// In unix milliseconds.
    before_ms: u64,
    /// An entry was met that is younger.
    is_over: bool,
    /// The first that is not among them.
    pub(in crate::ledger) to: u64,
    /// The root of the tree over them.
    pub(in crate::ledger) root: Hash,
    /// The latest time among them.
    pub(in crate::ledger) newest_ms: u64,
    /// The latest time so far.
    latest_ms: u64,
}

/// As [`super::check_log`], by whoever wants to know which entries were all recorded before this moment.
pub(in crate::ledger) async fn check_to_prune(
    ledger: &Ledger,
    origin: &Origin,
    journal: &Journaled,
    before_ms: u64,
) -> Result<LogReport, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::VerifyLedger).await?;
    sql::hold_still(&mut tx).await?;
    let mut checking = Checking::new(origin, Some(ledger.vault()));
    let root = checking.chain.frontier().root();
    checking.report.expiry = Some(Expiry { before_ms, is_over: false, to: 0, root, newest_ms: 0, latest_ms: 0 });
    let report = checking.run(&mut tx, Some(journal), ledger.name()).await?;
    tx.finish_reading().await?;
    Ok(report)
}

impl Checking<'_> {
    /// Passes over the entries that went with a cut. What is missing without one is found by whoever reads on.
    pub(super) async fn pass_over(
        &mut self,
        tx: &mut SystemTx,
        (log, generation): (Log, u32),
        roots: &mut Roots,
    ) -> Result<(), LedgerError> {
        let first = cut::sql::first_there(tx.connection()?, log, generation, 0).await?.unwrap_or_default();
        if first == 0 {
            return Ok(());
        }
        let Some(cut) = cut::covering(tx.connection()?, self.vault, log, (generation, first)).await? else {
            return Ok(());
        };
        let kept = cut::sql::of_rows(tx.connection()?, log, generation, (0, cut.to)).await?;
        if cut::digest(&kept) != cut.kept {
            self.damage(Some(0), format!("what entries below {} said of rows is not what was kept of it", cut.to));
        }
        let newest_ms = cut.newest_ms;
        self.cut = Some(cut);
        while self.report.good < first {
            let leaves = sql::leaves(tx, log, generation, self.report.good, PAGE).await?;
            let beyond = first.min(self.report.good + PAGE.unsigned_abs());
            let notes = self.stored(tx, (self.report.good + 1, beyond), roots).await?;
            while self.report.good < beyond {
                let seq = self.report.good;
                let Some(leaf) = leaves.get(&seq) else {
                    self.damage(Some(seq), format!("entry {seq} has lost its place in the tree"));
                    return Ok(());
                };
                self.chain.skip(*leaf);
                self.keep(*leaf);
                self.report.pruned += 1;
                self.step(roots);
            }
            self.check_stored(&notes, roots);
        }
        if let Some(expiry) = &mut self.report.expiry {
            (expiry.newest_ms, expiry.latest_ms) = (newest_ms, newest_ms);
        }
        Ok(())
    }

    /// A leaf that has its place.
    pub(super) fn keep(&mut self, leaf: Hash) {
        self.last_leaf = leaf;
        let upper = &mut self.upper;
        self.tree.push(leaf, |node: Node, hash| {
            if node.level.is_multiple_of(tile::HEIGHT) {
                upper.insert((node.level / tile::HEIGHT, node.index), hash);
            }
        });
    }

    /// One entry more holds.
    pub(super) fn step(&mut self, roots: &mut Roots) {
        self.report.good += 1;
        self.note_root(roots);
        let count = self.report.good;
        if let Some(cut) = self.cut.as_ref().filter(|cut| cut.to == count && cut.root != self.chain.frontier().root()) {
            let what = format!("entries below {} have another root than the one at which the log was cut", cut.to);
            self.damage(Some(0), what);
        }
        if let Some(expiry) = self.report.expiry.as_mut().filter(|expiry| !expiry.is_over)
            && count.is_multiple_of(tile::WIDTH)
        {
            (expiry.to, expiry.root) = (count, self.chain.frontier().root());
            expiry.newest_ms = expiry.latest_ms;
        }
    }

    /// Looks at an entry's age, and whether it is the one that tells of the cut.
    pub(super) fn hear(&mut self, row: &Row, entry: &Entry) -> Result<(), &'static str> {
        if let Some(expiry) = &mut self.report.expiry {
            expiry.is_over |= entry.recorded_at_ms >= expiry.before_ms;
            expiry.latest_ms = expiry.latest_ms.max(entry.recorded_at_ms);
        }
        if let Some(cut) = self.cut.as_ref().filter(|cut| cut.event == row.event) {
            cut.is_told_by(&row.stored, entry)?;
            self.is_told = true;
        }
        Ok(())
    }

    /// Entries are gone, and the log has to say so itself.
    pub(super) fn look_for_its_entry(&mut self) {
        let Some(cut) = self.cut.as_ref().filter(|_| !self.is_told && self.report.damages.is_empty()) else { return };
        let what = format!("entries below {} are missing, and no entry says that retention pruned them", cut.to);
        self.damage(Some(0), what);
    }
}
