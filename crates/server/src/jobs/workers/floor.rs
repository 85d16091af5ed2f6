//! The task that owns what is at hand.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use time::OffsetDateTime;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use uuid::Uuid;

use super::Inner;
use super::ender::{End, Ender, PutOff};
use super::errand::{self, Errand};
use crate::context::RequestContext;
use crate::jobs::active::Active;
use crate::jobs::board::{Board, ending};
use crate::jobs::claimed::Done;
use crate::jobs::kind::{DeadPayload, Failure, LEASE_LOST};
use crate::jobs::sql::{DueLane, Ending, Row};
use crate::jobs::wake::{Lane, News};

/// Without a wake-up, lanes are looked for so often: retries, scheduled jobs, and those of nodes that died.
const LOOK: Duration = Duration::from_secs(1);
/// Every so many looks, lanes that are being worked on begin anew as well: something due earlier may have been committed.
const THOROUGH: u32 = 10;
/// Of the time, so much goes into looks at most: a look that takes long is followed by a longer pause.
const LOOK_SHARE: u32 = 20;
/// A third of a lease.
const RENEW: Duration = Duration::from_secs(20);
/// A job whose needs are away is tried again after this long.
const WAITS: Duration = Duration::from_secs(5);
/// Jobs that are claimed ahead of a free worker at most.
const AHEAD: usize = 512;
/// Ends that wait to be written: beyond, nothing is claimed.
const PENDING: usize = 2_000;

/// A job that ran.
struct Ended {
    lane: Lane,
    job: Ending,
    attempts: i16,
    ran: Duration,
    outcome: Result<Done, Failure>,
}

/// What is at hand, and what is on its way.
pub(super) struct Floor {
    inner: Arc<Inner>,
    board: Board,
    active: Active,
    jobs: JoinSet<Ended>,
    aborts: HashMap<(Uuid, i64), AbortHandle>,
    errands: JoinSet<Errand>,
    ender: Ender,
    is_claiming: bool,
    is_looking: bool,
    is_renewing: bool,
    /// Where the next look begins, when the last one did not come to the end of all lanes.
    looked_to: Option<DueLane>,
    next_look: Instant,
    looks: u32,
    /// How many are claimed ahead: as many as ended during the last claim, or twice as many if workers had nothing to do
    /// when it came back. Otherwise claims would stay as small as what they are too slow for.
    ahead: usize,
    ended_since_claim: usize,
    was_idle: bool,
}

impl Floor {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self {
            ender: Ender::start(inner.clone()),
            inner,
            board: Board::default(),
            active: Active::default(),
            jobs: JoinSet::new(),
            aborts: HashMap::new(),
            errands: JoinSet::new(),
            is_claiming: false,
            is_looking: false,
            is_renewing: false,
            looked_to: None,
            next_look: Instant::now(),
            looks: 0,
            ahead: 0,
            ended_since_claim: 0,
            was_idle: false,
        }
    }

    /// Until `stop`; then in order, within `patience`.
    pub(super) async fn work(mut self, stop: impl Future<Output = ()>, patience: Duration) {
        let mut stop = pin!(stop);
        let mut renewal = interval(RENEW);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let inner = self.inner.clone();
        loop {
            self.begin_jobs();
            self.send_for_jobs();
            tokio::select! {
                () = &mut stop => break,
                Some(ended) = self.jobs.join_next() => {
                    if let Ok(ended) = ended {
                        self.ended(ended);
                    }
                }
                // Or nobody would claim on, where it was the ends that were waited for.
                () = self.ender.written() => {}
                Some(errand) = self.errands.join_next() => {
                    if let Ok(errand) = errand {
                        self.returned(errand);
                    } else {
                        self.errand_died();
                    }
                }
                news = inner.queue.wake().news() => self.heard(news),
                () = sleep_until(self.next_look), if !self.is_looking => self.look(),
                _ = renewal.tick(), if !self.is_renewing => self.renew(),
            }
        }
        self.stop(patience).await;
    }

    fn begin_jobs(&mut self) {
        while self.board.running() < self.inner.slots {
            let Some((lane, row)) = self.board.begin(&self.inner.registry) else { return };
            let key = (row.id, row.fence);
            let abort = self.jobs.spawn(run(self.inner.clone(), lane, row));
            self.aborts.insert(key, abort);
        }
    }

    fn send_for_jobs(&mut self) {
        let at_hand = self.board.waiting() + self.board.running();
        let wanted = (self.inner.slots + self.ahead).saturating_sub(at_hand);
        let is_short = self.board.waiting() <= self.ahead / 2;
        if self.is_claiming || wanted == 0 || !is_short || self.active.is_empty() || self.ender.pending() > PENDING {
            return;
        }
        let asks = self.active.plan(wanted, self.board.room(&self.inner.registry));
        if !asks.is_empty() {
            self.is_claiming = true;
            let ended = if self.was_idle { self.ended_since_claim * 2 } else { self.ended_since_claim };
            self.ahead = ended.max(self.ahead / 2).min(AHEAD);
            self.ended_since_claim = 0;
            self.errands.spawn(errand::claim(self.inner.clone(), asks));
        }
    }

    fn look(&mut self) {
        self.is_looking = true;
        let beginning = || DueLane { workspace_id: Uuid::nil(), kind: String::new(), retrying: false };
        let after = self.looked_to.take().unwrap_or_else(beginning);
        self.errands.spawn(errand::look(self.inner.clone(), after));
    }

    fn renew(&mut self) {
        let at_hand = self.board.all();
        if !at_hand.is_empty() {
            self.is_renewing = true;
            self.errands.spawn(errand::renew(self.inner.clone(), at_hand));
        }
    }

    fn heard(&mut self, news: News) {
        for (lane, due_at) in news.lanes {
            self.active.add(lane, Some(due_at));
        }
        if news.and_others {
            self.next_look = Instant::now();
        }
    }

    fn returned(&mut self, errand: Errand) {
        match errand {
            Errand::Claimed(asks, None) => {
                self.is_claiming = false;
                self.active.not_claimed(asks);
            }
            Errand::Claimed(asks, Some(rows)) => {
                self.is_claiming = false;
                self.was_idle = self.board.waiting() == 0 && self.board.running() < self.inner.slots;
                self.active.claimed(asks, &rows);
                for row in rows {
                    self.take(row);
                }
            }
            Errand::Looked(lanes, took) => {
                self.is_looking = false;
                self.looks += 1;
                let is_thorough = self.looks.is_multiple_of(THOROUGH);
                // With more to come, the next look follows at once.
                self.looked_to = lanes.last().filter(|_| lanes.len() >= errand::LANES).cloned();
                let pause = if self.looked_to.is_some() { took } else { LOOK.max(took * LOOK_SHARE) };
                self.next_look = Instant::now() + pause;
                for DueLane { workspace_id: workspace, kind, retrying } in lanes {
                    if let Some(kind) = self.inner.registry.name(&kind) {
                        let lane = Lane { workspace, kind, retrying };
                        if is_thorough { self.active.add(lane, None) } else { self.active.found(lane) }
                    }
                }
            }
            Errand::Renewed(jobs, held) => {
                self.is_renewing = false;
                if let Some(held) = held {
                    let lost: Vec<Ending> = jobs.into_iter().filter(|job| !held.contains(&job.id)).collect();
                    self.lost(&lost);
                }
            }
        }
    }

    /// Claims, looks and renewals do not panic; if one does, the next one is sent all the same.
    fn errand_died(&mut self) {
        tracing::error!(event = "jobs.errand_died");
        (self.is_claiming, self.is_looking, self.is_renewing) = (false, false, false);
        self.next_look = Instant::now() + LOOK;
    }

    /// A job that was claimed: it waits for a worker, unless it has been tried too often already, which is what a job
    /// does that takes its process down with it.
    fn take(&mut self, row: Row) {
        let Some(kind) = self.inner.registry.name(&row.kind) else { return };
        let attempts = self.inner.registry.kind(kind).map_or(0, |kind| kind.policy.attempts);
        let lane = Lane { workspace: row.workspace_id, kind, retrying: row.retrying };
        if u16::try_from(row.attempts).unwrap_or(u16::MAX) > attempts {
            self.end_badly(lane, ending(&row), row.attempts, &Failure::for_good("lease_expired"));
        } else {
            self.board.add(lane, row);
        }
    }

    /// Somebody else has claimed these.
    fn lost(&mut self, jobs: &[Ending]) {
        for job in jobs {
            if let Some(abort) = self.aborts.remove(&(job.id, job.fence)) {
                abort.abort();
                metrics::counter!("bailiwick_jobs_leases_lost_total").increment(1);
                tracing::warn!(event = "job.lease_lost", job_id = %job.id);
            }
            self.board.end(job.id, job.fence);
        }
        self.board.forget(|job| jobs.contains(job));
    }

    fn ended(&mut self, ended: Ended) {
        let Ended { lane, job, attempts, ran, outcome } = ended;
        self.aborts.remove(&(job.id, job.fence));
        self.board.end(job.id, job.fence);
        self.ended_since_claim += 1;
        metrics::histogram!("bailiwick_jobs_run_seconds", "kind" => lane.kind).record(ran.as_secs_f64());
        match outcome {
            Ok(done) => {
                count(lane.kind, "done");
                if !done.is_ended {
                    self.ender.end(End::Finish(job));
                }
            }
            Err(LEASE_LOST) => count(lane.kind, "lease_lost"),
            Err(failure) => self.end_badly(lane, job, attempts, &failure),
        }
    }

    fn end_badly(&self, lane: Lane, job: Ending, attempts: i16, failure: &Failure) {
        let Some(kind) = self.inner.registry.kind(lane.kind) else { return };
        let (error, tries) = (failure.text(), u16::try_from(attempts).unwrap_or(u16::MAX));
        if failure.waits() {
            tracing::warn!(event = "job.waits", job_id = %job.id, kind = lane.kind, error);
            count(lane.kind, "waits");
            let due_at = self.inner.clock.now() + WAITS;
            self.ender.end(End::PutOff(PutOff { job, due_at, error, is_counted: false }));
        } else if failure.is_final() || tries >= kind.policy.attempts {
            tracing::error!(event = "job.dead", job_id = %job.id, kind = lane.kind, tries, error);
            count(lane.kind, "dead");
            self.ender.end(End::Bury(job, error, kind.policy.dead_payload == DeadPayload::Scrubbed));
        } else {
            let pause = kind.policy.pause(tries, u64::from_be_bytes(self.inner.queue.entropy().bytes()));
            tracing::warn!(event = "job.failed", job_id = %job.id, kind = lane.kind, tries, error);
            count(lane.kind, "retried");
            let due_at = self.inner.clock.now() + pause;
            self.ender.end(End::PutOff(PutOff { job, due_at, error, is_counted: true }));
        }
    }

    /// Gives back what was not begun, waits for the rest, and gives that back too when it takes too long.
    async fn stop(mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut back = self.board.take_waiting();
        while let Ok(Some(errand)) = tokio::time::timeout_at(deadline, self.errands.join_next()).await {
            if let Ok(Errand::Claimed(_, Some(rows))) = errand {
                back.extend(rows.iter().map(ending));
            }
        }
        errand::give_back(&self.inner, &back).await;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.jobs.join_next()).await {
            if let Ok(ended) = ended {
                self.ended(ended);
            }
        }
        let unended = self.board.all();
        self.jobs.shutdown().await;
        errand::give_back(&self.inner, &unended).await;
        self.ender.close().await;
    }
}

/// Runs one job, whatever it does.
async fn run(inner: Arc<Inner>, lane: Lane, row: Row) -> Ended {
    let context = RequestContext::internal(&inner.clock, inner.queue.entropy());
    waited(lane.kind, context.received_at, row.due_at);
    let (job, attempts, begun) = (ending(&row), row.attempts, Instant::now());
    let outcome = match inner.registry.kind(lane.kind) {
        Some(kind) => match inner.queue.open(row.workspace_id, row.id, row.payload_sealed.as_deref()).await {
            Ok(content) => {
                let running = AssertUnwindSafe(kind.run(row, content, context)).catch_unwind();
                match tokio::time::timeout(kind.policy.time_limit, running).await {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(_panic)) => Err(Failure::again("panicked")),
                    Err(_) => Err(Failure::again("timed_out")),
                }
            }
            Err(error) if error.passes() => Err(Failure::waiting("vault_unavailable")),
            Err(_) => Err(Failure::again("payload_does_not_open")),
        },
        None => Err(Failure::again("unknown_kind")),
    };
    Ended { lane, job, attempts, ran: begun.elapsed(), outcome }
}

fn waited(kind: &'static str, now: OffsetDateTime, due_at: OffsetDateTime) {
    metrics::histogram!("bailiwick_jobs_wait_seconds", "kind" => kind).record((now - due_at).as_seconds_f64().max(0.0));
}

fn count(kind: &'static str, outcome: &'static str) {
    metrics::counter!("bailiwick_jobs_ended_total", "kind" => kind, "outcome" => outcome).increment(1);
}
