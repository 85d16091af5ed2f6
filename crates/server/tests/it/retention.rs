//! What is old goes, by the owner's word alone, and everybody can tell.

mod cli;
mod forged;
mod holds;
mod pages;
mod prune;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::log::Log;
use bailiwick_proof::note::VerifierKey;
use bailiwick_server::clock::Clock;
use bailiwick_server::retention::Pruner;
use bailiwick_server::vault::Meaning;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use time::Duration;
use uuid::Uuid;

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::ledger::report;
use crate::harness::vault;

/// A row of `ledger_cuts`.
type CutRow = (i32, i64, Vec<u8>, Vec<u8>, i64, Uuid, time::OffsetDateTime);

/// Entries of the log that are a hundred days old.
const OLD: u64 = 300;

/// A workspace whose `test` log begins with [`OLD`] old entries. What is written there later is of today.
struct World {
    app: TestApp,
    ada: Person,
    workspace: String,
}

impl World {
    async fn found() -> Self {
        let app = TestApp::start().await;
        let (ada, workspace) = app.founder("ada@example.com", "acme").await;
        let world = Self { app, ada, workspace };
        world.age(OLD).await;
        // Tiles are shown as far as they are signed.
        assert_eq!(world.get("checkpoint").await.status, 200);
        world
    }

    /// Stages so many entries of a hundred days ago, each a second after the one before, and waits for their numbers.
    async fn age(&self, count: u64) {
        let stage = "INSERT INTO ledger_staged (workspace_id, environment, event_id, action, actor, target, recorded_by, meta,
                 trace_id, request_id, staged_at)
             SELECT $1, 'test', (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n), 3, '0')
                     || '8' || substr(md5(n::text), 1, 15))::uuid,
                 'invoice.paid', 'customer-' || n % 7, 'invoice-' || n, 'key_x', '{}', repeat('0', 32), gen_random_uuid(), at
             FROM generate_series(0, $2 - 1) n,
                 LATERAL (SELECT date_trunc('second', now()) - interval '100 days' + n * interval '1 second') AS t (at)
             ORDER BY n";
        let count = i64::try_from(count).unwrap();
        sqlx::query(stage).bind(self.uuid()).bind(count).execute(&self.app.database.owner).await.unwrap();
        self.app.numbered().await;
    }

    fn uuid(&self) -> Uuid {
        self.workspace.parse::<WorkspaceId>().unwrap().uuid()
    }

    fn log(&self) -> Log {
        Log::Workspace { workspace: self.workspace.parse().unwrap(), environment: Environment::Test }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/workspaces/{}/audit/{rest}", self.workspace)
    }

    async fn send(&self, method: Method, rest: &str, body: Option<&Value>) -> Answer {
        let call = self.app.call(method, &self.path(rest)).bearer(&self.ada.access_token);
        let call = call.header("bailiwick-environment", "test");
        if let Some(body) = body { call.json(body).send().await } else { call.send().await }
    }

    async fn get(&self, rest: &str) -> Answer {
        self.send(Method::GET, rest, None).await
    }

    async fn retention(&self) -> Value {
        let answer = self.get("retention").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn set(&self, days: Option<u16>) -> Answer {
        self.send(Method::PUT, "retention", Some(&json!({"days": days}))).await
    }

    /// With so many days, for which the grace is over.
    async fn keeps(&self, days: u16) {
        assert_eq!(self.set(Some(days)).await.status, 200);
        self.sql("UPDATE ledger_retention SET effective_at = effective_at - interval '8 days'").await;
        self.app.vouch().await;
    }

    async fn hold(&self, reason: &str) -> String {
        let answer = self.send(Method::POST, "legal-holds", Some(&json!({"reason": reason}))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.text_of("id")
    }

    async fn release(&self, id: &str) -> Answer {
        self.send(Method::POST, &format!("legal-holds/{id}/release"), Some(&json!({"confirm": id}))).await
    }

    /// Makes something in the log that is of today.
    async fn project(&self, name: &str) -> String {
        let path = format!("/v1/workspaces/{}/projects", self.workspace);
        let call = self.app.post(&path, &json!({"name": name})).bearer(&self.ada.access_token);
        let made = call.header("bailiwick-environment", "test").header("idempotency-key", name).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        self.events("action=project.created&limit=1").await[0]["id"].as_str().unwrap().to_owned()
    }

    async fn events(&self, query: &str) -> Vec<Value> {
        self.get(&format!("events?{query}")).await.json()["data"].as_array().unwrap().clone()
    }

    /// The event of an old entry, by its number.
    async fn event(&self, seq: i64) -> String {
        let id = "SELECT event_id FROM ledger_entries WHERE workspace_id = $1 AND environment = 'test' AND seq = $2";
        let id: Uuid =
            sqlx::query_scalar(id).bind(self.uuid()).bind(seq).fetch_one(&self.app.database.owner).await.unwrap();
        bailiwick_proof::id::EventId::from_uuid(id).to_string()
    }

    async fn sql(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.app.database.owner).await.unwrap();
    }

    async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.app.database.owner).await.unwrap()
    }

    /// Entries of the log that are there.
    async fn entries(&self) -> i64 {
        self.count("SELECT count(*) FROM ledger_entries WHERE environment = 'test'").await
    }

    async fn pruner(&self) -> Pruner {
        Pruner {
            db: self.app.db.clone(),
            ledger: vault::ledger(&self.app.database, &self.app.db).await.unwrap(),
            notary: self.app.notary().await,
            vault: self.app.vault().await,
            clock: Clock::system(),
        }
    }

    async fn prune(&self) -> u64 {
        self.pruner().await.prune(self.log()).await.unwrap()
    }

    /// What the check finds wrong, whichever log it is.
    async fn damages(&self) -> Vec<String> {
        let report = report(&self.app).await;
        report.logs.iter().flat_map(|log| &log.damages).map(|damage| damage.what.clone()).collect()
    }

    /// What anybody was told of so far.
    async fn found_wrong(&self) -> Vec<(String, String)> {
        let alerts = "SELECT what, of_what FROM alerts";
        sqlx::query_as(alerts).fetch_all(&self.app.database.owner).await.unwrap()
    }

    /// As somebody would who has the cell's keys.
    async fn vouch_for_cuts(&self) {
        let cuts = "SELECT generation, pruned_to, root, kept, newest_ms, event_id, cut_at FROM ledger_cuts";
        let cuts: Vec<CutRow> = sqlx::query_as(cuts).fetch_all(&self.app.database.owner).await.unwrap();
        let keys = self.app.vault().await.row_keys("ledger-cut/v1").await.unwrap();
        for (generation, to, root, kept, newest_ms, event, at) in cuts {
            let meaning = Meaning::new().uuid(self.uuid()).text("test").bytes(&generation.to_be_bytes());
            let meaning = meaning.bytes(&to.to_be_bytes()).bytes(&root).bytes(&kept).bytes(&newest_ms.to_be_bytes());
            let mac = keys.sign(&meaning.uuid(event).moment(Some(at)));
            let put = sqlx::query("UPDATE ledger_cuts SET mac = $1 WHERE pruned_to = $2").bind(mac).bind(to);
            put.execute(&self.app.database.owner).await.unwrap();
        }
    }

    async fn keys(&self) -> Vec<VerifierKey> {
        let told = self.app.get(&format!("/w/{}/.well-known/jwks.json", self.workspace)).send().await.json();
        let keys = told["keys"].as_array().unwrap().iter();
        keys.map(|key| key["vkey"].as_str().unwrap().parse().unwrap()).collect()
    }
}

/// What was raised and nobody has taken yet.
async fn raised(pruner: &Pruner) -> Vec<(&'static str, &'static str)> {
    let taken = tokio::time::timeout(std::time::Duration::from_secs(5), pruner.vault.alerts().take()).await;
    let mut found: Vec<_> = taken.expect("an alert").into_iter().map(|alert| (alert.what, alert.of)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

const DAY: Duration = Duration::DAY;
