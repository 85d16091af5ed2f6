//! A copy of a log outside of the server, and how it comes a step further: for a customer's bucket, and for the operator's store.
//!
//! A step goes from the checkpoint that the copy has to one that was published later, some 16,000 entries further where there is
//! one. What was written of it is no loss when it breaks off: the next one begins at the same checkpoint and finds it there.

use axum::body::Bytes;
use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::consistency::PairError;
use bailiwick_proof::jose::Jwks;
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::tile::{Kind, Tile};

use super::bucket::Replaced;
use super::fault::{Code, Fault};
use super::place::{Place, Seen};
use super::run::StreamLog;
use super::tiles::{self, Edge, Level};
use crate::db::{Db, DbError, OperationalPath, SystemTx, WorkspaceTx};
use crate::jobs::{Claimed, Failure};
use crate::ledger::{self, Ledger, LedgerError, LogTx, ProveError};

/// Entries that a step covers at most, where a checkpoint was published in between.
const STRIDE: u64 = 64 * 256;

/// Why a copy does not come further.
pub(super) enum Stop {
    /// Store or log keep it from that.
    Fault(Fault),
    /// The job itself failed.
    Job(Failure),
    /// Nothing is to be written on its behalf any more.
    Superseded,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<DbError> for Stop {
    fn from(error: DbError) -> Self {
        Self::Job(error.into())
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Db(error) => error.into(),
            LedgerError::Vault(error) => Self::Job(error.into()),
            error => {
                tracing::warn!(event = "audit.stream_waits", cause = %error);
                Fault::of(Code::LogFrozen).into()
            }
        }
    }
}

impl From<ProveError> for Stop {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Ledger(error) => error.into(),
            // The copy's checkpoint is none that this log has published.
            ProveError::NoCheckpoint { .. } => Fault::of(Code::StreamConflict).into(),
            ProveError::Mismatch(mismatch) if mismatch.what == "is gone" => {
                Fault::at(Code::EntriesMissing, format!("entry {}", mismatch.seq)).into()
            }
            error => {
                tracing::error!(event = "audit.stream_refused", cause = %error);
                Fault::of(Code::LogDamaged).into()
            }
        }
    }
}

/// By what right the log is read.
pub(super) enum Right<'a> {
    /// A workspace's own: behind its walls.
    Stream(&'a Claimed<StreamLog>),
    /// The operator's.
    Publication,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The copy has all that was signed, so many entries.
    Whole(u64),
    /// It has so many entries, and there may be more.
    To(u64),
    /// Somebody else has written the checkpoint meanwhile.
    Raced,
    /// The log goes on in another generation.
    Elsewhere,
}

/// A copy of one generation of a log.
pub(super) struct LogCopy<'a> {
    pub(super) db: &'a Db,
    pub(super) ledger: &'a Ledger,
    pub(super) right: Right<'a>,
    pub(super) log: Log,
    pub(super) generation: u32,
    pub(super) origin: String,
    pub(super) place: Place,
}

impl LogCopy<'_> {
    /// Brings the copy a step further.
    pub(super) async fn step(&self) -> Result<Step, Stop> {
        // The copy first: whatever it covers is published here by then, whoever wrote it.
        let seen = self.place.read(CHECKPOINT).await?;
        let there = seen.as_ref().map(|seen| self.parsed(seen)).transpose()?;
        let from = there.as_ref().map_or(0, |there| there.size);
        let newest = self.ledger.checkpoint(self.log).await?;
        if newest.generation != self.generation {
            return Ok(Step::Elsewhere);
        }
        if from > newest.size {
            return Err(self.conflict(CHECKPOINT));
        }
        let published = self.published_keys().await?;
        let known: Vec<VerifierKey> = published.keys.iter().map(|key| key.verifier().clone()).collect();
        let Some(target) = self.target(there.as_ref(), &known).await? else { return Ok(Step::Whole(from)) };
        let (checkpoint, note) = target;
        self.write(from, &checkpoint).await?;
        self.put_keys(published).await?;
        match self.place.replace(CHECKPOINT, &Bytes::from(note), seen.as_ref()).await? {
            Replaced::Done => Ok(Step::To(checkpoint.size)),
            Replaced::Raced => Ok(Step::Raced),
        }
    }

    /// What the copy's checkpoint says; whether it is this log's is seen when it is extended.
    fn parsed(&self, seen: &Seen) -> Result<Checkpoint, Stop> {
        let text = std::str::from_utf8(seen.bytes()).ok();
        let note = text.and_then(|text| text.parse::<SignedCheckpoint>().ok());
        let checkpoint = note.map(|note| note.unverified().clone()).filter(|there| there.origin == self.origin);
        checkpoint.ok_or_else(|| self.conflict(CHECKPOINT))
    }

    /// The checkpoint that the copy gets next: signed by this log's keys, and one that extends what the copy has.
    async fn target(
        &self,
        there: Option<&Checkpoint>,
        known: &[VerifierKey],
    ) -> Result<Option<(Checkpoint, String)>, Stop> {
        let from = there.map_or(0, |there| there.size);
        let mut tx = self.open().await?;
        let next = ledger::next_checkpoint(tx.reading(), from, STRIDE).await?;
        let (target, generation) = match &next {
            Some(signed) => (signed.size, signed.generation),
            None => (from, ledger::published_size(tx.reading()).await?.0),
        };
        let pair = match there {
            Some(there) => Some(match ledger::consistency(tx.reading(), generation, there.size, target).await {
                Err(ProveError::NoCheckpoint { .. }) => return Err(self.conflict(CHECKPOINT)),
                pair => pair?,
            }),
            None => None,
        };
        tx.finish().await?;
        let damaged = || Stop::from(Fault::of(Code::LogDamaged));
        if let Some((pair, there)) = pair.zip(there) {
            let extends = pair.verify(known).map_err(|error: PairError| {
                tracing::error!(event = "audit.stream_refused", cause = %error);
                damaged()
            })?;
            if extends.older.root != there.root {
                return Err(self.conflict(CHECKPOINT));
            }
        }
        let Some(signed) = next else { return Ok(None) };
        let note: SignedCheckpoint = signed.note.parse().map_err(|_| damaged())?;
        let checkpoint = note.verify(known).map_err(|_| damaged())?;
        if (checkpoint.origin.as_str(), checkpoint.size) != (self.origin.as_str(), signed.size) {
            return Err(damaged());
        }
        Ok(Some((checkpoint.clone(), signed.note)))
    }

    /// All that the checkpoint covers beyond `from`.
    async fn write(&self, from: u64, checkpoint: &Checkpoint) -> Result<(), Stop> {
        let mut edges = Vec::new();
        for tile in tiles::edges(checkpoint.size) {
            edges.push((tile, self.hashes(tile).await?));
        }
        let edge = Edge::verified(edges, checkpoint, from)?;
        let mut above = Level::default();
        for level in edge.levels() {
            let mut own = edge.level(level);
            for tile in edge.completed(level) {
                let hashes = self.hashes(tile).await?;
                above.holds(tile, &hashes)?;
                self.put(tile, &hashes).await?;
                if level > 0 {
                    own.extend(&hashes);
                }
            }
            if let Some((tile, hashes)) = edge.partial(level) {
                self.put(tile, hashes).await?;
                own.extend(hashes);
            }
            above = own;
        }
        Ok(())
    }

    /// A tile that was held against the root; with those of the lowest level, the entries.
    async fn put(&self, tile: Tile, hashes: &[Hash]) -> Result<(), Stop> {
        if tile.kind == Kind::Hashes(0) {
            let entries = Tile { kind: Kind::Entries, ..tile };
            let bundle = self.read(entries).await?;
            tiles::entries_hold(entries, &bundle, hashes)?;
            self.place.create(&entries.to_string(), &bundle.into()).await?;
        }
        let bytes: Vec<u8> = hashes.iter().flat_map(Hash::as_bytes).copied().collect();
        Ok(self.place.create(&tile.to_string(), &bytes.into()).await?)
    }

    /// The keys that sign this log, out of those that are published; written when they are others.
    async fn put_keys(&self, mut set: Jwks) -> Result<(), Stop> {
        set.keys.retain(|key| key.verifier().name() == self.origin);
        let text = serde_json::to_vec(&set).map_err(|_| Stop::Job(Failure::for_good("keys_malformed")))?;
        let (bytes, seen) = (Bytes::from(text), self.place.read(KEYS).await?);
        if seen.as_ref().is_none_or(|seen| *seen.bytes() != *bytes) {
            // Whoever is quicker writes the same, or what came after.
            let _replaced = self.place.replace(KEYS, &bytes, seen.as_ref()).await?;
        }
        Ok(())
    }

    async fn published_keys(&self) -> Result<Jwks, Stop> {
        Ok(match self.log {
            Log::Workspace { workspace, .. } => ledger::published_keys(self.ledger, workspace).await?,
            Log::Cell => ledger::published_keys_of_cell(self.ledger).await?,
        })
    }

    async fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, Stop> {
        let bytes = self.read(tile).await?;
        tiles::hashes(&bytes).ok_or_else(|| Fault::at(Code::LogDamaged, tile.to_string()).into())
    }

    async fn read(&self, tile: Tile) -> Result<Vec<u8>, Stop> {
        let mut tx = self.open().await?;
        let bytes = ledger::read_tile(tx.reading(), tile).await?;
        tx.finish().await?;
        bytes.ok_or_else(|| Fault::at(Code::LogDamaged, tile.to_string()).into())
    }

    async fn open(&self) -> Result<Opened, Stop> {
        Ok(match self.right {
            Right::Stream(claimed) => Opened::Own(self.db.workspace_tx(claimed).await?),
            Right::Publication => Opened::Any(self.db.system_tx(OperationalPath::PublishLogs).await?, self.log),
        })
    }

    fn conflict(&self, object: &str) -> Stop {
        Fault::at(Code::StreamConflict, self.place.name(object)).into()
    }
}

/// A transaction that reads the log, for as long as nobody outside is waited for.
enum Opened {
    Own(WorkspaceTx),
    Any(SystemTx, Log),
}

impl Opened {
    fn reading(&mut self) -> LogTx<'_> {
        match self {
            Self::Own(tx) => tx.into(),
            Self::Any(tx, log) => (tx, *log).into(),
        }
    }

    async fn finish(self) -> Result<(), DbError> {
        match self {
            Self::Own(tx) => tx.finish_reading().await,
            Self::Any(tx, _) => tx.finish_reading().await,
        }
    }
}

const CHECKPOINT: &str = "checkpoint";
const KEYS: &str = "keys.json";
