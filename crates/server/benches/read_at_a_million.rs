//! What reading costs in a log of a million entries, against the same in a log of a thousand: a page of the newest, a page of a search,
//! and the proof that an entry is in the log.
//!
//! Both logs stand in one database, recorded over the API in the same way. A rate that does not fall says that nothing is read which grows
//! with the log; `p50_ms` and `p99_ms` stand beside it.

use std::time::Duration;

use anyhow::Context;
use bailiwick_server::entropy::Entropy;
use serde_json::{Value, json};

use crate::harness::{Caller, Comparison, Options, Server, Side, block_on, for_a_while};

/// A page of the newest entries, and of those after a cursor in the middle.
pub(crate) const PAGES: &str = "audit_page_at_a_million";
/// A page of a search.
pub(crate) const SEARCH: &str = "audit_search_at_a_million";
/// A receipt of an entry anywhere in the log.
pub(crate) const PROOF: &str = "audit_proof_at_a_million";

const MILLION: usize = 1_000_000;
const THOUSAND: usize = 1_000;
/// Of one request.
const BATCH: usize = 1_000;
const ACTORS: usize = 500;
const CLIENTS: usize = 4;
const ROUND: Duration = Duration::from_secs(3);
/// The last page's cursor, and some events from all over the log.
const SAMPLES: usize = 200;

/// What a client asks for.
#[derive(Clone, Copy)]
enum Question {
    Pages,
    Search,
    Proof,
}

/// One of the logs, as a client knows it.
#[derive(Clone)]
struct Log {
    caller: Caller,
    size: usize,
    events: Vec<String>,
    cursors: Vec<String>,
    entropy: Entropy,
}

/// # Errors
/// When the server does not come up or refuses.
pub(crate) fn pages(options: &Options) -> anyhow::Result<()> {
    run(options, PAGES, Question::Pages)
}

/// # Errors
/// As [`pages`].
pub(crate) fn search(options: &Options) -> anyhow::Result<()> {
    run(options, SEARCH, Question::Search)
}

/// # Errors
/// As [`pages`].
pub(crate) fn proof(options: &Options) -> anyhow::Result<()> {
    run(options, PROOF, Question::Proof)
}

fn run(options: &Options, name: &'static str, question: Question) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let comparison = Comparison { name, at_least: Some(0.5), unit: "answers/s", rounds: options.rounds };
        let compared = compare(&server, &comparison, question).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

async fn compare(server: &Server, comparison: &Comparison, question: Question) -> anyhow::Result<()> {
    let small = Log::record(server, "small", THOUSAND).await?;
    let large = Log::record(server, "large", MILLION).await?;
    let mut owner = server.connect_owner().await?;
    for table in ["ledger_entries", "ledger_openings", "ledger_hashes"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("VACUUM (ANALYZE) {table}"))).execute(&mut owner).await?;
    }
    let mut asking = [vec![small; CLIENTS], vec![large; CLIENTS]];
    comparison
        .run(async |side| {
            let [small, large] = &mut asking;
            let clients = if side == Side::Baseline { small } else { large };
            let (sample, _) = for_a_while(clients, ROUND, move |log: Log| log.ask(question)).await?;
            Ok(sample)
        })
        .await?;
    Comparison::note(&format!(
        "{CLIENTS} clients; a log of {MILLION} entries against one of {THOUSAND}, in one database; {}",
        server.durable().await?
    ));
    Ok(())
}

impl Log {
    /// Founds a workspace and records so many events in it.
    async fn record(server: &Server, slug: &str, size: usize) -> anyhow::Result<Self> {
        let founder = server.sign_in(&format!("{slug}@example.com")).await?;
        let workspace = server.found(&founder, slug).await?;
        let caller = server.caller(workspace, &server.api_key(&founder, workspace, "live").await?);
        for action in ["door.opened", "door.closed", "door.broken"] {
            caller.post("/audit/actions", &json!({ "action": action })).await?;
        }
        let mut log = Self { caller, size, events: Vec::new(), cursors: Vec::new(), entropy: Entropy::system() };
        let batches = size.div_ceil(BATCH);
        for batch in 0..batches {
            let events: Vec<Value> = (batch * BATCH..(batch + 1) * BATCH).map(event).collect();
            let told = log.caller.post("/audit/events", &json!({ "events": events })).await?;
            if batch % batches.div_ceil(SAMPLES) == 0 {
                let told: Value = serde_json::from_str(&told)?;
                let id = told.pointer("/events/0/id").and_then(Value::as_str).context("no id of an event")?;
                log.events.push(id.to_owned());
            }
        }
        // Cursors from all over: of the pages that begin at some of the actors' last entries.
        for actor in (0..ACTORS).step_by(ACTORS / 20) {
            let page = log.caller.get(&format!("/audit/events?limit=1&actor=actor-{actor}")).await?;
            let page: Value = serde_json::from_str(&page)?;
            log.cursors.extend(page.get("next_cursor").and_then(Value::as_str).map(str::to_owned));
        }
        Ok(log)
    }

    async fn ask(self, question: Question) -> anyhow::Result<Self> {
        let chance = usize::try_from(u32::from_be_bytes(self.entropy.bytes()))?;
        let path = match question {
            Question::Pages => match self.cursors.get(chance % (2 * self.cursors.len().max(1))) {
                Some(cursor) => format!("/audit/events?cursor={cursor}"),
                None => "/audit/events".to_owned(),
            },
            Question::Search => self.search(chance),
            Question::Proof => {
                let event = self.events.get(chance % self.events.len().max(1)).context("no event")?;
                format!("/audit/events/{event}/receipt")
            }
        };
        self.caller.get(&path).await?;
        Ok(self)
    }

    /// A question that has an answer in both logs.
    fn search(&self, chance: usize) -> String {
        let (actor, target) = (chance % ACTORS, chance % self.size);
        match chance % 5 {
            0 => format!("/audit/events?actor=actor-{actor}"),
            1 => format!("/audit/events?target=door-{target}"),
            2 => "/audit/events?action=door.broken".to_owned(),
            3 => format!("/audit/events?actor=actor-{actor}&action=door.closed"),
            _ => format!("/audit/events?actor=actor-{actor}&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"),
        }
    }
}

fn event(n: usize) -> Value {
    let action = match n % 1_000 {
        0 => "door.broken",
        n if n % 2 == 0 => "door.closed",
        _ => "door.opened",
    };
    json!({"action": action, "actor": format!("actor-{}", n % ACTORS), "target": format!("door-{n}"), "meta": {"n": n}})
}
