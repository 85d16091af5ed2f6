//! `graphile_worker` as one side of the comparison in `crates/server/benches/jobs_against_graphile`: a process that adds
//! jobs and works on them, as it is told on its stdin.
//!
//! ```text
//! bailiwick-bench-graphile <database URL> plain|batched
//! ```
//! `plain` is a worker as its documentation begins with; `batched` the one that it recommends for throughput, which
//! fetches jobs ahead into memory and completes them together, as Bailiwick does.

#[path = "../../../crates/server/benches/jobs_against_graphile/side.rs"]
mod side;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::{Mutex, oneshot};

use side::{Message, Progress, Side, WORKERS};

const SCHEMA: &str = "graphile_worker";
/// What `graphile_worker` opens for itself unless told otherwise.
const CONNECTIONS: u32 = 20;
/// From its chapter on workers for throughput, as is the local queue.
const COMPLETED_TOGETHER: Duration = Duration::from_millis(5);
const LOCAL_QUEUE: usize = 100;

#[derive(Deserialize, Serialize, Clone)]
struct Job(Message);

impl TaskHandler for Job {
    const IDENTIFIER: &'static str = "nothing";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let progress = context.get_ext::<Arc<Progress>>().ok_or("no progress is counted")?;
        progress.ran(&self.0);
        Ok::<(), &'static str>(())
    }
}

struct Graphile {
    pool: PgPool,
    /// One of its own, for whom the workers have none to spare.
    counting: Mutex<PgConnection>,
    utils: WorkerUtils,
    is_batched: bool,
    progress: Arc<Progress>,
}

impl Side for Graphile {
    fn progress(&self) -> &Progress {
        &self.progress
    }

    async fn add(&self, message: Message) -> anyhow::Result<()> {
        self.utils.add_job(Job(message), JobSpec::default()).await?;
        Ok(())
    }

    async fn add_many(&self, messages: Vec<Message>) -> anyhow::Result<()> {
        let spec = JobSpec::default();
        let jobs: Vec<(Job, &JobSpec)> = messages.into_iter().map(|message| (Job(message), &spec)).collect();
        self.utils.add_jobs(&jobs).await?;
        Ok(())
    }

    async fn left(&self) -> anyhow::Result<i64> {
        let count = "SELECT count(*) FROM graphile_worker._private_jobs";
        Ok(sqlx::query_scalar(count).fetch_one(&mut *self.counting.lock().await).await?)
    }

    async fn work(&self, ready: oneshot::Sender<()>, stop: oneshot::Receiver<()>) -> anyhow::Result<()> {
        let mut options = WorkerOptions::default()
            .schema(SCHEMA)
            .concurrency(WORKERS)
            .listen_os_shutdown_signals(false)
            .pg_pool(self.pool.clone())
            .add_extension(self.progress.clone())
            .define_job::<Job>();
        if self.is_batched {
            let local_queue = LocalQueueConfig::default().with_size(LOCAL_QUEUE);
            options = options.complete_job_batch_delay(COMPLETED_TOGETHER).local_queue(local_queue);
        }
        let worker = options.init().await?;
        let _nobody_waits = ready.send(());
        let stopping = async {
            let _told = stop.await;
            worker.request_shutdown();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = worker.run() => Ok(ended?),
            () = stopping => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (url, shape) = (arguments.next().context("no database URL")?, arguments.next().context("no shape")?);
    let is_batched = match shape.as_str() {
        "plain" => false,
        "batched" => true,
        other => bail!("neither plain nor batched: {other}"),
    };
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&url).await?;
    let utils = WorkerUtils::new(pool.clone(), SCHEMA);
    utils.migrate().await?;
    let counting = Mutex::new(PgConnection::connect(&url).await?);
    side::serve(Graphile { pool, counting, utils, is_batched, progress: Arc::default() }).await
}
