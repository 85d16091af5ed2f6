//! Ingest over the API in batches of 500, against one INSERT of as many bytes into the same tables and indexes.
//!
//! The INSERT is the least that storing can cost: no head, no hash, no commitment, nothing sealed, no answer that is kept. Both sides work in
//! one database by turns, all in one workspace or around many, whose rows lie apart in every index.

use std::time::Duration;

use anyhow::{Context, ensure};
use bailiwick_server::entropy::Entropy;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::{Caller, Comparison, Options, Sample, Server, Side, block_on, for_a_while};

/// All in one workspace, as the report names it.
pub(crate) const ONE: &str = "ingest_into_one_workspace";
/// Around many.
pub(crate) const MANY: &str = "ingest_into_5000_workspaces";

const BATCH: usize = 500;
const WORKSPACES: usize = 5_000;
/// An access token lives for five minutes.
const FOUNDED_AT_ONCE: usize = 250;
const CLIENTS: usize = 8;
const ROUND: Duration = Duration::from_secs(4);
/// What an entry of these events has in bytes, and what its openings have when they are sealed.
const ENTRY_BYTES: usize = 620;
const SEALED_BYTES: [usize; 4] = [90, 88, 330, 92];

/// # Errors
/// When the server does not come up or refuses.
pub(crate) fn one(options: &Options) -> anyhow::Result<()> {
    run(options, ONE, 1)
}

/// # Errors
/// As [`one`].
pub(crate) fn many(options: &Options) -> anyhow::Result<()> {
    run(options, MANY, WORKSPACES)
}

fn run(options: &Options, name: &'static str, workspaces: usize) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let comparison = Comparison { name, at_least: None, unit: "batches/s", rounds: options.rounds };
        let compared = compare(&server, &comparison, workspaces).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

async fn compare(server: &Server, comparison: &Comparison, workspaces: usize) -> anyhow::Result<()> {
    let tenants = tenants(server, workspaces).await?;
    let mut programs = Vec::with_capacity(CLIENTS);
    let mut writers = Vec::with_capacity(CLIENTS);
    for n in 0..CLIENTS {
        let turn = n * workspaces / CLIENTS;
        programs.push(Program { tenants: tenants.clone(), turn });
        writers.push(Writer::connect(server, workspaces, turn).await?);
    }
    let mut owner = server.connect_owner().await?;
    comparison
        .run(async |side| {
            let (mut sample, batches) = match side {
                Side::Baseline => for_a_while(&mut writers, ROUND, Writer::write).await?,
                Side::Subject => for_a_while(&mut programs, ROUND, Program::record).await?,
            };
            let events = f64::from(u32::try_from(batches * BATCH)?);
            sample.also.push(("events_per_s", events / ROUND.as_secs_f64()));
            settle(&mut owner).await?;
            anyhow::Ok::<Sample>(sample)
        })
        .await?;
    let (entry, openings): (f64, f64) = sqlx::query_as(
        "SELECT avg(octet_length(entry))::float8, (SELECT avg(octet_length(actor_sealed) + octet_length(ip_sealed)
             + octet_length(meta_sealed) + octet_length(target_sealed))::float8 FROM ledger_openings o JOIN workspaces USING (workspace_id))
         FROM ledger_entries JOIN workspaces USING (workspace_id) WHERE action = 'door.opened'",
    )
    .fetch_one(&mut owner)
    .await?;
    let written = SEALED_BYTES.iter().sum::<usize>();
    Comparison::note(&format!(
        "{CLIENTS} clients, batches of {BATCH}, {workspaces} workspaces; an entry has {entry:.0} bytes and its openings {openings:.0}, the \
         INSERT's {ENTRY_BYTES} and {written}; {}",
        server.durable().await?
    ));
    Ok(())
}

/// What one side leaves to be done is done before the other begins.
async fn settle(owner: &mut PgConnection) -> anyhow::Result<()> {
    for _ in 0..3_000 {
        let settled: bool = sqlx::query_scalar(
            "SELECT NOT EXISTS (SELECT FROM ledger_staged) AND NOT EXISTS (SELECT FROM ledger_heads h
             WHERE NOT EXISTS (SELECT FROM ledger_checkpoints c WHERE c.workspace_id = h.workspace_id
                 AND c.environment = h.environment AND c.generation = h.generation AND c.size = h.size))",
        )
        .fetch_one(&mut *owner)
        .await?;
        if settled {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ensure!(false, "the server does not come to the end of what was recorded");
    Ok(())
}

async fn tenants(server: &Server, workspaces: usize) -> anyhow::Result<Vec<Caller>> {
    let mut tenants = Vec::with_capacity(workspaces);
    while tenants.len() < workspaces {
        let founder = server.sign_in(&format!("bench-{}@example.com", tenants.len())).await?;
        for _ in 0..FOUNDED_AT_ONCE.min(workspaces - tenants.len()) {
            let workspace = server.found(&founder, &format!("bench-{}", tenants.len())).await?;
            let caller = server.caller(workspace, &server.api_key(&founder, workspace, "live").await?);
            caller.post("/audit/actions", &json!({"action": "door.opened"})).await?;
            tenants.push(caller);
        }
    }
    Ok(tenants)
}

/// A client of the API, which goes around the workspaces.
struct Program {
    tenants: Vec<Caller>,
    turn: usize,
}

impl Program {
    async fn record(mut self) -> anyhow::Result<Self> {
        self.turn = (self.turn + 1) % self.tenants.len().max(1);
        let events: Vec<Value> = (0..BATCH).map(event).collect();
        let tenant = self.tenants.get(self.turn).context("no workspace")?;
        tenant.post("/audit/events", &json!({ "events": events })).await?;
        Ok(self)
    }
}

fn event(n: usize) -> Value {
    let (actor, target) = (format!("actor-{}", n % 50), format!("door-{n}"));
    json!({"action": "door.opened", "actor": actor, "target": target, "meta": {"floor": n % 9, "by": "card"}})
}

/// A connection that inserts, into logs that no server knows.
struct Writer {
    connection: PgConnection,
    logs: Vec<(Uuid, i64)>,
    turn: usize,
    entropy: Entropy,
}

impl Writer {
    async fn connect(server: &Server, workspaces: usize, turn: usize) -> anyhow::Result<Self> {
        let entropy = Entropy::system();
        let logs = (0..workspaces).map(|_| (Uuid::from_bytes(entropy.bytes()), 0)).collect();
        Ok(Self { connection: server.connect_owner().await?, logs, turn, entropy })
    }

    async fn write(mut self) -> anyhow::Result<Self> {
        self.turn = (self.turn + 1) % self.logs.len().max(1);
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000)?;
        let (log, size) = self.logs.get_mut(self.turn).context("no log")?;
        let (log, first) = (*log, *size);
        *size += i64::try_from(BATCH)?;
        let seqs: Vec<i64> = (first..*size).collect();
        let of = |bytes: usize| -> Vec<Vec<u8>> { (0..BATCH).map(|_| self.bytes(bytes)).collect() };
        let events: Vec<Uuid> = (0..BATCH).map(|_| self.entropy.uuid_v7(now)).collect();
        let (entries, [actors, ips, metas, targets]) = (of(ENTRY_BYTES), SEALED_BYTES.map(of));
        let (actor_indexes, target_indexes) = (of(32), of(32));
        sqlx::query(
            "WITH told AS (SELECT * FROM UNNEST($2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[],
                     $9::bytea[], $10::bytea[]) AS told (seq, event, entry, actor, ip, meta, target, actor_index, target_index)),
                 entries AS (INSERT INTO ledger_entries (workspace_id, environment, generation, seq, event_id, action, recorded_at, entry)
                     SELECT $1, 'live', 1, seq, event, 'door.opened', now(), entry FROM told)
             INSERT INTO ledger_openings (workspace_id, environment, generation, seq, actor_sealed, ip_sealed, meta_sealed, target_sealed,
                 actor_subject, meta_subject, target_subject, actor_index, target_index, recorded_at)
             SELECT $1, 'live', 1, seq, actor, ip, meta, target, seq, seq, seq, actor_index, target_index, now() FROM told",
        )
        .bind(log)
        .bind(&seqs)
        .bind(&events)
        .bind(&entries)
        .bind(&actors)
        .bind(&ips)
        .bind(&metas)
        .bind(&targets)
        .bind(&actor_indexes)
        .bind(&target_indexes)
        .execute(&mut self.connection)
        .await?;
        Ok(self)
    }

    fn bytes(&self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 32);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.entropy.bytes::<32>());
        }
        bytes.truncate(count);
        bytes
    }
}
