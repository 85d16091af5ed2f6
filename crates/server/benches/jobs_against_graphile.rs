//! The job queue against the `graphile_worker` crate: jobs from enqueue to done per second, by 24 workers in one process.
//!
//! Each side is a process of its own, on a database of its own of one durable server. Eight tasks of it add jobs one by
//! one, each in a transaction, while its workers do them; the job itself does nothing. What counts is the time until as
//! many jobs were done as were added, where done means gone from the table. The same under a transaction that is held
//! open, which keeps all that was done since in tables and indexes. With 100,000 jobs waiting, nothing is added: so many
//! are left when the clock stops, and what counts is how fast those before them are done.
//!
//! `graphile_worker` is set as its documentation advises for throughput: it fetches 100 jobs ahead and writes what is
//! done together, every 5 ms. Beside it, without a target, the worker that its documentation begins with.

mod held;
mod own;
mod process;
mod side;

use anyhow::{Context, ensure};
use secrecy::ExposeSecret;
use sqlx::{Connection, Executor, PgConnection};

use crate::harness::{Comparison, Options, Sample, Server, Side, block_on, cpu_us};
use held::Held;
pub(crate) use own::serve_if_asked;
use process::Process;
use side::{ADDERS, WORKERS};

/// As the report names it.
pub(crate) const NAME: &str = "jobs_against_graphile";
/// With 100,000 jobs waiting.
pub(crate) const WAITING: &str = "jobs_against_graphile_waiting";
/// With a transaction held open elsewhere.
pub(crate) const HELD: &str = "jobs_against_graphile_held";
/// Against the worker without batches.
pub(crate) const PLAIN: &str = "jobs_against_graphile_plain";
/// Our own rate with a transaction held open, against the rate without.
pub(crate) const CLAIMS: &str = "job_claims_under_held_transaction";

/// Added and done.
const JOBS: usize = 2_000;
/// Wait when the clock stops.
const MANY: usize = 100_000;
/// Done before those.
const DRAINED: usize = 20_000;
/// Done under the held transaction before anything is measured.
const CHURN: usize = 50_000;
const DATABASE: &str = "graphile";
/// What autovacuum would do sooner or later, at the expense of whoever is measured then.
const CLEAN: &str = "VACUUM (ANALYZE)";

/// What is compared.
#[derive(Clone, Copy)]
struct Line {
    name: &'static str,
    at_least: Option<f64>,
    /// How the other side works.
    shape: &'static str,
    /// Jobs that are there before.
    waiting: usize,
    /// Jobs that are added meanwhile.
    adds: usize,
    /// Jobs that are done.
    runs: usize,
    is_held: bool,
}

const LINE: Line =
    Line { name: NAME, at_least: Some(1.0), shape: "batched", waiting: 0, adds: JOBS, runs: JOBS, is_held: false };

/// # Errors
/// When a side does not come up, loses a job, or does not come to an end.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    on_a_server(options, LINE)
}

/// # Errors
/// As [`run`].
pub(crate) fn waiting(options: &Options) -> anyhow::Result<()> {
    on_a_server(options, Line { name: WAITING, waiting: MANY + DRAINED, adds: 0, runs: DRAINED, ..LINE })
}

/// # Errors
/// As [`run`].
pub(crate) fn held(options: &Options) -> anyhow::Result<()> {
    on_a_server(options, Line { name: HELD, is_held: true, ..LINE })
}

/// # Errors
/// As [`run`].
pub(crate) fn plain(options: &Options) -> anyhow::Result<()> {
    on_a_server(options, Line { name: PLAIN, at_least: None, shape: "plain", ..LINE })
}

/// # Errors
/// As [`run`].
pub(crate) fn claims(options: &Options) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let compared = compare_claims(&server, options.rounds).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

fn on_a_server(options: &Options, line: Line) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let compared = compare(&server, options.rounds, line).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

/// A side's process, and its database as the owner sees it.
struct Worked {
    process: Process,
    url: String,
    owner: PgConnection,
}

impl Worked {
    async fn own(server: &Server) -> anyhow::Result<Self> {
        let url = server.urls()?.owner.expose_secret().to_owned();
        Ok(Self { process: Process::own(server).await?, owner: PgConnection::connect(&url).await?, url })
    }

    async fn graphile(server: &Server, shape: &str) -> anyhow::Result<Self> {
        let url = server.create_database(DATABASE).await?;
        Ok(Self { process: Process::graphile(&url, shape).await?, owner: PgConnection::connect(&url).await?, url })
    }

    /// Brings the queue to so many jobs, and the tables in order.
    async fn settle(&mut self, waiting: usize) -> anyhow::Result<()> {
        let left = self.process.left().await?;
        ensure!(waiting > 0 || left == 0, "{left} jobs were added and never done");
        self.process.fill(waiting.saturating_sub(left)).await?;
        self.owner.execute(CLEAN).await?;
        Ok(())
    }

    /// Has jobs done that nobody measures.
    async fn churn(&mut self, jobs: usize) -> anyhow::Result<()> {
        self.process.fill(jobs).await?;
        self.process.work(0, jobs).await?;
        Ok(())
    }

    async fn measure(&mut self, adds: usize, runs: usize) -> anyhow::Result<Sample> {
        let cpu_before = cpu_us();
        let (jobs, seconds) = self.process.work(adds, runs).await?;
        let mut also = Vec::new();
        if let (Some(before), Some(after)) = (cpu_before, cpu_us()) {
            also.push(("cpu_us_per_job", (after - before) / jobs));
        }
        Ok(Sample { rate: jobs / seconds, also })
    }
}

async fn compare(server: &Server, rounds: u32, line: Line) -> anyhow::Result<()> {
    let mut own = Worked::own(server).await?;
    let mut graphile = Worked::graphile(server, line.shape).await.context("the other side")?;
    let mut held = Vec::new();
    for worked in [&mut own, &mut graphile] {
        if line.is_held {
            held.push(Held::open(&worked.url).await?);
            worked.churn(CHURN).await?;
        }
        worked.settle(line.waiting).await?;
    }
    let comparison = Comparison { name: line.name, at_least: line.at_least, unit: "jobs/s", rounds };
    comparison
        .run(async |side| {
            let worked = if side == Side::Subject { &mut own } else { &mut graphile };
            let sample = worked.measure(line.adds, line.runs).await?;
            worked.settle(line.waiting).await?;
            Ok(sample)
        })
        .await?;
    let before = match (line.waiting, line.is_held) {
        (0, false) => "an empty queue".to_owned(),
        (0, true) => format!("a transaction held open since {CHURN} jobs and more"),
        (waiting, _) => format!("{waiting} jobs waiting"),
    };
    Comparison::note(&format!(
        "{} jobs each round, {ADDERS} tasks that add and {WORKERS} workers in a process; {before}; {}",
        line.runs,
        server.durable().await?
    ));
    Ok(())
}

async fn compare_claims(server: &Server, rounds: u32) -> anyhow::Result<()> {
    let mut own = Worked::own(server).await?;
    own.settle(0).await?;
    let comparison = Comparison { name: CLAIMS, at_least: Some(0.5), unit: "jobs/s", rounds };
    comparison
        .run(async |side| {
            let held = match side {
                Side::Subject => Some(Held::open(&own.url).await?),
                Side::Baseline => None,
            };
            own.churn(CHURN).await?;
            own.settle(0).await?;
            own.process.fill(DRAINED).await?;
            let sample = own.measure(0, DRAINED).await?;
            if let Some(held) = held {
                held.close().await?;
            }
            own.settle(0).await?;
            Ok(sample)
        })
        .await?;
    Comparison::note(&format!(
        "{DRAINED} jobs each round, after {CHURN} others that were cleaned up, or could not be; {WORKERS} workers; {}",
        server.durable().await?
    ));
    Ok(())
}
