//! The job `audit.stream`: brings one bucket up to its log, step by step (`copy`).

use std::time::Duration;

use bailiwick_proof::id::Id;
use bailiwick_proof::log::Log;
use serde_json::json;
use tokio::time::Instant;

use super::Streams;
use super::bucket::Bucket;
use super::copy::{LogCopy, Right, Step, Stop};
use super::fault::{Code, Fault};
use super::model::{Row, Settings, row_of};
use super::place::Place;
use super::reach::Reach;
use super::sql::{self, At};
use crate::authz::{Permission, PermissionSet, may};
use crate::db::{Authority as _, OperationalPath, Unrecorded};
use crate::jobs::{Claimed, Done, Failure, InWorkspace, Job, Policy};
use crate::ledger::{self, Action, Entry};
use crate::vault::{AUDIT_STREAM, Owner, Place as Sealed, VaultError};

/// A job goes on for so long, and then hands over to the next: another workspace's is due.
const TURN: Duration = Duration::from_secs(120);
/// So often a step is made anew because somebody else has written the checkpoint meanwhile.
const RACES: usize = 5;

/// The job.
pub struct StreamLog(pub Streams);

/// Whether a bucket has all that was signed.
enum Come {
    /// It has.
    Whole,
    /// There is more to do, and it is another one's turn.
    Further,
    /// The same, and the bucket has no more than it had before this turn.
    NoFurther,
}

impl Job for StreamLog {
    const KIND: &'static str = "audit.stream";
    const POLICY: Policy = Policy { per_lane: 2, per_node: 3, time_limit: Duration::from_secs(900), ..Policy::QUICK };
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
            Ok(Come::NoFurther) => self.hand_over(at, TURN, None).await?,
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
        let Streams { db, vault, ledger, networks, .. } = &self.0;
        let log = Log::Workspace { workspace: at.workspace, environment: at.environment };
        let id = row_of(at.workspace, at.environment);
        let sealed = Sealed { column: &AUDIT_STREAM, row: id.as_bytes(), subject: None };
        let opened = vault.unseal(Owner::Workspace(at.workspace), &sealed, &row.settings_sealed).await;
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
        let place = Place::Customers(Bucket::open(&settings, &origin, &Reach(networks.clone()))?);
        let copy = LogCopy { db, ledger, right: Right::Stream(claimed), log, generation, origin, place };
        Walk { streams: &self.0, at, copy }.finish(row.size).await
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
    at: At,
    copy: LogCopy<'a>,
}

impl Walk<'_> {
    /// Goes on for a turn from what the bucket had when the one before ended. One that forgets what it has taken would be filled for ever.
    async fn finish(self, had: u64) -> Result<Come, Stop> {
        let (until, mut races, mut has) = (Instant::now() + TURN, 0, 0);
        loop {
            match self.copy.step().await? {
                Step::Whole(size) => {
                    self.written(size).await?;
                    return Ok(Come::Whole);
                }
                Step::To(size) if size <= has => return Err(Fault::of(Code::BucketUnfit).into()),
                Step::To(size) => {
                    self.written(size).await?;
                    has = size;
                }
                Step::Raced if races < RACES => races += 1,
                Step::Raced => return Err(Fault::of(Code::BucketBusy).into()),
                // The next job goes on there.
                Step::Elsewhere => return Ok(Come::Further),
            }
            if Instant::now() >= until {
                return Ok(if has > had { Come::Further } else { Come::NoFurther });
            }
        }
    }

    async fn written(&self, size: u64) -> Result<(), Stop> {
        let Streams { db, clock, .. } = self.streams;
        let mut tx = db.system_tx(OperationalPath::StreamLogs).await?;
        let is_ours = sql::written(&mut tx, self.at, (self.copy.generation, size), clock.now()).await?;
        tx.commit_unrecorded(Unrecorded::Queued).await?;
        // It was removed or set anew: nothing more is written on its behalf.
        if is_ours { Ok(()) } else { Err(Stop::Superseded) }
    }
}
