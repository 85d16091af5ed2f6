//! One side of the comparison: a process that adds jobs, works on them and counts, told so on its stdin. Both programs
//! have this file, so that both are driven and timed by the same lines.
//!
//! ```text
//! fill <n>            adds n jobs, many in a statement, while nobody works; answers `filled`
//! work <adds> <runs>  starts the workers, adds so many jobs one by one meanwhile, and stops when so many have run;
//!                     answers `worked <jobs that are gone from the queue> <seconds until then>`
//! left                answers `left <jobs in the queue>`
//! ```

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

/// Jobs that run at once.
pub(crate) const WORKERS: usize = 24;
/// Tasks that add a job after the other.
pub(crate) const ADDERS: usize = 8;
/// Jobs that a statement adds when many are added.
const TOGETHER: usize = 1_000;

/// What a job is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    order: usize,
    to: String,
}

impl Message {
    fn new(order: usize) -> Self {
        Self { order, to: format!("somebody-{order}@example.com") }
    }
}

/// How many jobs have run.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    ran: AtomicUsize,
    wanted: AtomicUsize,
    reached: Notify,
}

impl Progress {
    /// All that a job does.
    pub(crate) fn ran(&self, message: &Message) {
        std::hint::black_box(message);
        if self.ran.fetch_add(1, Ordering::AcqRel) + 1 == self.wanted.load(Ordering::Acquire) {
            self.reached.notify_one();
        }
    }

    fn begin(&self, wanted: usize) {
        self.ran.store(0, Ordering::Release);
        self.wanted.store(wanted, Ordering::Release);
    }
}

/// A queue and its workers.
pub(crate) trait Side: Send + Sync + 'static {
    /// What its jobs count in.
    fn progress(&self) -> &Progress;
    /// Adds a job in a transaction of its own, due at once.
    fn add(&self, message: Message) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// Adds many, as fast as can be.
    fn add_many(&self, messages: Vec<Message>) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// How many have not been ended.
    fn left(&self) -> impl Future<Output = anyhow::Result<i64>> + Send;
    /// Works with [`WORKERS`] until `stop`, and ends what has run; says when it begins.
    fn work(
        &self,
        ready: oneshot::Sender<()>,
        stop: oneshot::Receiver<()>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Does what is asked for, line by line, until nothing more is.
///
/// # Errors
/// Whatever the side says, or when a line is not understood.
pub(crate) async fn serve(side: impl Side) -> anyhow::Result<()> {
    let side = Arc::new(side);
    println!("ready");
    while let Some(line) = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await?.transpose()? {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["fill", jobs] => {
                fill(&*side, jobs.parse()?).await?;
                println!("filled");
            }
            ["work", adds, runs] => {
                let (jobs, seconds) = work(&side, adds.parse()?, runs.parse()?).await?;
                println!("worked {jobs} {seconds}");
            }
            ["left"] => println!("left {}", side.left().await?),
            _ => bail!("not understood: {line}"),
        }
    }
    Ok(())
}

async fn fill(side: &impl Side, jobs: usize) -> anyhow::Result<()> {
    let mut order = 0..jobs;
    loop {
        let messages: Vec<Message> = order.by_ref().take(TOGETHER).map(Message::new).collect();
        if messages.is_empty() {
            return Ok(());
        }
        side.add_many(messages).await?;
    }
}

/// The clock begins with the workers, and is read when the table is: what has run and is not yet ended does not count.
async fn work<S: Side>(side: &Arc<S>, adds: usize, runs: usize) -> anyhow::Result<(i64, f64)> {
    let before = side.left().await? + i64::try_from(adds)?;
    side.progress().begin(runs);
    let (ready, is_ready) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let working = tokio::spawn({
        let side = side.clone();
        async move { side.work(ready, stopped).await }
    });
    is_ready.await.context("the workers did not begin")?;
    let begun = Instant::now();
    let mut adding = JoinSet::new();
    for adder in 0..ADDERS {
        let side = side.clone();
        adding.spawn(async move {
            for order in (adder..adds).step_by(ADDERS) {
                side.add(Message::new(order)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(added) = adding.join_next().await {
        added??;
    }
    side.progress().reached.notified().await;
    let seconds = begun.elapsed().as_secs_f64();
    let ended = before - side.left().await?;
    ensure!(stop.send(()).is_ok(), "the workers ended before they were told to");
    working.await??;
    Ok((ended, seconds))
}
