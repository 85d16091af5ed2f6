//! What comes again and again: enqueued once in the cell when it is time, however many nodes there are.
//!
//! The row of a schedule moves to its next time in the transaction that enqueues the job, under the row's lock: whoever
//! comes second finds a time that has not come. After a pause the job runs once, not as often as it was missed, and a log
//! event says how often that was. While the last one is not done yet, no other is added.

mod sql;

use std::time::Duration;

use time::{OffsetDateTime, Time};
use tokio::time::{Instant, sleep};

pub(super) use self::sql::{ScheduleRow, all};

use super::queue::{EnqueueError, Queue};
use crate::clock::Clock;
use crate::db::{Db, OperationalPath, Unrecorded};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often the table is read though nothing is due by this node's memory.
const READ: Duration = Duration::from_secs(30);

/// A node whose clock differs by more from the database's enqueues nothing by it.
const SKEW: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3_600);

/// A kind without a payload, and when it is due.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The kind.
    pub kind: &'static str,
    /// When.
    pub every: Every,
}

/// When something is due.
#[derive(Clone, Copy, Debug)]
pub enum Every {
    /// So long after the last time.
    Interval(Duration),
    /// Each full hour, UTC.
    Hour,
    /// Each day at that time, UTC.
    Day(Time),
}

impl Every {
    /// The first time after `now`, for something that was due at `due` and is run now.
    fn next(self, due: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Interval(interval) => {
                let next = due + interval;
                if next > now { next } else { now + interval }
            }
            Self::Hour => now.truncate_to_hour() + HOUR,
            Self::Day(at) => {
                let today = now.replace_time(at);
                if today > now { today } else { today + time::Duration::DAY }
            }
        }
    }

    /// How often it would have run between `due` and `now`, the run that is made now not counted.
    fn missed(self, due: OffsetDateTime, now: OffsetDateTime) -> u64 {
        let late_ms = u128::try_from((now - due).whole_milliseconds()).unwrap_or_default();
        u64::try_from(late_ms / self.interval().as_millis().max(1)).unwrap_or(u64::MAX)
    }

    /// No next time that was set by now lies beyond this, by clocks that differ by [`SKEW`] at most.
    fn latest(self, now: OffsetDateTime) -> OffsetDateTime {
        now + self.interval() + 2 * SKEW
    }

    /// How far two runs are apart.
    const fn interval(self) -> Duration {
        match self {
            Self::Interval(interval) => interval,
            Self::Hour => HOUR,
            Self::Day(_) => Duration::from_secs(86_400),
        }
    }

    /// When something new is due first.
    fn first(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Interval(_) => now,
            Self::Hour | Self::Day(_) => self.next(now, now),
        }
    }
}

/// Enqueues what is due, until it is dropped.
pub(super) async fn keep(db: &Db, queue: &Queue, clock: &Clock, schedules: &[Schedule]) {
    let mut next = OffsetDateTime::UNIX_EPOCH;
    let mut read_again = Instant::now();
    loop {
        let now = clock.now();
        if now >= next || Instant::now() >= read_again {
            match enqueue_due(db, queue, now, schedules).await {
                Ok(soonest) => next = soonest,
                Err(error) => tracing::warn!(event = "jobs.schedules_failed", cause = %error),
            }
            read_again = Instant::now() + READ;
        }
        sleep(TICK).await;
    }
}

/// Enqueues what is due; answers when the next one will be.
async fn enqueue_due(
    db: &Db,
    queue: &Queue,
    now: OffsetDateTime,
    schedules: &[Schedule],
) -> Result<OffsetDateTime, EnqueueError> {
    let mut tx = db.system_tx(OperationalPath::ScheduleJobs).await?;
    let mut known = all(&mut tx).await?;
    if schedules.iter().any(|schedule| known.iter().all(|row| row.kind != schedule.kind)) {
        for Schedule { kind, every } in schedules {
            sql::insert(&mut tx, kind, every.first(now)).await?;
        }
        tx.commit_unrecorded(Unrecorded::Queued).await?;
        tx = db.system_tx(OperationalPath::ScheduleJobs).await?;
        known = all(&mut tx).await?;
    }
    let ahead_s = sql::seconds_ahead(&mut tx, now).await?;
    tx.finish_reading().await?;
    if ahead_s.abs() > SKEW.as_secs_f64() {
        // What this node took for due would not be, or would be put off for all nodes until its time has come.
        tracing::warn!(event = "jobs.clock_differs", ahead_s);
        return Ok(now + READ);
    }
    let mut soonest = now + READ;
    for Schedule { kind, every } in schedules {
        let Some(row) = known.iter().find(|row| row.kind == *kind) else { continue };
        let next = if row.next_run_at <= now || row.next_run_at > every.latest(now) {
            run(db, queue, now, kind, *every, row.next_run_at).await?
        } else {
            row.next_run_at
        };
        gauges(kind, row.last_run_at.filter(|_| row.next_run_at > now).unwrap_or(now), next);
        soonest = soonest.min(next);
    }
    Ok(soonest)
}

async fn run(
    db: &Db,
    queue: &Queue,
    now: OffsetDateTime,
    kind: &'static str,
    every: Every,
    due: OffsetDateTime,
) -> Result<OffsetDateTime, EnqueueError> {
    // A time that no right clock has set says nothing of when it was due.
    let due = if due > now { now } else { due };
    let next = every.next(due, now);
    let mut tx = db.system_tx(OperationalPath::ScheduleJobs).await?;
    if !sql::advance(&mut tx, kind, &sql::Step { now, latest: every.latest(now), next }).await? {
        tx.finish_reading().await?;
        return Ok(next);
    }
    let is_behind = sql::is_waiting(&mut tx, kind).await?;
    if !is_behind {
        queue.enqueue_scheduled(&mut tx, kind, now).await?;
    }
    tx.commit_unrecorded(Unrecorded::Queued).await?;
    let missed = every.missed(due, now);
    if missed > 0 {
        metrics::counter!("bailiwick_job_schedule_missed_total", "kind" => kind).increment(missed);
        tracing::warn!(event = "jobs.schedule_caught_up", kind, missed);
    }
    if is_behind {
        tracing::warn!(event = "jobs.schedule_behind", kind);
    }
    Ok(next)
}

fn gauges(kind: &'static str, last: OffsetDateTime, next: OffsetDateTime) {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
    let seconds = |at: OffsetDateTime| at.unix_timestamp() as f64;
    metrics::gauge!("bailiwick_job_schedule_last_run_seconds", "kind" => kind).set(seconds(last));
    metrics::gauge!("bailiwick_job_schedule_next_run_seconds", "kind" => kind).set(seconds(next));
}

#[cfg(test)]
mod tests {
    use time::macros::{datetime, time};

    use super::*;

    #[test]
    fn an_interval_keeps_its_beat_and_begins_anew_after_a_pause() {
        let every = Every::Interval(Duration::from_secs(60));
        let due = datetime!(2026-01-01 00:00 UTC);
        for (now, next, missed) in [
            (datetime!(2026-01-01 00:00:01 UTC), datetime!(2026-01-01 00:01 UTC), 0),
            (datetime!(2026-01-01 00:00:59 UTC), datetime!(2026-01-01 00:01 UTC), 0),
            (datetime!(2026-01-01 00:10:30 UTC), datetime!(2026-01-01 00:11:30 UTC), 10),
        ] {
            assert_eq!((every.next(due, now), every.missed(due, now)), (next, missed), "{now}");
        }
        assert_eq!(every.first(due), due);
    }

    #[test]
    fn an_hour_begins_when_it_is_full() {
        let due = datetime!(2026-01-01 03:00 UTC);
        for (now, next, missed) in [
            (datetime!(2026-01-01 03:00 UTC), datetime!(2026-01-01 04:00 UTC), 0),
            (datetime!(2026-01-01 03:59:59 UTC), datetime!(2026-01-01 04:00 UTC), 0),
            (datetime!(2026-01-01 06:30 UTC), datetime!(2026-01-01 07:00 UTC), 3),
        ] {
            assert_eq!((Every::Hour.next(due, now), Every::Hour.missed(due, now)), (next, missed), "{now}");
        }
        assert_eq!(Every::Hour.first(datetime!(2026-01-01 01:20 UTC)), datetime!(2026-01-01 02:00 UTC));
    }

    #[test]
    fn a_day_has_one_time() {
        let every = Every::Day(time!(03:00));
        let due = datetime!(2026-01-01 03:00 UTC);
        for (now, next, missed) in [
            (datetime!(2026-01-01 03:00 UTC), datetime!(2026-01-02 03:00 UTC), 0),
            (datetime!(2026-01-03 02:59 UTC), datetime!(2026-01-03 03:00 UTC), 1),
            (datetime!(2026-01-03 12:00 UTC), datetime!(2026-01-04 03:00 UTC), 2),
        ] {
            assert_eq!((every.next(due, now), every.missed(due, now)), (next, missed), "{now}");
        }
        assert_eq!(every.first(datetime!(2026-01-01 01:00 UTC)), due);
    }
}
