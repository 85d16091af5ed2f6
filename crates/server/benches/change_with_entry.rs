//! A business change with its entry, against the same change without.
//!
//! The change is the making of a project, in the very statements that a `WorkspaceTx` sends: `BEGIN` and its settings,
//! the INSERT, `SELECT 1; COMMIT`. Requests cannot be compared, because no request changes anything without an entry;
//! so the statements are copied, and `Mirror` holds the copies to their originals.
//!
//! The server runs beside both sides, and links and signs what the subject stages; it finds those entries as it finds
//! another node's, by looking. Each side works for a while before it is measured, so that in the measured time as many
//! entries are linked as are staged; and it ends when the server is through with all of them, so that no work is left
//! to the baseline.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bailiwick_proof::id::{ProjectId, UserId, WorkspaceId};
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::{Comparison, Mirror, Options, Server, Side, block_on, cpu_us, for_a_while};

/// As the report names it.
pub(crate) const NAME: &str = "a business change with its entry, over the same without";

const CLIENTS: usize = 8;
const WORKSPACES: usize = 16;
/// Longer than the server leaves staged entries of another process alone.
const LEAD: Duration = Duration::from_millis(1_500);
const ROUND: Duration = Duration::from_secs(3);
const SETTLED_POLL: Duration = Duration::from_millis(20);
const SETTLED: Duration = Duration::from_secs(60);

const BEGIN: Mirror = Mirror {
    sql: "BEGIN; SET LOCAL app.workspace_id = '{workspace_id}'; SET LOCAL app.environment = '{environment}'; \
          SET LOCAL app.project_id = '{project_id}'; SET LOCAL app.user_id = '{user_id}'; \
          SET LOCAL app.operational_path = '{operational_path}'",
    file: "src/db/tx.rs",
};
const COMMIT: Mirror = Mirror { sql: "SELECT 1; COMMIT", file: "src/db/tx.rs" };
const PROJECT: Mirror = Mirror {
    sql: "INSERT INTO projects (workspace_id, environment, id, name, created_at) VALUES ($1, $2, $3, $4, $5)",
    file: "src/projects/sql.rs",
};
const STAGE: Mirror = Mirror {
    sql:
        "INSERT INTO ledger_staged (workspace_id, environment, project_id, event_id, action, actor, target, recorded_by,
             meta, trace_id, request_id, external_request_id, client_ip, staged_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    file: "src/ledger/stage/sql.rs",
};

/// # Errors
/// When a statement is no longer the server's, the server does not come up, or an entry is missing.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    [BEGIN, COMMIT, PROJECT, STAGE].iter().try_for_each(Mirror::check)?;
    block_on(async {
        let server = Server::start().await?;
        let compared = compare(&server, options.rounds).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

async fn compare(server: &Server, rounds: u32) -> anyhow::Result<()> {
    let comparison = Comparison { name: NAME, at_least: 0.85, unit: "changes/s", rounds };
    let mut clients = clients(server).await?;
    let mut owner = server.connect_owner().await?;
    let mut with_entry = 0;
    comparison
        .run(async |side| {
            let entry = side == Side::Subject;
            let work = move |mut client: Client| async move {
                client.change(entry).await?;
                Ok(client)
            };
            let cpu_before = cpu_us();
            let (_, changes_before) = for_a_while(&mut clients, LEAD, work).await?;
            let linked_before = linked(&mut owner).await?;
            let (mut sample, changes) = for_a_while(&mut clients, ROUND, work).await?;
            if entry {
                with_entry += changes_before + changes;
                let linked = linked(&mut owner).await? - linked_before;
                sample.also.push(("linked_per_change", float(linked) / float(changes)));
                sample.also.push(("settled_ms", settle(&mut owner).await?.as_secs_f64() * 1e3));
            }
            if let (Some(before), Some(after)) = (cpu_before, cpu_us()) {
                sample.also.push(("cpu_us_per_change", (after - before) / float(changes_before + changes)));
            }
            Ok(sample)
        })
        .await?;
    let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_entries WHERE action = 'project.created'")
        .fetch_one(&mut owner)
        .await?;
    ensure!(usize::try_from(entries) == Ok(with_entry), "{entries} entries for {with_entry} changes");
    Comparison::note(&format!(
        "{CLIENTS} clients, {WORKSPACES} workspaces, {} s each round; {}; {entries} entries for as many changes",
        ROUND.as_secs(),
        server.durable().await?
    ));
    Ok(())
}

/// How many entries all logs have together.
async fn linked(owner: &mut PgConnection) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("SELECT coalesce(sum(size), 0)::bigint FROM ledger_heads").fetch_one(owner).await?)
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

async fn clients(server: &Server) -> anyhow::Result<Vec<Client>> {
    let founder = server.sign_in("bench@example.com").await?;
    let mut workspaces = Vec::with_capacity(WORKSPACES);
    for n in 0..WORKSPACES {
        workspaces.push(server.found(&founder, &format!("bench-{n}")).await?);
    }
    let mut clients = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        // Each starts elsewhere, so that they do not go around in step.
        workspaces.rotate_left(WORKSPACES / CLIENTS);
        clients.push(Client {
            connection: server.connect_runtime().await?,
            workspaces: workspaces.clone(),
            turn: 0,
            clock: Clock::system(),
            entropy: Entropy::system(),
            actor: UserId::from_uuid(Entropy::system().uuid_v7(Clock::system().now())).to_string(),
        });
    }
    Ok(clients)
}

/// A connection of the server's role, and the tenants that it works for in turn.
struct Client {
    connection: PgConnection,
    workspaces: Vec<WorkspaceId>,
    turn: usize,
    clock: Clock,
    entropy: Entropy,
    actor: String,
}

impl Client {
    async fn change(&mut self, entry: bool) -> anyhow::Result<()> {
        let workspace = self.workspaces.get(self.turn % WORKSPACES).copied().context("no workspace")?;
        self.turn += 1;
        let now = self.clock.now();
        let project = ProjectId::from_uuid(self.entropy.uuid_v7(now));
        self.connection.execute(AssertSqlSafe(begin(workspace))).await?;
        sqlx::query(PROJECT.sql)
            .bind(workspace.uuid())
            .bind("live")
            .bind(project.uuid())
            .bind(project.to_string())
            .bind(now)
            .execute(&mut self.connection)
            .await?;
        if entry {
            self.stage(workspace, project, now).await?;
        }
        self.connection.execute(COMMIT.sql).await?;
        Ok(())
    }

    async fn stage(&mut self, workspace: WorkspaceId, project: ProjectId, now: OffsetDateTime) -> anyhow::Result<()> {
        sqlx::query(STAGE.sql)
            .bind(workspace.uuid())
            .bind("live")
            .bind(None::<Uuid>)
            .bind(self.entropy.uuid_v7(now))
            .bind("project.created")
            .bind(&self.actor)
            .bind(project.to_string())
            .bind(&self.actor)
            .bind(json!({}))
            .bind(format!("{:032x}", u128::from_be_bytes(self.entropy.bytes())))
            .bind(self.entropy.uuid_v7(now))
            .bind(None::<&str>)
            .bind("127.0.0.1")
            .bind(now)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}

fn begin(workspace: WorkspaceId) -> String {
    BEGIN
        .sql
        .replace("{workspace_id}", &workspace.uuid().to_string())
        .replace("{environment}", "live")
        .replace("{project_id}", "*")
        .replace("{user_id}", "")
        .replace("{operational_path}", "")
}

/// Exact for whatever fits into a benchmark.
fn float(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::NAN, f64::from)
}
