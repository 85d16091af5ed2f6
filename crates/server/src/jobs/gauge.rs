//! How much there is of each kind, for `/metrics`.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::registry::Registry;
use super::sql;
use crate::clock::Clock;
use crate::db::{Db, DbError, OperationalPath};

const EVERY: Duration = Duration::from_secs(15);
/// Of the time, so much goes into counting at most: a queue that takes long to count is counted more rarely.
const SHARE: u32 = 50;

/// Counts until it is dropped. Every node tells the same numbers: they are the cell's.
pub(super) async fn keep(db: &Db, clock: &Clock, registry: &Registry) {
    loop {
        let begun = Instant::now();
        if let Err(error) = count(db, clock, registry).await {
            tracing::warn!(event = "jobs.not_counted", cause = %error);
        }
        sleep(EVERY.max(begun.elapsed() * SHARE)).await;
    }
}

async fn count(db: &Db, clock: &Clock, registry: &Registry) -> Result<(), DbError> {
    let mut tx = db.system_tx(OperationalPath::RunJobs).await?;
    let counts = sql::counts(&mut tx).await?;
    tx.finish_reading().await?;
    let now = clock.now();
    for kind in registry.names() {
        let of_kind = counts.iter().find(|count| count.kind == kind);
        let oldest = of_kind.and_then(|count| count.oldest_due_at);
        let age = oldest.map_or(0.0, |due_at| (now - due_at).as_seconds_f64().max(0.0));
        gauge("bailiwick_jobs_waiting", kind, of_kind.map_or(0, |count| count.waiting));
        gauge("bailiwick_jobs_running", kind, of_kind.map_or(0, |count| count.running));
        gauge("bailiwick_jobs_dead", kind, of_kind.map_or(0, |count| count.dead));
        metrics::gauge!("bailiwick_jobs_oldest_seconds", "kind" => kind).set(age);
    }
    let unknown = |count: &&sql::Count| registry.name(&count.kind).is_none() && count.waiting + count.running > 0;
    let mut waiting = 0;
    for count in counts.iter().filter(unknown) {
        waiting += count.waiting;
        tracing::warn!(event = "jobs.unknown_kind", kind = count.kind, waiting = count.waiting);
    }
    gauge("bailiwick_jobs_waiting", "unknown", waiting);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts beyond 2^52 jobs")]
fn gauge(name: &'static str, kind: &'static str, value: i64) {
    metrics::gauge!(name, "kind" => kind).set(value as f64);
}
