//! What is published of logs: daily roots, manifests, tiles.

mod daily;
mod manifest;
mod store;
mod tiles;
mod witness;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::log::Log;
use bailiwick_server::ledger::Ledger;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::cli::Home;
use crate::harness::app::{Answer, Person, TestApp};

/// A workspace and its founder.
struct Acme {
    app: TestApp,
    person: Person,
    workspace: String,
}

impl Acme {
    async fn found() -> Self {
        let app = TestApp::start().await;
        let (person, workspace) = app.founder("ada@example.com", "acme").await;
        app.numbered().await;
        Self { app, person, workspace }
    }

    fn live(&self) -> Log {
        Log::Workspace { workspace: self.workspace.parse().unwrap(), environment: Environment::Live }
    }

    /// A node's ledger whose clock is so far ahead.
    async fn ledger(&self, ahead: time::Duration) -> Ledger {
        crate::harness::ledger::beside(&self.app, ahead).await
    }

    /// An event of the customer's own; answers its id and number.
    async fn record(&self, target: &str) -> Value {
        self.record_all([target.to_owned()]).await["events"][0].clone()
    }

    async fn record_all(&self, targets: impl IntoIterator<Item = String>) -> Value {
        let event = |target| json!({"action": "door.opened", "actor": "ada", "target": target});
        let body = json!({"events": targets.into_iter().map(event).collect::<Vec<Value>>()});
        let path = format!("/v1/workspaces/{}/audit/events", self.workspace);
        let told = self.app.post(&path, &body).bearer(&self.person.access_token).send().await;
        assert_eq!(told.status, 201, "{}", told.text);
        told.json()
    }

    /// A machine on which the founder is signed in.
    async fn at_home(&self) -> Home {
        let home = Home::new();
        let login = ["login", "--token-stdin", "--server", &self.app.url];
        home.run(&login, &self.person.access_token).await.ok();
        home.run(&["workspaces", "use", &self.workspace], "").await.ok();
        home
    }

    async fn by_owner(&self, statement: &str) {
        sqlx::query(AssertSqlSafe(statement)).execute(&self.app.database.owner).await.unwrap();
    }

    /// What everybody gets below the workspace's well-known path.
    async fn public(&self, path: &str) -> Answer {
        self.app.get(&format!("/w/{}/.well-known/{path}", self.workspace)).send().await
    }
}
