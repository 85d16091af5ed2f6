//! Ends jobs in batches: whatever came together while the last batch was on its way.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{Inner, sql};
use crate::db::{DbError, LEASE_SECONDS, OperationalPath, Unrecorded};
use crate::jobs::sql::{Ending, Finding};

/// Ends that one statement writes at most.
const BATCH: usize = 512;
/// Before another attempt.
const PAUSE: Duration = Duration::from_millis(250);

/// A job that is tried again.
#[derive(Debug)]
pub(super) struct PutOff {
    pub(super) job: Ending,
    pub(super) due_at: OffsetDateTime,
    pub(super) error: String,
    /// Whether the try that failed is one of those that it has.
    pub(super) is_counted: bool,
}

/// How a job ends, as far as the queue is concerned.
#[derive(Debug)]
pub(super) enum End {
    /// Its work is done.
    Finish(Ending),
    /// It is tried again at that time, because of that.
    PutOff(PutOff),
    /// It is given up because of that; its payload may have to go.
    Bury(Ending, String, bool),
}

/// The way to the task that ends jobs.
pub(super) struct Ender {
    ends: mpsc::UnboundedSender<End>,
    pending: Arc<AtomicUsize>,
    written: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Ender {
    pub(super) fn start(inner: Arc<Inner>) -> Self {
        let (ends, mut received) = mpsc::unbounded_channel();
        let pending = Arc::new(AtomicUsize::new(0));
        let written = Arc::new(Notify::new());
        let (left, tell) = (pending.clone(), written.clone());
        let task = tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            while received.recv_many(&mut batch, BATCH).await > 0 {
                let count = batch.len();
                let sorted = Batch::of(std::mem::take(&mut batch));
                sorted.write(&inner).await;
                left.fetch_sub(count, Ordering::Relaxed);
                tell.notify_one();
            }
        });
        Self { ends, pending, written, task }
    }

    /// Never blocks: whoever claims looks at [`Self::pending`] first.
    pub(super) fn end(&self, end: End) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let _ender_died = self.ends.send(end);
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Resolves when a batch was written since the last call. One waits at a time: whoever claims.
    pub(super) async fn written(&self) {
        self.written.notified().await;
    }

    /// Writes what is left.
    pub(super) async fn close(self) {
        drop(self.ends);
        let _panicked = self.task.await;
    }
}

#[derive(Default)]
struct Batch {
    finished: Vec<Ending>,
    put_off: Vec<PutOff>,
    buried: Vec<(Ending, String, bool)>,
}

impl Batch {
    fn of(ends: Vec<End>) -> Self {
        let mut batch = Self::default();
        for end in ends {
            match end {
                End::Finish(job) => batch.finished.push(job),
                End::PutOff(put_off) => batch.put_off.push(put_off),
                End::Bury(job, error, scrub) => batch.buried.push((job, error, scrub)),
            }
        }
        batch
    }

    /// Until it is written, or every lease in it has run out: then the jobs are somebody else's.
    async fn write(self, inner: &Inner) {
        let begun = Instant::now();
        loop {
            match self.try_write(inner).await {
                Ok(ended) => return self.count(&ended),
                Err(error) => {
                    metrics::counter!("bailiwick_jobs_failures_total", "step" => "end").increment(1);
                    tracing::warn!(event = "jobs.errand_failed", step = "end", cause = %error);
                }
            }
            if begun.elapsed().as_secs_f64() > LEASE_SECONDS {
                tracing::error!(event = "jobs.ends_lost", jobs = self.len());
                return;
            }
            sleep(PAUSE).await;
        }
    }

    fn len(&self) -> usize {
        self.finished.len() + self.put_off.len() + self.buried.len()
    }

    async fn try_write(&self, inner: &Inner) -> Result<HashSet<Uuid>, DbError> {
        let mut tx = inner.db.system_tx(OperationalPath::RunJobs).await?;
        Finding::ByKey.plan(&mut tx).await?;
        let mut ended = HashSet::new();
        if !self.finished.is_empty() {
            ended.extend(sql::finish(&mut tx, &self.finished).await?);
        }
        if !self.put_off.is_empty() {
            ended.extend(sql::put_off(&mut tx, &self.put_off).await?);
        }
        if !self.buried.is_empty() {
            ended.extend(sql::bury(&mut tx, &self.buried, inner.clock.now()).await?);
        }
        tx.commit_unrecorded(Unrecorded::Queued).await?;
        Ok(ended)
    }

    /// Those that are not among the ended had been claimed by somebody else, whose business they are now.
    fn count(&self, ended: &HashSet<Uuid>) {
        let all = self.finished.iter().chain(self.put_off.iter().map(|put_off| &put_off.job));
        let all = all.chain(self.buried.iter().map(|(job, ..)| job));
        let lost = all.filter(|job| !ended.contains(&job.id)).count();
        if lost > 0 {
            metrics::counter!("bailiwick_jobs_leases_lost_total").increment(lost as u64);
            tracing::warn!(event = "jobs.leases_lost", jobs = lost);
        }
    }
}
