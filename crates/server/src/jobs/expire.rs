//! What was given up and nobody looked after goes, payload and all: the scheduled job `jobs.expire_dead`.

use time::Duration;

use super::sql;
use super::{Claimed, Done, Failure, InCell, Job, Policy};
use crate::authz::PermissionSet;
use crate::clock::Clock;
use crate::db::{Db, OperationalPath, Unrecorded};

/// For so long an operator can look at a dead job and retry it.
const KEPT: Duration = Duration::days(30);

/// The job.
pub struct ExpireDead {
    db: Db,
    clock: Clock,
}

impl ExpireDead {
    /// With what it needs.
    #[must_use]
    pub const fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }
}

impl Job for ExpireDead {
    const KIND: &'static str = "jobs.expire_dead";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        let mut tx = self.db.system_tx(OperationalPath::RunJobs).await?;
        let (now, _) = tx.two_clocks(self.clock.now()).await?;
        sql::expire_dead(&mut tx, now - KEPT).await?;
        tx.commit_unrecorded(Unrecorded::Expired).await?;
        Ok(claimed.done())
    }
}
