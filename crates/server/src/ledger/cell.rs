//! The cell's ledger: its name, its journal, and the two tasks that number and sign.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::log::{Log, LogName, Origin};
use bailiwick_proof::policy::Policy;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::error::LedgerError;
use super::establish::CellFacts;
use super::generation::is_closed;
use super::ingest::Ingest;
use super::openings::{self, OpenedOpenings, SealedOpenings};
use super::pulse::{self, Pulse};
use super::sequence::{self, Left, Wait, sequence, sequence_together};
use super::sign::{self, LastTry, Signed};
use super::witnesses;
use crate::anchor::{AnchorStore, Freezes, Journal, JournalError};
use crate::clock::Clock;
use crate::db::{Db, OperationalPath};
use crate::entropy::Entropy;
use crate::vault::{Column, Owner, Vault, VaultError};

/// A commit with an entry is waited for so long, so that those which come together are numbered together.
const GATHER: Duration = Duration::from_millis(25);
/// Under load passes begin so far apart: each is a transaction, and the more entries share it the better. Whoever reads
/// a log or waits for a number does not wait for the pass.
const PACE: Duration = Duration::from_millis(250);
/// Without a wake-up, staging is looked at so often: other nodes commit too.
const LOOK: Duration = Duration::from_secs(1);
/// Logs that have grown are signed so long after; whoever asks for a checkpoint or a receipt does not wait for it. Each
/// signing costs every log a proof and all of them a journal object.
const SIGN_AFTER: Duration = Duration::from_secs(1);
/// Logs that grew on other nodes and were not signed are looked for so often.
const SIGN_LOOK: Duration = Duration::from_secs(10);

/// So many logs share a journal object at most.
const SIGN_AT_ONCE: usize = 5_000;

/// So many logs are numbered at once at the request of callers.
const TURNS: usize = 64;

/// In which a log begins; a sanctioned restore begins another.
pub(super) const FIRST_GENERATION: u32 = 1;

/// What the ledger is put together from.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Seals keys and openings.
    pub vault: Vault,
    /// Tells the time.
    pub clock: Clock,
    /// Gives randomness.
    pub entropy: Entropy,
    /// The anchor store.
    pub anchor: AnchorStore,
    /// Which cell it is, see [`super::establish`].
    pub facts: CellFacts,
}

/// The cell's ledger. Cheap to clone.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>, Option<Arc<Policy>>);

struct Inner {
    db: Db,
    vault: Vault,
    clock: Clock,
    entropy: Entropy,
    name: LogName,
    journal: Journal,
    freezes: Freezes,
    pulse: Pulse,
    /// Logs that have grown and are not signed yet, as far as this process knows.
    moved: Mutex<HashSet<Log>>,
    woken: Notify,
    /// Told when this process has signed the cell's log.
    cell_signed: Notify,
    /// One signer at a time in this process; the journal keeps other processes out.
    signing: tokio::sync::Mutex<LastTry>,
    /// Of those in this process who wait for the same log's head, one waits with a connection in its hands.
    turns: [tokio::sync::Mutex<()>; TURNS],
    ingest: Ingest,
    /// Whether the next generation of a log may be begun here.
    is_restoring: bool,
}

impl Ledger {
    /// Opens the cell's journal, and refuses a database that is behind it.
    ///
    /// # Errors
    /// [`LedgerError::Behind`], [`LedgerError::Forked`], [`LedgerError::JournalMissing`], and those of the database and the
    /// journal.
    pub async fn open(parts: Parts) -> Result<Self, LedgerError> {
        let ledger = Self::assemble(parts, false).await?;
        ledger.compare_with_journal().await?;
        Ok(ledger)
    }

    /// Opens the cell's journal beside a database that may be behind it, to begin new generations.
    ///
    /// # Errors
    /// [`LedgerError::JournalMissing`], and those of the database and the journal.
    pub async fn open_after_restore(parts: Parts) -> Result<Self, LedgerError> {
        Self::assemble(parts, true).await
    }

    async fn assemble(parts: Parts, is_restoring: bool) -> Result<Self, LedgerError> {
        let Parts { db, vault, clock, entropy, anchor, facts } = parts;
        // In this order: a node that began the logs meanwhile has had the store know the cell before.
        let begun = sign::has_begun(&db).await?;
        if begun && !Journal::exists(&anchor, facts.id).await? {
            return Err(LedgerError::JournalMissing { at: Journal::place(&anchor, facts.id)? });
        }
        Journal::begin(&anchor, facts.id).await?;
        let freezes = Freezes::of(anchor.clone(), facts.id).map_err(JournalError::from)?;
        let journal = Journal::open(anchor, facts.id).await?;
        let inner = Inner {
            ingest: Ingest::new(db.pool_size()),
            db,
            vault,
            clock,
            entropy,
            name: facts.log_name,
            journal,
            freezes,
            pulse: Pulse::default(),
            moved: Mutex::default(),
            woken: Notify::new(),
            cell_signed: Notify::new(),
            signing: tokio::sync::Mutex::default(),
            is_restoring,
            turns: std::array::from_fn(|_| tokio::sync::Mutex::default()),
        };
        Ok(Self(Arc::new(inner), None))
    }

    /// The same ledger, whose witnesses are those of this policy.
    #[must_use]
    pub fn witnessed(self, policy: Option<Policy>) -> Self {
        Self(self.0, policy.map(Arc::new))
    }

    /// Numbers, signs and asks witnesses until it is dropped. A failure is logged and tried again.
    pub async fn run(&self) {
        let [numbering, signing, measuring, asking] = std::array::from_fn(|_| self.clone());
        tokio::join!(
            forever("sequence", move || {
                let ledger = numbering.clone();
                async move { ledger.keep_sequencing().await }
            }),
            forever("sign", move || {
                let ledger = signing.clone();
                async move { ledger.keep_signing().await }
            }),
            forever("pulse", move || {
                let ledger = measuring.clone();
                async move { pulse::keep(&ledger).await }
            }),
            forever("cosign", move || {
                let ledger = asking.clone();
                async move { witnesses::keep_asking(&ledger).await }
            }),
        );
    }

    /// Numbers everything that was committed to a log before the call.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn settle(&self, log: Log) -> Result<(), LedgerError> {
        let _turn = match self.turn(log) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let mut tx = self.db().system_tx(OperationalPath::SequenceLedger).await?;
        let (staged, known) = (sequence::has_staged(&mut tx, log).await?, sequence::has_head(&mut tx, log).await?);
        tx.finish_reading().await?;
        // A log without a head comes to be with the first entry of its workspace, which may stand in the other one.
        let logs = if known { vec![log] } else { sequence::siblings(log) };
        for log in logs.into_iter().filter(|_| staged || !known) {
            sequence(self, log, Wait::ForIt).await?;
        }
        Ok(())
    }

    /// Where requests that record wait for their turn.
    #[must_use]
    pub fn ingest(&self) -> &Ingest {
        &self.0.ingest
    }

    /// As [`Self::settle`], and waits for whoever is appending at this moment, also where nothing is staged.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub async fn quiesce(&self, log: Log) -> Result<(), LedgerError> {
        self.settle(log).await?;
        sequence(self, log, Wait::ForIt).await.map(drop)
    }

    /// The newest checkpoint of a log, signed now if the newest does not cover what is numbered.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchLog`], [`LedgerError::Behind`], [`LedgerError::Forked`], and those of database and journal.
    pub async fn checkpoint(&self, log: Log) -> Result<Signed, LedgerError> {
        sign::newest(self, log).await
    }

    /// The newest checkpoint of the generation in which an entry stands.
    ///
    /// # Errors
    /// As [`Self::checkpoint`]; [`LedgerError::NoSuchLog`] when none of that generation is here.
    pub async fn checkpoint_over(&self, log: Log, generation: u32) -> Result<Signed, LedgerError> {
        let origin = self.origin(log, generation)?;
        if !is_closed(&origin, |later| self.0.journal.head(later)) {
            return self.checkpoint(log).await;
        }
        sign::newest_of_closed(self, log, generation).await?.ok_or(LedgerError::NoSuchLog)
    }

    /// The origin of a generation of a log.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchLog`] for generation 0.
    pub fn origin(&self, log: Log, generation: u32) -> Result<Origin, LedgerError> {
        Origin::new(self.0.name.clone(), log, generation).map_err(|_| LedgerError::NoSuchLog)
    }

    /// The openings of an entry, as far as they open.
    ///
    /// # Errors
    /// [`LedgerError::Vault`] when nothing can be told at the moment.
    pub async fn opened(
        &self,
        log: Log,
        generation: u32,
        seq: u64,
        sealed: &SealedOpenings,
    ) -> Result<OpenedOpenings, LedgerError> {
        Ok(sealed.open(&self.0.vault, (log, generation, seq)).await?)
    }

    /// The numbers of those of these names who can be erased from a workspace's logs; whoever has none gets one.
    ///
    /// # Errors
    /// [`LedgerError::Vault`], and those of the database.
    pub async fn subject_numbers<'a>(
        &self,
        workspace: WorkspaceId,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, u32>, LedgerError> {
        openings::numbers(&self.0.db, &self.0.vault, Owner::Workspace(workspace), names.into_iter().collect()).await
    }

    /// How a value is looked up in a field of a log: its blind indexes. Nothing of a workspace that was shredded.
    ///
    /// # Errors
    /// [`LedgerError::Vault`].
    pub async fn lookups(&self, log: Log, field: &'static Column, value: &str) -> Result<Vec<Vec<u8>>, LedgerError> {
        match self.0.vault.complete_keys(openings::owner(log)).await {
            Ok(keys) => Ok(openings::lookups(&keys, field, value)?),
            Err(VaultError::Shredded) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Which witnesses are asked, and how many of them are enough.
    pub(super) fn policy(&self) -> Option<&Policy> {
        self.1.as_deref()
    }

    /// Resolves once this process has signed the cell's log, also before the call.
    pub(super) async fn cell_signed(&self) {
        self.0.cell_signed.notified().await;
    }

    /// Tells whoever asks witnesses.
    pub(super) fn tell_of_cells_checkpoint(&self) {
        self.0.cell_signed.notify_one();
    }

    /// The name of the cell's logs.
    #[must_use]
    pub fn name(&self) -> &LogName {
        &self.0.name
    }

    pub(super) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.0.vault
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    pub(super) fn freezes(&self) -> &Freezes {
        &self.0.freezes
    }

    /// How far numbering is behind.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    /// Logs share turns: a stranger's wait is longer by that of one batch.
    fn turn(&self, log: Log) -> Option<&tokio::sync::Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        log.hash(&mut hasher);
        let spread = usize::try_from(hasher.finish() & u64::from(u16::MAX)).ok()?;
        self.0.turns.get(spread % TURNS)
    }

    pub(super) fn signing(&self) -> &tokio::sync::Mutex<LastTry> {
        &self.0.signing
    }

    /// Notes that a log has grown.
    pub(super) fn moved(&self, log: Log) {
        self.0.moved.lock().unwrap_or_else(PoisonError::into_inner).insert(log);
        self.0.woken.notify_one();
    }

    /// Nothing is appended to a log that is shorter than it was when it was signed, or of which another generation was.
    pub(super) fn refuse_if_behind(&self, log: Log, generation: u32, size: u64) -> Result<(), LedgerError> {
        let origin = self.origin(log, generation)?;
        let head = self.0.journal.head(&origin.to_string());
        if is_closed(&origin, |later| self.0.journal.head(later)) || !self.may_begin(&origin, head.is_some())? {
            return Err(LedgerError::UnknownGeneration { origin: origin.to_string() });
        }
        match head {
            Some(head) if head.size > size => {
                Err(LedgerError::Behind { origin: origin.to_string(), journal: head.size, database: size })
            }
            _ => Ok(()),
        }
    }

    /// Whether the log may be in this generation: the first, one that was signed, or one that is begun here after another.
    fn may_begin(&self, origin: &Origin, is_signed: bool) -> Result<bool, LedgerError> {
        if is_signed || origin.generation() == FIRST_GENERATION {
            return Ok(true);
        }
        let before = self.origin(origin.log(), origin.generation() - 1)?;
        Ok(self.0.is_restoring && self.0.journal.head(&before.to_string()).is_some())
    }

    async fn keep_sequencing(&self) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut begun = Instant::now();
        loop {
            tokio::select! {
                () = self.db().recorded() => sleep(GATHER.max(PACE.saturating_sub(begun.elapsed()))).await,
                _ = look.tick() => {}
            }
            begun = Instant::now();
            if let Err(error) = self.sequence_all().await {
                failed("sequence", &error);
            }
        }
    }

    async fn sequence_all(&self) -> Result<(), LedgerError> {
        let mut tx = self.db().system_tx(OperationalPath::SequenceLedger).await?;
        let logs = sequence::logs_with_staged(&mut tx).await?;
        tx.finish_reading().await?;
        let (mut workspaces, mut apart): (Vec<Log>, Vec<Log>) = logs.into_iter().partition(|log| *log != Log::Cell);
        while !workspaces.is_empty() {
            let mut more = Vec::new();
            for together in workspaces.chunks(sequence::LOGS_AT_ONCE) {
                let left = sequence_together(self, together).await.unwrap_or_else(|error| {
                    failed("sequence", &error);
                    Left { more: Vec::new(), apart: together.to_vec() }
                });
                more.extend(left.more);
                apart.extend(left.apart);
            }
            workspaces = more;
        }
        let mut held = HashSet::new();
        for log in apart {
            if let Err(error) = sequence(self, log, Wait::No).await {
                if error.holds_one_log() {
                    held.insert(log);
                }
                failed("sequence", &error);
            }
        }
        self.0.pulse.hold(held);
        Ok(())
    }

    async fn keep_signing(&self) {
        let mut look = interval(SIGN_LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let all = tokio::select! {
                () = self.0.woken.notified() => { sleep(SIGN_AFTER).await; false }
                _ = look.tick() => true,
            };
            if let Err(error) = self.sign_moved(all).await {
                failed("sign", &error);
            }
        }
    }

    async fn sign_moved(&self, look_everywhere: bool) -> Result<(), LedgerError> {
        let mut logs = std::mem::take(&mut *self.0.moved.lock().unwrap_or_else(PoisonError::into_inner));
        if look_everywhere {
            let unsigned = sign::unsigned(self).await?;
            self.0.pulse.unsigned(&unsigned);
            logs.extend(unsigned.iter().map(|one| one.log));
        }
        let logs: Vec<Log> = logs.into_iter().collect();
        for batch in logs.chunks(SIGN_AT_ONCE) {
            for (_, error) in sign::sign(self, batch).await? {
                failed("sign", &error);
            }
        }
        Ok(())
    }

    /// One look at all heads: none may be shorter than in the journal, or have another root at its size.
    async fn compare_with_journal(&self) -> Result<(), LedgerError> {
        let mut tx = self.db().system_tx(OperationalPath::SignLedger).await?;
        let heads = sign::heads(self, &mut tx).await?;
        tx.finish_reading().await?;
        for (origin, journal) in self.0.journal.heads() {
            if origin.parse().is_ok_and(|origin| is_closed(&origin, |later| self.0.journal.head(later))) {
                continue;
            }
            match heads.get(&origin) {
                Some(head) if head.size > journal.size => {}
                Some(head) if head.size == journal.size && head.root == journal.root => {}
                Some(head) if head.size == journal.size => {
                    return Err(LedgerError::Forked { origin, size: journal.size });
                }
                found => {
                    let database = found.map_or(0, |head| head.size);
                    return Err(LedgerError::Behind { origin, journal: journal.size, database });
                }
            }
        }
        Ok(())
    }
}

/// Begins a task again that a panic has ended: one bad row must not stop the logs of everybody else until a restart.
async fn forever<T: Future<Output = ()> + Send + 'static>(step: &'static str, task: impl Fn() -> T) {
    loop {
        let mut running = JoinSet::new();
        running.spawn(task());
        // Dropped together with this future, the set ends the task.
        let _ = running.join_next().await;
        metrics::counter!("bailiwick_ledger_failures_total", "step" => step).increment(1);
        tracing::error!(event = "ledger_task_restarted", step);
        sleep(LOOK).await;
    }
}

pub(super) fn failed(step: &'static str, error: &LedgerError) {
    metrics::counter!("bailiwick_ledger_failures_total", "step" => step).increment(1);
    tracing::error!(event = "ledger_failed", step, cause = %error);
}
