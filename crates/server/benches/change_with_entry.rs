//! A business change with its entry, against the same change without.
//!
//! The change is the making of a project, in the very statements that a `WorkspaceTx` sends: `BEGIN` and its settings,
//! the INSERT, `SELECT 1; COMMIT`. Requests cannot be compared, because no request changes anything without an entry;
//! so the statements are copied, and `Mirror` holds the copies to their originals.
//!
//! The server runs beside both sides. A round of the subject ends when the server is through with every entry of it,
//! so that no work is left to the baseline, and what takes that long is in the subject's rate: it is one that lasts.

use std::time::Duration;

use anyhow::{Context, ensure};
use bailiwick_proof::id::{Id, ProjectId, WorkspaceId};
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};

use crate::harness::{Comparison, Mirror, Options, Server, Side, block_on, for_a_while};

/// As the report names it.
pub(crate) const NAME: &str = "a business change with its entry, over the same without";

const CLIENTS: usize = 8;
const WORKSPACES: usize = 16;
const ROUND: Duration = Duration::from_secs(3);

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
    sql: "INSERT INTO ledger_staged (workspace_id, environment, project_id, event_id, action, actor, target, meta,
             trace_id, request_id, external_request_id, client_ip, staged_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    file: "src/ledger/sql.rs",
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
            let (sample, changes) = for_a_while(&mut clients, ROUND, work).await?;
            if entry {
                with_entry += changes;
            }
            Ok(sample)
        })
        .await?;
    let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_staged WHERE action = 'project.created'")
        .fetch_one(&mut owner)
        .await?;
    ensure!(usize::try_from(entries) == Ok(with_entry), "{entries} entries for {with_entry} changes");
    Comparison::note(&format!(
        "{CLIENTS} clients, {WORKSPACES} workspaces, {} each round; {}; {entries} entries for as many changes",
        format_args!("{} s", ROUND.as_secs()),
        server.durable().await?
    ));
    Ok(())
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
            actor: json!({"kind": "user", "id": "usr_01jd3f5gq2ebx8zq0v3k2n6w7r"}),
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
    actor: Value,
}

impl Client {
    async fn change(&mut self, entry: bool) -> anyhow::Result<()> {
        let workspace = self.workspaces.get(self.turn % WORKSPACES).copied().context("no workspace")?;
        self.turn += 1;
        let now = self.clock.now();
        let project: ProjectId = Id::from_uuid(self.entropy.uuid_v7(now));
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

    async fn stage(
        &mut self,
        workspace: WorkspaceId,
        project: ProjectId,
        now: time::OffsetDateTime,
    ) -> anyhow::Result<()> {
        sqlx::query(STAGE.sql)
            .bind(workspace.uuid())
            .bind("live")
            .bind(None::<uuid::Uuid>)
            .bind(self.entropy.uuid_v7(now))
            .bind("project.created")
            .bind(&self.actor)
            .bind(json!({"kind": "project", "id": project.to_string()}))
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
