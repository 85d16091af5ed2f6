//! What the floor has done in the database while jobs go on running. Each errand is one transaction.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{Inner, sql as ends};
use crate::db::{DbError, OperationalPath, Unrecorded};
use crate::jobs::sql::{self, Ask, DueLane, Ending, Finding, Row};

/// After a failure, before the errand is over.
const PAUSE: Duration = Duration::from_secs(1);
/// Lanes that one look finds at most.
pub(super) const LANES: usize = 256;

/// What an errand brings back.
pub(super) enum Errand {
    /// Jobs of these lanes; `None` when it failed.
    Claimed(Vec<Ask>, Option<Vec<Row>>),
    /// Lanes with something due, and how long it took to find them.
    Looked(Vec<DueLane>, Duration),
    /// The ids whose leases are still ours, of these; `None` when it failed.
    Renewed(Vec<Ending>, Option<HashSet<Uuid>>),
}

pub(super) async fn claim(inner: Arc<Inner>, asks: Vec<Ask>) -> Errand {
    let begun = Instant::now();
    let claimed = async {
        let mut tx = inner.db.system_tx(OperationalPath::RunJobs).await?;
        let rows = sql::claim(&mut tx, &asks, inner.clock.now()).await?;
        if rows.is_empty() {
            tx.finish_reading().await?;
        } else {
            tx.commit_unrecorded(Unrecorded::Queued).await?;
        }
        Ok(rows)
    };
    let claimed = succeeded("claim", claimed.await).await;
    metrics::histogram!("bailiwick_jobs_claim_seconds").record(begun.elapsed().as_secs_f64());
    Errand::Claimed(asks, claimed)
}

pub(super) async fn look(inner: Arc<Inner>, after: DueLane) -> Errand {
    let begun = Instant::now();
    let looked = async {
        let kinds: Vec<String> = inner.registry.names().map(str::to_owned).collect();
        let mut tx = inner.db.system_tx(OperationalPath::RunJobs).await?;
        Finding::InOrder.plan(&mut tx).await?;
        let at_most = i64::try_from(LANES).unwrap_or(i64::MAX);
        let lanes = sql::due_lanes(&mut tx, &kinds, &after, inner.clock.now(), at_most).await?;
        tx.finish_reading().await?;
        Ok(lanes)
    };
    let looked = looked.await;
    // A look that failed was not a long one: what it waited for says nothing of the next.
    let took = if looked.is_ok() { begun.elapsed() } else { Duration::ZERO };
    Errand::Looked(succeeded("look", looked).await.unwrap_or_default(), took)
}

pub(super) async fn renew(inner: Arc<Inner>, jobs: Vec<Ending>) -> Errand {
    let renewed = async {
        let mut tx = inner.db.system_tx(OperationalPath::RunJobs).await?;
        Finding::ByKey.plan(&mut tx).await?;
        let held = ends::renew(&mut tx, &jobs).await?;
        tx.commit_unrecorded(Unrecorded::Queued).await?;
        Ok(held)
    };
    let held = succeeded("renew", renewed.await).await;
    Errand::Renewed(jobs, held)
}

/// Hands jobs back that were never begun, or not ended in time.
pub(super) async fn give_back(inner: &Inner, jobs: &[Ending]) {
    if jobs.is_empty() {
        return;
    }
    let given = async {
        let mut tx = inner.db.system_tx(OperationalPath::RunJobs).await?;
        Finding::ByKey.plan(&mut tx).await?;
        ends::give_back(&mut tx, jobs).await?;
        tx.commit_unrecorded(Unrecorded::Queued).await
    };
    let outcome = match given.await {
        Ok(()) => "given_back",
        Err(error) => {
            tracing::warn!(event = "jobs.not_given_back", jobs = jobs.len(), cause = %error);
            "kept_until_lease_ends"
        }
    };
    tracing::info!(event = "jobs.stopped", jobs = jobs.len(), outcome);
}

async fn succeeded<T>(step: &'static str, outcome: Result<T, DbError>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            metrics::counter!("bailiwick_jobs_failures_total", "step" => step).increment(1);
            tracing::warn!(event = "jobs.errand_failed", step, cause = %error);
            sleep(PAUSE).await;
            None
        }
    }
}
