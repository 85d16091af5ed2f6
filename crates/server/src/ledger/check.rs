//! The check that believes nothing: every log against its rows, links, hashes, roots, signatures and the journal.
//!
//! It reads a log from its first entry and stops at the first that is bad, for nothing after it can be believed. A log
//! that the journal knows and the database does not is found as well.

mod checkpoints;
mod cut;
mod generation;
pub(super) mod sql;

use std::collections::BTreeMap;

use bailiwick_proof::chain::ChainVerifier;
use bailiwick_proof::entry::Entry;
use bailiwick_proof::id::EventId;
use bailiwick_proof::log::{Log, LogName, Origin};
use bailiwick_proof::merkle::{Frontier, Hash};
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::tile;
use uuid::Uuid;

use self::checkpoints::Roots;
use self::generation::Before;
use super::cut::Cut;
use super::error::LedgerError;
use super::establish::{self, CellFacts};
use super::generation::is_closed;
use super::openings::SealedOpenings;
use super::{keys, place};
use crate::anchor::{AnchorStore, Head, Journal, JournalError};
use crate::db::{Db, OperationalPath, SystemTx};
use crate::vault::Vault;

/// Rows in one read.
const PAGE: i64 = 1_000;

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The first bad entry, where it is known.
    pub seq: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What the check found in one log.
#[derive(Clone, Debug)]
pub struct LogReport {
    /// Which log.
    pub origin: String,
    /// Entries that are good, from the first on; of those that retention pruned, the hashes.
    pub good: u64,
    /// Entries that retention pruned, as the log itself says.
    pub pruned: u64,
    /// Entries that the head counts.
    pub size: u64,
    /// Checkpoints whose root and signature were checked.
    pub checkpoints: u64,
    /// Entries whose clock stood behind that of the entry before, and the furthest that it did, in milliseconds.
    pub clock_went_back: (u64, u64),
    /// What is wrong with it, the first bad entry first; empty for a good log.
    pub damages: Vec<Damage>,
    /// How much of it is old, for whoever asked.
    pub(super) expiry: Option<Expiry>,
}

/// What the check found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every log, by origin.
    pub logs: Vec<LogReport>,
    /// Entries that are staged and not numbered yet: nothing protects them so far.
    pub staged: u64,
    /// Checkpoints were signed, and the anchor store knows nothing of this cell.
    pub journal_is_missing: bool,
    /// The journal cannot be read.
    pub journal_fault: Option<String>,
}

impl LogReport {
    fn new(origin: &Origin) -> Self {
        Self {
            origin: origin.to_string(),
            good: 0,
            pruned: 0,
            size: 0,
            checkpoints: 0,
            clock_went_back: (0, 0),
            damages: Vec::new(),
            expiry: None,
        }
    }

    fn unchecked(origin: &Origin, error: &LedgerError) -> Self {
        let damage = Damage { seq: None, what: format!("it cannot be checked: {error}") };
        Self { damages: vec![damage], ..Self::new(origin) }
    }
}

impl Report {
    /// Whether every log is good.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.journal_is_missing && self.journal_fault.is_none() && self.logs.iter().all(|log| log.damages.is_empty())
    }
}

/// A page of a log: the row beside its openings.
struct Row {
    seq: i64,
    event: EventId,
    action: String,
    recorded_at: time::OffsetDateTime,
    stored: super::prove::Stored,
    sealed: SealedOpenings,
}

/// Reads and checks every log of the cell, without changing anything anywhere.
///
/// # Errors
/// [`LedgerError`] when it cannot be read; what is wrong with what can be read stands in the report.
pub async fn inspect(db: &Db, anchor: &AnchorStore, vault: Option<&Vault>) -> Result<Report, LedgerError> {
    let mut tx = db.system_tx(OperationalPath::VerifyLedger).await?;
    let facts = establish::facts(&mut tx).await?;
    tx.finish_reading().await?;
    let Some(CellFacts { id, log_name: name }) = facts else { return Ok(Report::default()) };
    let (journal, fault) = match journal_of(anchor, id).await {
        Ok(journal) => (journal, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let known: Option<Journaled> = journal.map(|journal| journal.heads().into_iter().collect());
    let (origins, staged) = origins(db, known.as_ref(), &name).await?;
    let mut report = Report { staged, ..Report::default() };
    for origin in &origins {
        report.logs.push(match check_log(db, origin, known.as_ref(), &name, vault).await {
            Err(error @ LedgerError::Db(_)) => return Err(error),
            // One that cannot be checked keeps no other from it.
            Err(error) => LogReport::unchecked(origin, &error),
            Ok(log) => log,
        });
    }
    report.journal_is_missing = known.is_none() && fault.is_none() && report.logs.iter().any(|log| log.checkpoints > 0);
    report.journal_fault = fault;
    Ok(report)
}

async fn journal_of(anchor: &AnchorStore, cell: Uuid) -> Result<Option<Journal>, JournalError> {
    if Journal::exists(anchor, cell).await? { Journal::open(anchor.clone(), cell).await.map(Some) } else { Ok(None) }
}

/// What the journal says of each log, by origin, as it was read before the rows are: a head that is signed meanwhile is not
/// missed in them.
pub(super) type Journaled = BTreeMap<String, Head>;

/// Every log that any table or the journal knows, and how many entries are staged.
pub(super) async fn origins(
    db: &Db,
    journal: Option<&Journaled>,
    name: &LogName,
) -> Result<(Vec<Origin>, u64), LedgerError> {
    let mut tx = db.system_tx(OperationalPath::VerifyLedger).await?;
    let mut origins: BTreeMap<String, Origin> = BTreeMap::new();
    let mut last: sql::Named = (Uuid::nil(), String::new(), i32::MIN);
    while let Some(named) = sql::next_log(&mut tx, &last).await? {
        let (workspace, environment, generation) = &named;
        let origin = place::log(*workspace, environment)
            .and_then(|log| Origin::new(name.clone(), log, u32::try_from(*generation).unwrap_or_default()).ok());
        origins.extend(origin.map(|origin| (origin.to_string(), origin)));
        last = named;
    }
    for origin in journal.into_iter().flat_map(BTreeMap::keys) {
        if let Ok(parsed) = origin.parse::<Origin>() {
            origins.insert(origin.clone(), parsed);
        }
    }
    let staged = sql::staged(&mut tx).await?;
    tx.finish_reading().await?;
    Ok((origins.into_values().collect(), staged))
}

/// One log against everything that vouches for it, as it is at one moment: it may grow meanwhile.
pub(super) async fn check_log(
    db: &Db,
    origin: &Origin,
    journal: Option<&Journaled>,
    name: &LogName,
    vault: Option<&Vault>,
) -> Result<LogReport, LedgerError> {
    let mut tx = db.system_tx(OperationalPath::VerifyLedger).await?;
    sql::hold_still(&mut tx).await?;
    let report = Checking::new(origin, vault).run(&mut tx, journal, name).await?;
    tx.finish_reading().await?;
    Ok(report)
}

pub(super) use cut::{Expiry, check_to_prune};

/// One log under check.
struct Checking<'a> {
    origin: &'a Origin,
    vault: Option<&'a Vault>,
    chain: ChainVerifier,
    /// The same tree once more, which tells the hashes of whole tiles.
    tree: Frontier,
    last_leaf: Hash,
    report: LogReport,
    /// Complete subtrees of tile height and above, as the entries make them.
    upper: BTreeMap<(u8, u64), Hash>,
    newest_ms: u64,
    /// The cut by which the first entries went.
    cut: Option<Cut>,
    /// Whether the log's own entry says so.
    is_told: bool,
    /// What the first entry of a later generation has to cite.
    before: Before,
    /// The log's keys, as its rows say.
    keys: Vec<VerifierKey>,
}

impl<'a> Checking<'a> {
    fn new(origin: &'a Origin, vault: Option<&'a Vault>) -> Self {
        let report = LogReport::new(origin);
        let chain = ChainVerifier::new(origin.log(), origin.generation());
        Self {
            origin,
            vault,
            chain,
            tree: Frontier::new(),
            last_leaf: Hash::ZERO,
            report,
            upper: BTreeMap::new(),
            newest_ms: 0,
            cut: None,
            is_told: false,
            before: Before::default(),
            keys: Vec::new(),
        }
    }

    async fn run(
        mut self,
        tx: &mut SystemTx,
        journal: Option<&Journaled>,
        name: &LogName,
    ) -> Result<LogReport, LedgerError> {
        let (log, generation) = (self.origin.log(), self.origin.generation());
        let head = sql::head(tx, log, generation).await?;
        self.report.size = head.as_ref().map_or(0, |head| head.size);
        self.before = self.look_before(tx, journal).await?;
        if !self.is_sanctioned(tx, journal).await? {
            self.damage(Some(0), "it is of a generation that the journal does not know".to_owned());
        }
        // What was signed of a closed generation and is not here any more was lost with a restore, and the next one cites it.
        let is_closed = is_closed(self.origin, |later| journal.and_then(|journal| journal.get(later)));
        let journaled = journal.and_then(|journal| journal.get(&self.report.origin)).copied();
        let journaled = journaled.filter(|_| !is_closed);
        self.keys = keys::of_log(tx, log, name).await?;
        let mut roots = Roots::new(journaled);
        let notes = self.stored(tx, (0, 0), &mut roots).await?;
        self.note_root(&mut roots);
        self.check_stored(&notes, &mut roots);
        self.pass_over(tx, (log, generation), &mut roots).await?;
        if self.report.damages.is_empty() {
            self.read_entries(tx, log, generation, &mut roots).await?;
        }
        self.look_for_its_entry();
        let whole = self.report.damages.is_empty();
        let count = self.report.good;
        if let (true, Some(head)) = (whole, &head) {
            let moved =
                head.last_leaf != self.last_leaf.as_bytes() || head.frontier != self.chain.frontier().to_bytes();
            if head.size > count {
                self.damage(Some(count), format!("entry {count} is missing: the head counts {} entries", head.size));
            } else if head.size < count {
                self.damage(Some(head.size), format!("entry {} stands beyond the head", head.size));
            } else if moved {
                self.damage(None, "the head is not that of its entries".to_owned());
            }
            self.check_upper(tx, log, generation).await?;
        }
        let beyond = self.stored(tx, (count + 1, u64::MAX), &mut roots).await?;
        let has_signed = journaled.is_some() || self.report.checkpoints > 0 || !beyond.is_empty();
        if whole && head.is_none() && (count > 0 || has_signed) {
            self.damage(Some(0), "the log has no head".to_owned());
        }
        self.check_beyond(&beyond, &roots, whole);
        if let Some(head) = journaled {
            self.check_root("the journal", head.size, &head.root, &roots, whole);
        }
        self.report.damages.sort_by_key(|damage| damage.seq.unwrap_or(u64::MAX));
        Ok(self.report)
    }

    async fn read_entries(
        &mut self,
        tx: &mut SystemTx,
        log: Log,
        generation: u32,
        roots: &mut Roots,
    ) -> Result<(), LedgerError> {
        loop {
            let first = self.report.good;
            let notes = self.stored(tx, (first + 1, first + PAGE.unsigned_abs()), roots).await?;
            let rows = sql::entries(tx, log, generation, first, PAGE).await?;
            let last = i64::try_from(rows.len()).unwrap_or(PAGE) < PAGE;
            let leaves = sql::leaves(tx, log, generation, first, PAGE).await?;
            for mut row in rows {
                if let Some(vault) = self.vault {
                    let place = (log, generation, row.stored.seq);
                    let opened = row.sealed.open(vault, place).await?;
                    row.stored = row.stored.with(opened);
                }
                if let Err((seq, what)) = self.check_row(&row, &leaves) {
                    self.damage(Some(seq), what);
                    return Ok(());
                }
                self.step(roots);
            }
            self.check_stored(&notes, roots);
            if last || !self.report.damages.is_empty() {
                return Ok(());
            }
        }
    }

    /// One row: nothing missing before it, its bytes, its link, its stored hash, its openings, its columns.
    fn check_row(&mut self, row: &Row, leaves: &BTreeMap<u64, Hash>) -> Result<(), (u64, String)> {
        let seq = self.report.good;
        let found = u64::try_from(row.seq).unwrap_or(u64::MAX);
        let bad = |what: &str| Err((seq, format!("entry {seq} {what}")));
        if found != seq {
            return bad(&format!("is missing: the next that is there is {found}"));
        }
        let Some(leaf) = leaves.get(&seq) else { return bad("has lost its place in the tree") };
        let pushed = self.chain.push_known(&row.stored.entry, *leaf, |_, _| {});
        pushed.map_err(|entry| (entry.seq, entry.to_string()))?;
        self.keep(*leaf);
        let checked = match self.vault {
            Some(_) => row.stored.check_whole(self.origin.log()),
            None => row.stored.check(self.origin.log()),
        };
        let entry: Entry = match checked {
            Ok(entry) => entry,
            Err(what) => return bad(what),
        };
        if self.vault.is_some() && !row.stored.is_event(row.event) {
            return bad("is found under the id of another event");
        }
        let recorded_ms = (row.recorded_at.unix_timestamp_nanos() / 1_000_000).max(0);
        if entry.action.as_str() != row.action || i128::from(entry.recorded_at_ms) != recorded_ms {
            return bad("is another than the columns beside it say");
        }
        if let Err(what) = self.hear(row, &entry).and_then(|()| self.cites(row, &entry)) {
            return bad(what);
        }
        if entry.recorded_at_ms < self.newest_ms {
            let (times, furthest) = self.report.clock_went_back;
            self.report.clock_went_back = (times + 1, furthest.max(self.newest_ms - entry.recorded_at_ms));
        }
        self.newest_ms = self.newest_ms.max(entry.recorded_at_ms);
        Ok(())
    }

    /// Keeps the root at this size if somebody will ask for it.
    fn note_root(&self, roots: &mut Roots) {
        roots.note(self.report.good, || self.chain.frontier().root());
    }

    async fn check_upper(&mut self, tx: &mut SystemTx, log: Log, generation: u32) -> Result<(), LedgerError> {
        let stored = sql::upper(tx, log, generation).await?;
        if stored != self.upper {
            let wrong = self.upper.iter().find(|(place, hash)| stored.get(place) != Some(hash));
            let seq = wrong.map(|((level, index), _)| index << (level * tile::HEIGHT));
            self.damage(seq, "a stored hash of the tree is not that of its entries".to_owned());
        }
        Ok(())
    }

    fn damage(&mut self, seq: Option<u64>, what: String) {
        self.report.damages.push(Damage { seq, what });
    }
}
