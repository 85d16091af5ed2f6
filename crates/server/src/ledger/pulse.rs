//! How far numbering and signing are behind: a metric, an alert, and a part of readiness.
//!
//! A log that must not grow, for the database is behind what was signed of it, has staged rows for as long as nobody mends
//! that. It is counted apart and makes no node unready: one tenant's damage is not everybody's.

mod sql;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailiwick_proof::log::Log;
use time::OffsetDateTime;
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use super::cell::Ledger;
use super::error::LedgerError;
use super::place;
use super::sign::Unsigned;
use crate::db::OperationalPath;
use crate::http::health::Overdue;
use crate::vault::Alert;

/// How often it is measured.
const MEASURE: Duration = Duration::from_secs(5);
/// Entries are numbered within a second. Who waits longer than this is told of in an alert.
const LAGGING: Duration = Duration::from_secs(30);
/// A node whose oldest entry waits longer than this is not ready.
const UNREADY: Duration = Duration::from_secs(60);

/// How far a process sees the ledger behind.
#[derive(Debug, Default)]
pub struct Pulse {
    seen: Mutex<Seen>,
    overdue: Overdue,
}

#[derive(Debug, Default)]
struct Seen {
    /// For how long the oldest entry of a log that may grow has waited, and when that was measured.
    lag: Option<(Duration, Instant)>,
    /// Logs that must not grow.
    held: HashSet<Log>,
    /// Logs that have grown since they were signed: the size at which they were, and since when that is the newest seen. A log that
    /// grows all the time is never seen whole, and is signed all the same.
    unsigned: HashMap<Log, (u64, Instant)>,
}

/// What is staged of a log.
struct Waiting {
    workspace: Uuid,
    environment: String,
    oldest: OffsetDateTime,
    count: u64,
}

impl Pulse {
    /// For how long the oldest entry that could have been numbered waits for it.
    #[must_use]
    pub fn lag(&self) -> Duration {
        self.seen().lag.map(|(lag, _)| lag).unwrap_or_default()
    }

    /// Whether that is too long for a node to be ready.
    #[must_use]
    pub const fn overdue(&self) -> &Overdue {
        &self.overdue
    }

    /// Notes the logs that the last pass found must not grow.
    pub(super) fn hold(&self, held: HashSet<Log>) {
        self.seen().held = held;
    }

    /// Notes the logs that have no checkpoint of their size; answers for how long one of them has waited for its next.
    pub(super) fn unsigned(&self, logs: &[Unsigned]) -> Duration {
        let now = Instant::now();
        let mut seen = self.seen();
        let before = std::mem::take(&mut seen.unsigned);
        let since = |one: &Unsigned| match before.get(&one.log) {
            Some((signed, since)) if *signed == one.signed => *since,
            _ => now,
        };
        seen.unsigned = logs.iter().map(|one| (one.log, (one.signed, since(one)))).collect();
        let oldest = seen.unsigned.values().map(|(_, since)| now.duration_since(*since)).max().unwrap_or_default();
        metrics::gauge!("bailiwick_ledger_unsigned_logs").set(as_f64(seen.unsigned.len()));
        metrics::gauge!("bailiwick_ledger_unsigned_seconds").set(oldest.as_secs_f64());
        oldest
    }

    /// What is seen now, by this clock. The lag grows no faster than time passes: a clock that jumps ahead makes nobody
    /// unready.
    fn measured(&self, waiting: &[Waiting], clock: OffsetDateTime) -> Duration {
        let now = Instant::now();
        let mut seen = self.seen();
        let is_held =
            |of: &&Waiting| place::log(of.workspace, &of.environment).is_none_or(|log| seen.held.contains(&log));
        let told = waiting.iter().filter(|of| !is_held(of)).map(|of| clock - of.oldest).max();
        let told = told.and_then(|lag| Duration::try_from(lag).ok()).unwrap_or_default();
        let lag = match seen.lag {
            Some((before, at)) => told.min(before + now.duration_since(at) + MEASURE),
            None => told,
        };
        seen.lag = Some((lag, now));
        self.overdue.set(lag > UNREADY);
        let staged: u64 = waiting.iter().map(|of| of.count).sum();
        metrics::gauge!("bailiwick_ledger_lag_seconds").set(lag.as_secs_f64());
        metrics::gauge!("bailiwick_ledger_staged_entries").set(as_f64(usize::try_from(staged).unwrap_or(usize::MAX)));
        metrics::gauge!("bailiwick_ledger_held_logs").set(as_f64(seen.held.len()));
        lag
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Measures until it is dropped.
pub(super) async fn keep(ledger: &Ledger) {
    let mut look = interval(MEASURE);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if let Err(error) = measure(ledger).await {
            tracing::warn!(event = "ledger_unmeasured", cause = %error);
        }
    }
}

async fn measure(ledger: &Ledger) -> Result<(), LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::SequenceLedger).await?;
    let waiting = sql::waiting(&mut tx).await?;
    tx.finish_reading().await?;
    if ledger.pulse().measured(&waiting, ledger.clock().now()) > LAGGING {
        ledger.vault().alerts().raise(Alert {
            what: "ledger_lagging",
            of: "ledger_staged",
            workspace: Uuid::nil(),
            row: String::new(),
        });
    }
    Ok(())
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: fn(OffsetDateTime) -> Waiting =
        |oldest| Waiting { workspace: Uuid::nil(), environment: "live".to_owned(), oldest, count: 1 };

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_ahead_makes_nobody_unready() {
        let (pulse, staged) = (Pulse::default(), OffsetDateTime::UNIX_EPOCH);
        assert_eq!(pulse.measured(&[], staged), Duration::ZERO);
        tokio::time::advance(MEASURE).await;
        pulse.measured(&[CELL(staged)], staged + time::Duration::days(3));
        assert!(pulse.lag() < LAGGING, "{:?}", pulse.lag());
        for _ in 0..12 {
            tokio::time::advance(MEASURE).await;
            pulse.measured(&[CELL(staged)], staged + time::Duration::days(3));
        }
        assert!(pulse.lag() > UNREADY, "an entry that waits for a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_grows_and_is_signed_all_the_time_does_not_wait() {
        let (pulse, look) = (Pulse::default(), Duration::from_secs(10));
        for signed in 0..6 {
            assert_eq!(pulse.unsigned(&[Unsigned { log: Log::Cell, signed }]), Duration::ZERO);
            tokio::time::advance(look).await;
        }
        assert_eq!(
            pulse.unsigned(&[Unsigned { log: Log::Cell, signed: 5 }]),
            look,
            "it was not signed since the last look"
        );
        assert_eq!(pulse.unsigned(&[]), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_must_not_grow_makes_nobody_unready() {
        let (pulse, staged) = (Pulse::default(), OffsetDateTime::UNIX_EPOCH);
        pulse.hold(HashSet::from([Log::Cell]));
        assert_eq!(pulse.measured(&[CELL(staged)], staged + time::Duration::hours(1)), Duration::ZERO);
        pulse.hold(HashSet::new());
        assert!(pulse.measured(&[CELL(staged)], staged + time::Duration::hours(1)) > Duration::ZERO);
    }
}
