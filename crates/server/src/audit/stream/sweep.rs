//! The job `audit.streams`: finds logs that have gone on since their buckets were written, and hands each to a job of its own.

use std::time::Duration;

use bailiwick_proof::id::Id;

use super::Streams;
use super::run::StreamLog;
use super::sql::{self, At, Worth};
use crate::authz::PermissionSet;
use crate::db::{OperationalPath, Unrecorded};
use crate::jobs::{Claimed, Done, Failure, InCell, Job, Policy};

/// So many entries are written at once: a tile, which is written once, while those that are not full are written again and again.
const ENTRIES: i64 = 256;
/// Fewer wait so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// A job that has not ended so long after it was due has died with its process, more than once.
const LOST: Duration = Duration::from_secs(1_800);
const AT_ONCE: i64 = 500;

/// See the module.
pub struct FindBehind(pub Streams);

impl Job for FindBehind {
    const KIND: &'static str = "audit.streams";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        let Streams { db, queue, clock, .. } = &self.0;
        let now = clock.now();
        let worth = Worth { entries: ENTRIES, waited_since: now - PATIENCE, lost_before: now - LOST };
        let mut tx = db.system_tx(OperationalPath::StreamLogs).await?;
        let behind = sql::behind(&mut tx, &worth, AT_ONCE).await?;
        for (workspace, environment) in behind {
            let job = queue.enqueue_for::<StreamLog>(&mut tx, (workspace, environment), (now, now)).await?;
            sql::take_up(&mut tx, At { workspace, environment, job: Id::uuid(job) }, now).await?;
        }
        tx.commit_unrecorded(Unrecorded::Queued).await?;
        Ok(claimed.done())
    }
}
