//! A client: what requests ask of the database, in the very statements in which the server asks.

use anyhow::Context;
use bailiwick_proof::id::{ProjectId, WorkspaceId};
use bailiwick_server::api_keys::CreatedApiKey;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::{Mirror, Server};

const BEGIN: Mirror = Mirror {
    sql: "BEGIN; SET LOCAL app.workspace_id = '{workspace_id}'; SET LOCAL app.environment = '{environment}'; \
          SET LOCAL app.project_id = '{project_id}'; SET LOCAL app.user_id = '{user_id}'; \
          SET LOCAL app.operational_path = '{operational_path}'",
    file: "src/db/tx.rs",
};
const COMMIT: Mirror = Mirror { sql: "SELECT 1; COMMIT", file: "src/db/tx.rs" };
/// After the statement that stages, which fails where `SELECT 1` would.
const COMMIT_STAGED: Mirror = Mirror { sql: "self.commit_by(\"COMMIT\")", file: "src/db/tx.rs" };
const LOCK: Mirror =
    Mirror { sql: "SELECT pg_try_advisory_xact_lock($1) AS \"taken!\"", file: "src/http/idempotency.rs" };
const KEPT: Mirror = Mirror {
    sql: "SELECT request_digest, reply_sealed FROM idempotency_records
             WHERE workspace_id = $1 AND environment = $2 AND principal_id = $3 AND key_digest = $4",
    file: "src/http/idempotency.rs",
};
const KEEP: Mirror = Mirror {
    sql: "INSERT INTO idempotency_records
                 (workspace_id, environment, principal_id, key_digest, request_digest, reply_sealed, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
    file: "src/db/closing.rs",
};
/// [`KEEP`] and [`STAGE`] in one.
const CLOSE: Mirror = Mirror {
    sql: "WITH kept AS (
             INSERT INTO idempotency_records
                 (workspace_id, environment, principal_id, key_digest, request_digest, reply_sealed, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
         )
         INSERT INTO ledger_staged (workspace_id, environment, project_id, event_id, action, actor, target, recorded_by,
             meta, trace_id, request_id, external_request_id, client_ip, staged_at, rows)
         VALUES ($1, $2, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $7, $19)",
    file: "src/db/closing.rs",
};
const PROJECT: Mirror = Mirror {
    sql: "INSERT INTO projects (workspace_id, environment, id, name, created_at) VALUES ($1, $2, $3, $4, $5)",
    file: "src/projects/sql.rs",
};
const STAGE: Mirror = Mirror {
    sql:
        "INSERT INTO ledger_staged (workspace_id, environment, project_id, event_id, action, actor, target, recorded_by,
             meta, trace_id, request_id, external_request_id, client_ip, staged_at, rows)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    file: "src/db/closing.rs",
};

/// All that is copied here. Whose key it is, a node knows without asking.
pub(crate) const MIRRORS: [Mirror; 9] = [BEGIN, COMMIT, COMMIT_STAGED, LOCK, KEPT, KEEP, PROJECT, STAGE, CLOSE];

/// What the answer that tells of a new project takes when it is sealed: version, nonce, 260 bytes of JSON, tag.
const SEALED_REPLY: usize = 1 + 12 + 260 + 16;

/// Connections of the server's roles, and the tenants that it works for in turn.
pub(crate) struct Client {
    runtime: PgConnection,
    tenants: Vec<Tenant>,
    turn: usize,
    clock: Clock,
    entropy: Entropy,
}

#[derive(Clone)]
struct Tenant {
    workspace: WorkspaceId,
    key: Uuid,
    /// `key_…`
    actor: String,
}

/// One change on its way: whose it is, and when it was asked for.
pub(crate) struct Transaction<'a> {
    connection: &'a mut PgConnection,
    entropy: &'a Entropy,
    tenant: &'a Tenant,
    now: OffsetDateTime,
}

impl Client {
    pub(super) async fn connect(server: &Server, tenants: &[(WorkspaceId, CreatedApiKey)]) -> anyhow::Result<Self> {
        let tenant = |(workspace, made): &(WorkspaceId, CreatedApiKey)| {
            let (key, actor) = (made.api_key.id.uuid(), made.api_key.id.to_string());
            Tenant { workspace: *workspace, key, actor }
        };
        Ok(Self {
            runtime: server.connect_runtime().await?,
            tenants: tenants.iter().map(tenant).collect(),
            turn: 0,
            clock: Clock::system(),
            entropy: Entropy::system(),
        })
    }

    /// Goes on to the next tenant.
    pub(crate) fn next(&mut self) {
        self.turn = (self.turn + 1) % self.tenants.len().max(1);
    }

    /// Opens the tenant's transaction.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<Transaction<'_>> {
        let tenant = self.tenants.get(self.turn).context("no tenant")?;
        self.runtime.execute(AssertSqlSafe(begin(tenant.workspace))).await?;
        Ok(Transaction { connection: &mut self.runtime, entropy: &self.entropy, tenant, now: self.clock.now() })
    }
}

impl Transaction<'_> {
    /// Takes the lock of an idempotency key that nobody has used, and looks whether it was; answers with its digest.
    pub(crate) async fn look_for_kept(&mut self) -> anyhow::Result<[u8; 32]> {
        let digest: [u8; 32] = self.entropy.bytes();
        let lock = i64::from_be_bytes(self.entropy.bytes());
        sqlx::query(LOCK.sql).bind(lock).fetch_one(&mut *self.connection).await?;
        sqlx::query(KEPT.sql)
            .bind(self.tenant.workspace.uuid())
            .bind("live")
            .bind(self.tenant.key)
            .bind(digest.as_slice())
            .fetch_optional(&mut *self.connection)
            .await?;
        Ok(digest)
    }

    /// Makes a project.
    pub(crate) async fn insert_project(&mut self) -> anyhow::Result<ProjectId> {
        let project = ProjectId::from_uuid(self.entropy.uuid_v7(self.now));
        sqlx::query(PROJECT.sql)
            .bind(self.tenant.workspace.uuid())
            .bind("live")
            .bind(project.uuid())
            .bind(project.to_string())
            .bind(self.now)
            .execute(&mut *self.connection)
            .await?;
        Ok(project)
    }

    /// Stages the entry that tells of it.
    pub(crate) async fn stage(&mut self, project: ProjectId) -> anyhow::Result<()> {
        sqlx::query(STAGE.sql)
            .bind(self.tenant.workspace.uuid())
            .bind("live")
            .bind(project.uuid())
            .bind(self.entropy.uuid_v7(self.now))
            .bind("project.created")
            .bind(&self.tenant.actor)
            .bind(project.to_string())
            .bind(&self.tenant.actor)
            .bind(json!({}))
            .bind(format!("{:032x}", u128::from_be_bytes(self.entropy.bytes())))
            .bind(self.entropy.uuid_v7(self.now))
            .bind(None::<&str>)
            .bind("127.0.0.1")
            .bind(self.now)
            .bind(None::<Vec<u8>>)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Keeps the answer under the idempotency key.
    pub(crate) async fn keep_reply(&mut self, key_digest: [u8; 32]) -> anyhow::Result<()> {
        let (request_digest, sealed): ([u8; 32], [u8; SEALED_REPLY]) = (self.entropy.bytes(), self.entropy.bytes());
        sqlx::query(KEEP.sql)
            .bind(self.tenant.workspace.uuid())
            .bind("live")
            .bind(self.tenant.key)
            .bind(key_digest.as_slice())
            .bind(request_digest.as_slice())
            .bind(sealed.as_slice())
            .bind(self.now)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Both, as the server does for a request with an idempotency key.
    pub(crate) async fn stage_and_keep_reply(
        &mut self,
        project: ProjectId,
        key_digest: [u8; 32],
    ) -> anyhow::Result<()> {
        let (request_digest, sealed): ([u8; 32], [u8; SEALED_REPLY]) = (self.entropy.bytes(), self.entropy.bytes());
        sqlx::query(CLOSE.sql)
            .bind(self.tenant.workspace.uuid())
            .bind("live")
            .bind(self.tenant.key)
            .bind(key_digest.as_slice())
            .bind(request_digest.as_slice())
            .bind(sealed.as_slice())
            .bind(self.now)
            .bind(project.uuid())
            .bind(self.entropy.uuid_v7(self.now))
            .bind("project.created")
            .bind(&self.tenant.actor)
            .bind(project.to_string())
            .bind(&self.tenant.actor)
            .bind(json!({}))
            .bind(format!("{:032x}", u128::from_be_bytes(self.entropy.bytes())))
            .bind(self.entropy.uuid_v7(self.now))
            .bind(None::<&str>)
            .bind("127.0.0.1")
            .bind(None::<Vec<u8>>)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// A commit without an entry looks first whether the transaction is a good one.
    pub(crate) async fn commit(self, entry: bool) -> anyhow::Result<()> {
        self.connection.execute(if entry { "COMMIT" } else { COMMIT.sql }).await?;
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
