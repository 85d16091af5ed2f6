//! What has to be done now and then, by every node alike: each piece is safe to do twice.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use time::Duration as Span;

use crate::clock::Clock;
use crate::db::{Db, DbError, OperationalPath, Unrecorded};

const EVERY: Duration = Duration::from_secs(60);
const REPLAYS_LIVE: Span = Span::days(1);
/// Losers of a parallel refresh come within seconds; until then the successor can be opened with the sealing key.
const SUCCESSORS_LIVE: Span = Span::minutes(1);

/// Runs until it is dropped. A failure is logged and tried again a minute later.
pub async fn run(db: Db, clock: Clock, metrics: PrometheusHandle) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        metrics.run_upkeep();
        if let Err(error) = partitions(&db).await {
            tracing::error!(event = "housekeeping_failed", piece = "partitions", cause = %error);
        }
        if let Err(error) = expire_replays(&db, &clock).await {
            tracing::error!(event = "housekeeping_failed", piece = "replays", cause = %error);
        }
        if let Err(error) = expire_changes(&db).await {
            tracing::error!(event = "housekeeping_failed", piece = "changes", cause = %error);
        }
    }
}

/// Makes partitions ahead and drops them behind.
///
/// # Errors
/// [`DbError`].
pub async fn partitions(db: &Db) -> Result<(), DbError> {
    let mut tx = db.system_tx(OperationalPath::PartitionUpkeep).await?;
    sqlx::query!("SELECT made, dropped FROM partition_upkeep()").fetch_one(tx.connection()?).await?;
    tx.commit_unrecorded(Unrecorded::Expired).await
}

/// Drops kept answers that are a day old, and the sealed successors of refresh tokens that were used a minute ago.
///
/// # Errors
/// [`DbError`].
pub async fn expire_replays(db: &Db, clock: &Clock) -> Result<(), DbError> {
    let now = clock.now();
    let before = now - REPLAYS_LIVE;
    let mut tx = db.system_tx(OperationalPath::ExpireReplays).await?;
    sqlx::query!("DELETE FROM idempotency_records WHERE created_at < $1", before).execute(tx.connection()?).await?;
    sqlx::query!("DELETE FROM account_idempotency_records WHERE created_at < $1", before)
        .execute(tx.connection()?)
        .await?;
    sqlx::query!(
        "UPDATE refresh_tokens SET successor_sealed = NULL WHERE used_at < $1 AND successor_sealed IS NOT NULL",
        now - SUCCESSORS_LIVE
    )
    .execute(tx.connection()?)
    .await?;
    tx.commit_unrecorded(Unrecorded::Expired).await
}

/// Drops changes of the feed that are an hour old, by the clock that wrote their time down, and that every node has
/// applied: a transaction may commit long after it wrote them, and a node without a row reads everything anew.
///
/// # Errors
/// [`DbError`].
pub async fn expire_changes(db: &Db) -> Result<(), DbError> {
    let mut tx = db.system_tx(OperationalPath::ExpireChanges).await?;
    sqlx::query!(
        "DELETE FROM feed_changes c WHERE c.changed_at < now() - interval '1 hour'
           AND NOT EXISTS (SELECT FROM feed_nodes n WHERE NOT pg_visible_in_snapshot(c.xid, n.applied))"
    )
    .execute(tx.connection()?)
    .await?;
    tx.commit_unrecorded(Unrecorded::Expired).await
}
