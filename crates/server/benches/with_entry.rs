//! What two comparisons share: the same work with its entry and without, beside a server that links and signs.
//!
//! Requests cannot be compared, because no request changes anything without an entry; so the statements are copied, and
//! `Mirror` holds the copies to their originals.
//!
//! Each side works for a while before it is measured, so that in the measured time as many entries are linked as are
//! staged; and it ends when the server is through with all of them, so that no work is left to the other side. A commit
//! in the server wakes its sequencer, and one in this process does not; so while the subject works, a few requests do
//! (see [`Waker`]), and entries are linked at the pace of a busy server. Those requests are no part of what is counted,
//! and all of their cost is the subject's.

mod client;
mod waker;

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sqlx::postgres::PgConnection;

use crate::harness::{Comparison, Options, Person, Sample, Server, Side, block_on, cpu_us, for_a_while};
pub(crate) use client::{Client, MIRRORS};
use waker::Waker;

const CLIENTS: usize = 8;
const WORKSPACES: usize = 16;
/// Longer than the server leaves staged entries alone.
const LEAD: Duration = Duration::from_millis(1_500);
const ROUND: Duration = Duration::from_secs(3);
const SETTLED_POLL: Duration = Duration::from_millis(20);
const SETTLED: Duration = Duration::from_secs(60);

/// A line of the report.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    /// What is done with and without an entry, for the notes.
    pub(crate) what: &'static str,
    pub(crate) at_least: Option<f64>,
}

/// Measures `work`, whose second argument is whether it leaves an entry.
///
/// # Errors
/// When the server does not come up, or an entry is missing.
pub(crate) fn run<W>(
    options: &Options,
    line: &Line,
    work: impl Fn(Client, bool) -> W + Copy + Send + 'static,
) -> anyhow::Result<()>
where
    W: Future<Output = anyhow::Result<Client>> + Send + 'static,
{
    block_on(async {
        let server = Server::start().await?;
        let compared = compare(&server, options.rounds, line, work).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

async fn compare<W>(
    server: &Server,
    rounds: u32,
    line: &Line,
    work: impl Fn(Client, bool) -> W + Copy + Send + 'static,
) -> anyhow::Result<()>
where
    W: Future<Output = anyhow::Result<Client>> + Send + 'static,
{
    let comparison = Comparison { name: line.name, at_least: line.at_least, unit: "changes/s", rounds };
    let founder = server.sign_in("bench@example.com").await?;
    let mut clients = clients(server, &founder).await?;
    let waker = Waker::new(server, &founder).await?;
    let mut owner = server.connect_owner().await?;
    let mut with_entry = 0;
    comparison
        .run(async |side| {
            let entry = side == Side::Subject;
            let work = move |client: Client| work(client, entry);
            let cpu_before = cpu_us();
            let worked = async {
                let (_, before) = for_a_while(&mut clients, LEAD, work).await?;
                let linked_before = linked(&mut owner).await?;
                let (mut sample, changes) = for_a_while(&mut clients, ROUND, work).await?;
                if entry {
                    let linked = linked(&mut owner).await? - linked_before;
                    sample.also.push(("linked_per_change", float(linked) / float(changes)));
                }
                anyhow::Ok((sample, before + changes))
            };
            let (mut sample, changes): (Sample, usize) = if entry {
                tokio::select! {
                    worked = worked => worked?,
                    error = waker.keep_waking() => return Err(error),
                }
            } else {
                worked.await?
            };
            if entry {
                with_entry += changes;
                waker.wake().await?;
                sample.also.push(("settled_ms", settle(&mut owner).await?.as_secs_f64() * 1e3));
            }
            if let (Some(before), Some(after)) = (cpu_before, cpu_us()) {
                sample.also.push(("cpu_us_per_change", (after - before) / float(changes)));
            }
            Ok(sample)
        })
        .await?;
    let entries: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM ledger_entries WHERE action = 'project.created' AND environment = 'live'",
    )
    .fetch_one(&mut owner)
    .await?;
    ensure!(usize::try_from(entries) == Ok(with_entry), "{entries} entries for {with_entry} changes");
    Comparison::note(&format!(
        "{}; {CLIENTS} clients, {WORKSPACES} workspaces, {} s each round; {}; {entries} entries for as many changes",
        line.what,
        ROUND.as_secs(),
        server.durable().await?
    ));
    Ok(())
}

/// How many entries the logs of the environment that is worked in have together.
async fn linked(owner: &mut PgConnection) -> anyhow::Result<i64> {
    let sizes = "SELECT coalesce(sum(size), 0)::bigint FROM ledger_heads WHERE environment = 'live'";
    Ok(sqlx::query_scalar(sizes).fetch_one(owner).await?)
}

/// Waits until the server has linked all that is staged and signed all that is linked; answers for how long.
async fn settle(owner: &mut PgConnection) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    loop {
        let settled: bool = sqlx::query_scalar(
            "SELECT NOT EXISTS (SELECT FROM ledger_staged) AND NOT EXISTS (SELECT FROM ledger_heads h
             WHERE NOT EXISTS (SELECT FROM ledger_checkpoints c WHERE c.workspace_id = h.workspace_id
                 AND c.environment = h.environment AND c.generation = h.generation AND c.size = h.size))",
        )
        .fetch_one(&mut *owner)
        .await?;
        if settled {
            return Ok(begun.elapsed());
        }
        ensure!(begun.elapsed() < SETTLED, "the server does not come to the end of its staged entries");
        tokio::time::sleep(SETTLED_POLL).await;
    }
}

async fn clients(server: &Server, founder: &Person) -> anyhow::Result<Vec<Client>> {
    let mut tenants = Vec::with_capacity(WORKSPACES);
    for n in 0..WORKSPACES {
        let workspace = server.found(founder, &format!("bench-{n}")).await?;
        let key = server.api_key(founder, workspace, "live").await?;
        tenants.push((workspace, key));
    }
    let mut clients = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        // Each starts elsewhere, so that they do not go around in step.
        tenants.rotate_left(WORKSPACES / CLIENTS);
        clients.push(Client::connect(server, &tenants).await.context("a client")?);
    }
    Ok(clients)
}

/// Exact for whatever fits into a benchmark.
fn float(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::NAN, f64::from)
}
