//! A workspace whose jobs are done by workers of the test.

use bailiwick_server::vault::Vault;
use std::sync::Arc;

use bailiwick_proof::commitment::Field;
use bailiwick_proof::id::{JobId, WorkspaceId};
use bailiwick_server::authn::authenticate_key;
use bailiwick_server::authz::{Granted, Memberships, Principal, Request, grant, may};
use bailiwick_server::clock::Clock;
use bailiwick_server::config;
use bailiwick_server::context::RequestContext;
use bailiwick_server::db::embedded::Urls;
use bailiwick_server::db::{Db, WorkspaceTx};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::feed::Feed;
use bailiwick_server::jobs::{self, InWorkspace, Job, Queue, Registry, Schedule, Workers};
use bailiwick_server::ledger::{self, Entry};
use secrecy::SecretString;
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::harness::app::TestApp;
use crate::harness::openings::openings;
use crate::harness::pooler::Pooler;
use crate::harness::process::until;
use crate::harness::vault::parts;

/// How jobs get to the database.
#[derive(Clone)]
pub struct Way {
    pub runtime_url: SecretString,
    pub system_url: SecretString,
    pub pooler: config::Pooler,
}

/// A cell with one workspace. The server's own workers do not know the kinds of the tests, and leave them alone.
pub struct Shop {
    pub app: Arc<TestApp>,
    /// The cell's id.
    pub cell: Uuid,
    pub way: Way,
    /// By that way.
    pub db: Db,
    pub queue: Queue,
    pub workspace: Uuid,
    workspace_id: String,
    key: String,
}

impl Shop {
    pub async fn open() -> Self {
        let app = Arc::new(TestApp::start().await);
        let Urls { runtime, system, .. } = app.database.urls.clone();
        let way = Way { runtime_url: runtime, system_url: system, pooler: config::Pooler::None };
        let db = app.db.clone();
        Self::on(app, way, db, "acme").await
    }

    /// What enqueues and what works goes through PgBouncer in transaction mode, and so few connections.
    pub async fn behind_a_pooler(connections: usize) -> (Self, Pooler) {
        let app = Arc::new(TestApp::start().await);
        let pooler = Pooler::before(&app.database, connections).await;
        let [runtime_url, system_url] = [&pooler.runtime_url, &pooler.system_url].map(|url| url.clone().into());
        let way = Way { runtime_url, system_url, pooler: config::Pooler::Transaction };
        let db = Db::connect(&way.runtime_url, &way.system_url, 10, way.pooler).unwrap();
        (Self::on(app, way, db, "acme").await, pooler)
    }

    /// Another workspace of the same cell, whose jobs wake nobody.
    pub async fn beside_without_waking(&self) -> Self {
        Self::on(self.app.clone(), self.way.clone(), self.db.clone(), "asleep").await
    }

    /// Another workspace of the same cell, whose jobs wake the same workers.
    pub async fn beside(&self, slug: &str) -> Self {
        Self { queue: self.queue.clone(), ..Self::on(self.app.clone(), self.way.clone(), self.db.clone(), slug).await }
    }

    async fn on(app: Arc<TestApp>, way: Way, db: Db, slug: &str) -> Self {
        let (person, workspace_id) = app.founder(&format!("{slug}@example.com"), slug).await;
        let key = app.api_key(&person, &workspace_id, &json!({"name": "k", "scopes": ["management"]})).await;
        let parts = parts(&app.database, &db).await;
        let cell = parts.cell;
        let vault = Vault::open(parts).await.unwrap();
        let workspace = workspace_id.parse::<WorkspaceId>().unwrap().uuid();
        let key = key["key"].as_str().unwrap().to_owned();
        Self { app, cell, way, db, queue: Queue::new(vault, Entropy::system()), workspace, workspace_id, key }
    }

    /// The same, whose jobs are sealed by another vault.
    pub fn sealing_by(self, vault: Vault) -> Self {
        Self { queue: Queue::new(vault, Entropy::system()), ..self }
    }

    async fn granted(&self) -> Granted<may::RecordEvent> {
        let context = RequestContext::internal(&Clock::system(), &Entropy::system());
        let feed = Feed::new(self.db.clone(), self.app.notary().await, &Clock::system(), &Entropy::system());
        let holder = authenticate_key(&feed, &self.key, context.received_at, None).await.unwrap();
        let request = Request { workspace: &self.workspace_id, environment: None, context: &context };
        grant(Principal::Key(holder), &Memberships::default(), request).unwrap()
    }

    /// A transaction of a request.
    pub async fn tx(&self) -> WorkspaceTx {
        self.db.workspace_tx(&self.granted().await).await.unwrap()
    }

    /// Hands jobs over in a transaction that is committed.
    pub async fn enqueue<J: Job<Place = InWorkspace>>(&self, payloads: &[J::Payload]) -> Vec<JobId> {
        let mut tx = self.tx().await;
        let now = tx.context().received_at;
        let ids = self.queue.enqueue_all::<J>(&mut tx, payloads, now).await.unwrap();
        let entry = Entry::told("test.asked".to_owned(), "test".to_owned(), String::new(), json!({})).unwrap();
        let recorded = ledger::stage(&mut tx, &Entropy::system(), entry);
        tx.commit(recorded).await.unwrap();
        ids
    }

    /// A node's workers, which know these kinds.
    pub fn workers(&self, registry: Registry, slots: usize) -> Workers {
        self.scheduled(registry, slots, Vec::new())
    }

    /// Those that also enqueue what comes again and again.
    pub fn scheduled(&self, registry: Registry, slots: usize, schedules: Vec<Schedule>) -> Workers {
        let (db, queue) = (self.db.clone(), self.queue.clone());
        Workers::new(jobs::Parts { db, queue, registry, schedules, clock: Clock::system(), slots })
    }

    /// Two of them, on a node with another clock.
    pub fn by_clock(&self, clock: Clock, registry: Registry, schedules: Vec<Schedule>) -> Workers {
        let (db, queue) = (self.db.clone(), self.queue.clone());
        Workers::new(jobs::Parts { db, queue, registry, schedules, clock, slots: 2 })
    }

    /// Has one node work until something holds.
    pub async fn work(&self, registry: Registry, slots: usize, holds: impl AsyncFnMut() -> bool) {
        self.workers(registry, slots).run(until(holds)).await;
    }

    /// The number that a statement answers, as the owner sees it.
    pub async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.app.database.owner).await.unwrap()
    }

    /// The text that a statement answers.
    pub async fn text(&self, sql: &str) -> Option<String> {
        let text = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_optional(&self.app.database.owner);
        text.await.unwrap().flatten()
    }

    pub async fn execute(&self, sql: &str) {
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&self.app.database.owner).await.unwrap();
    }

    /// Jobs of the test's kinds that wait or run.
    pub async fn left(&self) -> i64 {
        self.number("SELECT count(*) FROM jobs_ready WHERE kind LIKE 'test.%'").await
    }

    /// Lease by lease, as if the nodes that hold them had been silent for long.
    pub async fn expire_leases(&self) {
        self.execute("UPDATE jobs_ready SET leased_until = now() - interval '1 second' WHERE leased_until IS NOT NULL")
            .await;
    }

    /// The same for those with this fence.
    pub async fn expire_leases_under(&self, fence: i64) {
        let expire = "UPDATE jobs_ready SET leased_until = now() - interval '1 second'
            WHERE leased_until IS NOT NULL AND fence = $1";
        sqlx::query(expire).bind(fence).execute(&self.app.database.owner).await.unwrap();
    }

    /// The targets of the entries of this action in the workspace's log.
    pub async fn targets(&self, action: &str) -> Vec<String> {
        self.app.numbered().await;
        let openings = openings(&self.app, self.workspace, Some(action)).await;
        openings.into_iter().map(|mut fields| fields.remove(&Field::Target).unwrap().value).collect()
    }
}
