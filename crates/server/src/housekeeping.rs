//! What has to be done now and then, as scheduled jobs: once in the cell, and safe to do twice.

use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusHandle;
use time::{Duration as Span, OffsetDateTime};

use crate::audit::{FindBehind, PublishLogs};
use crate::authz::vouched::standing;
use crate::authz::{Notary, PermissionSet};
use crate::clock::Clock;
use crate::db::{Db, DbError, OperationalPath, Unrecorded};
use crate::erasure::RepeatErasures;
use crate::factors::UNCONFIRMED_LIVE;
use crate::jobs::{Claimed, Done, Every, ExpireDead, Failure, InCell, Job, Policy, Registry, Schedule};
use crate::ledger::{self, Ledger, LedgerError};
use crate::reconciliation::Reconciler;
use crate::retention::PruneLogs;
use crate::schema_watch::SchemaWatch;
use crate::server_rotation::DestroyEnded;
use crate::vault::{KEY_AGE, Rewrapped, Vault};

/// A customer's bucket follows its log within that, where a tile is full.
const TEN_SECONDS: Duration = Duration::from_secs(10);
/// What was put back is found within a minute.
const HALF_A_MINUTE: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);
/// After so long without the queue's word a process looks by itself.
pub const PATIENCE: Duration = Duration::from_secs(120);
const METRICS: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3_600);
const REPLAYS_LIVE: Span = Span::days(1);
/// Losers of a parallel refresh come within seconds; until then the successor can be opened.
const SUCCESSORS_LIVE: Span = Span::minutes(1);

/// A sign-in that owes a factor is over long before.
const SECOND_STEPS_LIVE: Span = Span::days(1);
/// A bucket of mails that is full again is as good as none.
const FULL_BUDGETS_LIVE: Span = Span::hours(1);

/// What somebody was to say yes to, and its time is over.
const OVER_LIVE: Span = Span::hours(1);

/// When every log is checked: most cells have little else to do.
const AT_NIGHT: time::Time = time::macros::time!(03:17);
/// A cell with a hundred million entries takes hours.
const CHECK_LIMIT: Duration = Duration::from_secs(12 * 3_600);

/// What is done when.
pub const SCHEDULES: [Schedule; 15] = [
    Schedule { kind: UpkeepOfPartitions::KIND, every: Every::Interval(MINUTE) },
    Schedule { kind: ExpireReplays::KIND, every: Every::Interval(MINUTE) },
    Schedule { kind: ExpireChanges::KIND, every: Every::Interval(MINUTE) },
    Schedule { kind: Reconciler::KIND, every: Every::Interval(HALF_A_MINUTE) },
    Schedule { kind: SchemaWatch::KIND, every: Every::Interval(HALF_A_MINUTE) },
    Schedule { kind: ExpireDead::KIND, every: Every::Interval(HOUR) },
    Schedule { kind: RotateKeys::KIND, every: Every::Interval(HOUR) },
    Schedule { kind: RepeatErasures::KIND, every: Every::Interval(HOUR) },
    Schedule { kind: DestroyEnded::KIND, every: Every::Interval(MINUTE) },
    Schedule { kind: FindBehind::KIND, every: Every::Interval(TEN_SECONDS) },
    Schedule { kind: PublishLogs::KIND, every: Every::Interval(MINUTE) },
    Schedule { kind: MakeDailyRoots::KIND, every: Every::Hour },
    Schedule { kind: PublishManifest::KIND, every: Every::Hour },
    Schedule { kind: PruneLogs::KIND, every: Every::Hour },
    Schedule { kind: CheckLogs::KIND, every: Every::Day(AT_NIGHT) },
];

/// The kinds that [`SCHEDULES`] names.
#[must_use]
pub fn register(registry: Registry, db: &Db, clock: &Clock, reconciler: Reconciler) -> Registry {
    registry
        .with(UpkeepOfPartitions { db: db.clone() })
        .with(ExpireReplays { db: db.clone(), clock: clock.clone() })
        .with(ExpireChanges { db: db.clone() })
        .with(reconciler)
        .with(ExpireDead::new(db.clone(), clock.clone()))
}

/// Keeps the counts of this process from growing, which every process does for itself. A histogram keeps each sample
/// until then: at 100,000 requests a second that is a megabyte a second.
pub async fn tend_metrics(metrics: PrometheusHandle) {
    let mut rounds = tokio::time::interval(METRICS);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        metrics.run_upkeep();
    }
}

/// Looks at rows and schema in this process when it was not told to for so long: somebody may have put the job off who does
/// not want to be found. Never resolves.
pub async fn stand_by(reconciler: &Reconciler, schema: &SchemaWatch, patience: Duration) {
    let mut compared = Instant::now();
    loop {
        tokio::time::sleep(patience / 4).await;
        if reconciler.idle_for() >= patience
            && let Err(error) = reconciler.look().await
        {
            tracing::warn!(event = "reconciliation_failed", cause = %error);
        }
        // Told or not: it costs some ten milliseconds.
        if compared.elapsed() >= patience {
            compared = Instant::now();
            if let Err(error) = schema.look().await {
                tracing::warn!(event = "schema_not_compared", cause = %error);
            }
        }
    }
}

/// The job `housekeeping.partitions`.
struct UpkeepOfPartitions {
    db: Db,
}

impl Job for UpkeepOfPartitions {
    const KIND: &'static str = "housekeeping.partitions";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        partitions(&self.db).await?;
        Ok(claimed.done())
    }
}

/// The job `housekeeping.replays`.
struct ExpireReplays {
    db: Db,
    clock: Clock,
}

impl Job for ExpireReplays {
    const KIND: &'static str = "housekeeping.replays";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        let mut tx = self.db.system_tx(OperationalPath::ExpireReplays).await?;
        let (now, _) = tx.two_clocks(self.clock.now()).await?;
        tx.finish_reading().await?;
        expire_replays(&self.db, now).await?;
        Ok(claimed.done())
    }
}

/// The job `housekeeping.changes`.
struct ExpireChanges {
    db: Db,
}

impl Job for ExpireChanges {
    const KIND: &'static str = "housekeeping.changes";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        expire_changes(&self.db).await?;
        Ok(claimed.done())
    }
}

/// The job `vault.rotate`: data keys past their age get successors, rows are vouched for under the newest key, and what an older version of the KEK wraps is wrapped
/// anew. What it has done it does not find again, so that it goes on where it was interrupted.
pub struct RotateKeys {
    /// The keys.
    pub vault: Vault,
    /// Vouches for rows.
    pub notary: Notary,
    /// Where they stand.
    pub db: Db,
    /// Tells the time.
    pub clock: Clock,
}

impl Job for RotateKeys {
    const KIND: &'static str = "vault.rotate";
    const POLICY: Policy = Policy { time_limit: HOUR, ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        let renewed = self.vault.renew_old_keys(KEY_AGE).await?;
        let vouched = standing::vouch_anew(&self.db, &self.notary, self.clock.now()).await?;
        let Rewrapped { done, refused } = self.vault.rewrap(|_| ()).await?;
        if renewed + vouched + done > 0 {
            tracing::info!(event = "vault.rotated", renewed, vouched, rewrapped = done);
        }
        for (owner, version, why) in refused {
            tracing::error!(event = "vault.not_rewrapped", %owner, version, why);
        }
        Ok(claimed.done())
    }
}

/// The job `ledger.daily_roots`: each hour, for the logs that have no root of the day yet.
pub struct MakeDailyRoots(pub Ledger);

impl Job for MakeDailyRoots {
    const KIND: &'static str = "ledger.daily_roots";
    const POLICY: Policy = Policy { time_limit: HOUR, ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        ledger::make_daily_roots(&self.0).await.map_err(unpublished)?;
        Ok(claimed.done())
    }
}

/// The job `ledger.manifest`: each hour, the manifest of that hour.
pub struct PublishManifest(pub Ledger);

impl Job for PublishManifest {
    const KIND: &'static str = "ledger.manifest";
    const POLICY: Policy = Policy { time_limit: HOUR, ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        ledger::publish_manifest(&self.0).await.map_err(unpublished)?;
        Ok(claimed.done())
    }
}

/// The job `ledger.self_check`: each night, every log against everything that vouches for it.
pub struct CheckLogs(pub Ledger);

impl Job for CheckLogs {
    const KIND: &'static str = "ledger.self_check";
    const POLICY: Policy = Policy { time_limit: CHECK_LIMIT, ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        ledger::self_check(&self.0).await.map_err(unpublished)?;
        Ok(claimed.done())
    }
}

/// What keeps a job of the ledger from its end.
fn unpublished(error: LedgerError) -> Failure {
    match error {
        LedgerError::Db(error) => error.into(),
        LedgerError::Vault(error) => error.into(),
        LedgerError::Journal(error) if error.is_away() => Failure::waiting("anchor_unavailable"),
        error => {
            tracing::error!(event = "jobs.ledger_failed", cause = %error);
            Failure::again("ledger_failed")
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

/// Drops kept answers and second steps that are a day old, the sealed successors of refresh tokens that were used a minute ago, what is known
/// of the mails that addresses got an hour after it counts for nothing, challenges to passkeys that nobody came back with, and authenticators that
/// nobody confirmed.
///
/// # Errors
/// [`DbError`].
pub async fn expire_replays(db: &Db, now: OffsetDateTime) -> Result<(), DbError> {
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
    sqlx::query!(
        "DELETE FROM sign_in_mail_budgets WHERE email_key IN
             (SELECT email_key FROM sign_in_mail_budgets WHERE full_at < $1 LIMIT 50000)",
        now - FULL_BUDGETS_LIVE
    )
    .execute(tx.connection()?)
    .await?;
    sqlx::query!(
        "DELETE FROM second_steps WHERE id IN (SELECT id FROM second_steps WHERE expires_at < $1 LIMIT 50000)",
        now - SECOND_STEPS_LIVE
    )
    .execute(tx.connection()?)
    .await?;
    sqlx::query!(
        "DELETE FROM passkey_ceremonies WHERE id IN
             (SELECT id FROM passkey_ceremonies WHERE expires_at < $1 LIMIT 50000)",
        now
    )
    .execute(tx.connection()?)
    .await?;
    sqlx::query!(
        "DELETE FROM authenticators WHERE id IN
             (SELECT id FROM authenticators WHERE confirmed_at IS NULL AND created_at < $1 LIMIT 50000)",
        now - UNCONFIRMED_LIVE
    )
    .execute(tx.connection()?)
    .await?;
    let over = now - OVER_LIVE;
    sqlx::query!("DELETE FROM device_logins WHERE expires_at < $1", over).execute(tx.connection()?).await?;
    sqlx::query!("DELETE FROM address_changes WHERE expires_at < $1", over).execute(tx.connection()?).await?;
    tx.commit_unrecorded(Unrecorded::Expired).await
}

/// Drops changes of the feed that are an hour old, by the clock that wrote their time down, and that every node has
/// applied: a transaction may commit long after it wrote them, and a node without a row reads everything anew. Those that a
/// restored copy brought along, of transactions that this database has not begun, say nothing here.
///
/// # Errors
/// [`DbError`].
pub async fn expire_changes(db: &Db) -> Result<(), DbError> {
    let mut tx = db.system_tx(OperationalPath::ExpireChanges).await?;
    sqlx::query!(
        "DELETE FROM feed_changes c WHERE c.changed_at < now() - interval '1 hour'
           AND (c.xid >= pg_snapshot_xmax(pg_current_snapshot())
               OR NOT EXISTS (SELECT FROM feed_nodes n WHERE NOT pg_visible_in_snapshot(c.xid, n.applied)))"
    )
    .execute(tx.connection()?)
    .await?;
    tx.commit_unrecorded(Unrecorded::Expired).await
}
