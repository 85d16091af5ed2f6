//! The job `audit.stream`: brings one bucket up to its log, step by step.
//!
//! A step goes from the checkpoint that the bucket has to one that was published later, some 16,000 entries further where there is
//! one. What was written of it is no loss when it breaks off: the next one begins at the same checkpoint and finds it there.

use std::time::Duration;

use axum::body::Bytes;
use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::consistency::PairError;
use bailiwick_proof::id::Id;
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::tile::{Kind, Tile};
use serde_json::json;
use tokio::time::Instant;

use super::Streams;
use super::bucket::{Bucket, Replaced, Seen};
use super::fault::{Code, Fault};
use super::model::{Row, Settings, row_of};
use super::reach::Reach;
use super::sql::{self, At};
use super::tiles::{self, Edge, Level};
use crate::authz::{Permission, PermissionSet, may};
use crate::db::{Authority as _, DbError, OperationalPath, Unrecorded};
use crate::jobs::{Claimed, Done, Failure, InWorkspace, Job, Policy};
use crate::ledger::{self, Action, Entry, LedgerError, ProveError};
use crate::vault::{AUDIT_STREAM, Owner, Place, VaultError};

/// Entries that a step covers at most, where a checkpoint was published in between.
const STRIDE: u64 = 64 * 256;
/// A job goes on for so long, and then hands over to the next: another workspace's is due.
const TURN: Duration = Duration::from_secs(120);
/// So often a step is made anew because somebody else has written the checkpoint meanwhile.
const RACES: usize = 5;

/// The job.
pub struct StreamLog(pub Streams);

/// Why a job does not go on.
enum Stop {
    /// The stream does not.
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
            // The bucket's checkpoint is none that this log has published.
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

/// Whether a bucket has all that was signed.
enum Come {
    /// It has.
    Whole,
    /// There is more to do, and it is another one's turn.
    Further,
}

impl Job for StreamLog {
    const KIND: &'static str = "audit.stream";
    const POLICY: Policy = Policy { per_lane: 2, time_limit: Duration::from_secs(900), ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::of(&[Permission::StreamAudit]);
    type Place = InWorkspace;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        claimed.needs::<may::StreamAudit>();
        let job = claimed.id().uuid();
        let mut tx = self.0.db.workspace_tx(&claimed).await?;
        let row = sql::get(&mut tx).await?;
        tx.finish_reading().await?;
        // It was removed, or set anew: another job has it.
        let Some(row) = row.filter(|row| row.job == Some(job)) else { return Ok(claimed.done()) };
        let at = At { workspace: claimed.workspace(), environment: claimed.environment(), job };
        let failures = row.failures;
        match self.follow(&claimed, at, row).await {
            Ok(Come::Whole) => self.rest(at).await?,
            Ok(Come::Further) => self.hand_over(at, Duration::ZERO, None).await?,
            Err(Stop::Fault(fault)) => match fault.code.pause(failures) {
                Some(pause) => self.hand_over(at, pause, Some(&fault)).await?,
                None => return self.stop(claimed, &fault).await,
            },
            Err(Stop::Job(failure)) => return Err(failure),
            Err(Stop::Superseded) => {}
        }
        Ok(claimed.done())
    }
}

impl StreamLog {
    async fn follow(&self, claimed: &Claimed<Self>, at: At, row: Row) -> Result<Come, Stop> {
        let Streams { vault, ledger, networks, .. } = &self.0;
        let log = Log::Workspace { workspace: at.workspace, environment: at.environment };
        let id = row_of(at.workspace, at.environment);
        let place = Place { column: &AUDIT_STREAM, row: id.as_bytes(), subject: None };
        let opened = vault.unseal(Owner::Workspace(at.workspace), &place, &row.settings_sealed).await;
        let settings = match opened {
            Ok(bytes) => Settings::from_bytes(&bytes),
            Err(VaultError::Shredded) => return Err(Stop::Superseded),
            Err(error) => return Err(Stop::Job(error.into())),
        };
        // Sealed here, in another form: by a version of ours that is not known yet.
        let settings = settings.map_err(|_| Stop::Job(Failure::again("settings_malformed")))?;
        // A new workspace's log comes to be with this.
        ledger.settle(log).await?;
        let generation = ledger.checkpoint(log).await?.generation;
        let origin = ledger.origin(log, generation)?.to_string();
        let bucket = Bucket::open(&settings, &origin, &Reach(networks.clone()))?;
        let walk = Walk { streams: &self.0, claimed, at, log, generation, origin, bucket };
        walk.finish().await
    }

    async fn rest(&self, at: At) -> Result<(), Failure> {
        let mut tx = self.0.db.system_tx(OperationalPath::StreamLogs).await?;
        sql::rest(&mut tx, at).await?;
        Ok(tx.commit_unrecorded(Unrecorded::Queued).await?)
    }

    /// Another job goes on after a pause. It is there with the row that names it, or not at all.
    async fn hand_over(&self, at: At, pause: Duration, fault: Option<&Fault>) -> Result<(), Failure> {
        let Streams { db, queue, clock, .. } = &self.0;
        if let Some(fault) = fault {
            metrics::counter!("bailiwick_audit_stream_faults_total", "code" => fault.code.as_str()).increment(1);
            tracing::warn!(event = "audit.stream_failed", workspace_id = %at.workspace, code = fault.code.as_str());
        }
        let now = clock.now();
        let due_at = now + pause;
        let mut tx = db.system_tx(OperationalPath::StreamLogs).await?;
        let next = queue.enqueue_for::<Self>(&mut tx, (at.workspace, at.environment), (now, due_at)).await?;
        if sql::hand_over(&mut tx, at, (Id::uuid(next), due_at), fault.map(|fault| (fault, now))).await? {
            Ok(tx.commit_unrecorded(Unrecorded::Queued).await?)
        } else {
            Ok(tx.finish_reading().await?)
        }
    }

    /// Nothing more is written until somebody sets the stream up anew: it is said in the log itself, once.
    async fn stop(&self, claimed: Claimed<Self>, fault: &Fault) -> Result<Done, Failure> {
        let mut tx = self.0.db.workspace_tx(&claimed).await?;
        if !sql::stop(&mut tx, claimed.id().uuid(), fault).await? {
            tx.finish_reading().await?;
            return Ok(claimed.done());
        }
        metrics::counter!("bailiwick_audit_streams_stopped_total").increment(1);
        let workspace = claimed.workspace();
        tracing::error!(event = "audit.stream_stopped", workspace_id = %workspace, code = fault.code.as_str());
        let meta = json!({"code": fault.code.as_str(), "object": fault.object});
        let entry = Entry::about(Action::AuditStreamStopped, workspace).with(meta);
        let recorded = ledger::stage(&mut tx, &self.0.entropy, entry);
        claimed.commit(tx, recorded).await
    }
}

/// One bucket on its way up to its log.
struct Walk<'a> {
    streams: &'a Streams,
    claimed: &'a Claimed<StreamLog>,
    at: At,
    log: Log,
    generation: u32,
    origin: String,
    bucket: Bucket,
}

impl Walk<'_> {
    async fn finish(self) -> Result<Come, Stop> {
        let (until, mut races) = (Instant::now() + TURN, 0);
        loop {
            // The bucket first: whatever it covers is published here by then, whoever wrote it.
            let seen = self.bucket.read(CHECKPOINT).await?;
            let there = seen.as_ref().map(|seen| self.parsed(seen)).transpose()?;
            let from = there.as_ref().map_or(0, |there| there.size);
            let newest = self.streams.ledger.checkpoint(self.log).await?;
            if newest.generation != self.generation {
                // The log goes on elsewhere, and the next job with it.
                return Ok(Come::Further);
            }
            if from > newest.size {
                return Err(self.conflict(CHECKPOINT));
            }
            let known = self.keys().await?;
            let Some(target) = self.target(there.as_ref(), &known).await? else {
                self.written(from).await?;
                return Ok(Come::Whole);
            };
            let (checkpoint, note) = target;
            self.write(from, &checkpoint).await?;
            match self.bucket.replace(CHECKPOINT, &Bytes::from(note), seen.as_ref()).await? {
                Replaced::Done => self.written(checkpoint.size).await?,
                Replaced::Raced if races < RACES => races += 1,
                Replaced::Raced => return Err(Fault::of(Code::BucketBusy).into()),
            }
            if Instant::now() >= until {
                return Ok(Come::Further);
            }
        }
    }

    /// What the bucket's checkpoint says; whether it is this log's is seen when it is extended.
    fn parsed(&self, seen: &Seen) -> Result<Checkpoint, Stop> {
        let text = std::str::from_utf8(&seen.bytes).ok();
        let note = text.and_then(|text| text.parse::<SignedCheckpoint>().ok());
        let checkpoint = note.map(|note| note.unverified().clone()).filter(|there| there.origin == self.origin);
        checkpoint.ok_or_else(|| self.conflict(CHECKPOINT))
    }

    /// The checkpoint that the bucket gets next: signed by this log's keys, and one that extends what the bucket has.
    async fn target(
        &self,
        there: Option<&Checkpoint>,
        known: &[VerifierKey],
    ) -> Result<Option<(Checkpoint, String)>, Stop> {
        let from = there.map_or(0, |there| there.size);
        let mut tx = self.streams.db.workspace_tx(self.claimed).await?;
        let next = ledger::next_checkpoint(&mut tx, from, STRIDE).await?;
        let (target, generation) = match &next {
            Some(signed) => (signed.size, signed.generation),
            None => (from, ledger::published_size(&mut tx).await?.0),
        };
        let pair = match there {
            Some(there) => Some(match ledger::consistency(&mut tx, generation, there.size, target).await {
                Err(ProveError::NoCheckpoint { .. }) => return Err(self.conflict(CHECKPOINT)),
                pair => pair?,
            }),
            None => None,
        };
        tx.finish_reading().await?;
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

    /// All that the checkpoint covers beyond `from`, and the keys.
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
        self.put_keys().await
    }

    /// A tile that was held against the root; with those of the lowest level, the entries.
    async fn put(&self, tile: Tile, hashes: &[Hash]) -> Result<(), Stop> {
        if tile.kind == Kind::Hashes(0) {
            let entries = Tile { kind: Kind::Entries, ..tile };
            let bundle = self.read(entries).await?;
            tiles::entries_hold(entries, &bundle, hashes)?;
            self.bucket.create(&entries.to_string(), &bundle.into()).await?;
        }
        let bytes: Vec<u8> = hashes.iter().flat_map(Hash::as_bytes).copied().collect();
        Ok(self.bucket.create(&tile.to_string(), &bytes.into()).await?)
    }

    /// The keys that sign this log, as they are published; written when they are others.
    async fn put_keys(&self) -> Result<(), Stop> {
        let mut set = ledger::published_keys(&self.streams.ledger, self.at.workspace).await?;
        set.keys.retain(|key| key.verifier().name() == self.origin);
        let text = serde_json::to_vec(&set).map_err(|_| Stop::Job(Failure::for_good("keys_malformed")))?;
        let (bytes, seen) = (Bytes::from(text), self.bucket.read(KEYS).await?);
        if seen.as_ref().is_none_or(|seen| seen.bytes != bytes) {
            // Whoever is quicker writes the same, or what came after.
            let _replaced = self.bucket.replace(KEYS, &bytes, seen.as_ref()).await?;
        }
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<VerifierKey>, Stop> {
        let set = ledger::published_keys(&self.streams.ledger, self.at.workspace).await?;
        Ok(set.keys.iter().map(|key| key.verifier().clone()).collect())
    }

    async fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, Stop> {
        let bytes = self.read(tile).await?;
        tiles::hashes(&bytes).ok_or_else(|| Fault::at(Code::LogDamaged, tile.to_string()).into())
    }

    async fn read(&self, tile: Tile) -> Result<Vec<u8>, Stop> {
        let mut tx = self.streams.db.workspace_tx(self.claimed).await?;
        let bytes = ledger::read_tile(&mut tx, tile).await?;
        tx.finish_reading().await?;
        bytes.ok_or_else(|| Fault::at(Code::LogDamaged, tile.to_string()).into())
    }

    async fn written(&self, size: u64) -> Result<(), Stop> {
        let Streams { db, clock, .. } = self.streams;
        let mut tx = db.system_tx(OperationalPath::StreamLogs).await?;
        let is_ours = sql::written(&mut tx, self.at, (self.generation, size), clock.now()).await?;
        tx.commit_unrecorded(Unrecorded::Queued).await?;
        // It was removed or set anew: nothing more is written on its behalf.
        if is_ours { Ok(()) } else { Err(Stop::Superseded) }
    }

    fn conflict(&self, object: &str) -> Stop {
        Fault::at(Code::StreamConflict, self.bucket.name(object)).into()
    }
}

const CHECKPOINT: &str = "checkpoint";
const KEYS: &str = "keys.json";
