//! Secrets of customers: entrusted, read, given other values, rotated, deleted.

mod at_rest;
mod put_back;
mod reveal;
mod rotation;
mod rotation_killed;

use bailiwick_proof::id::{SecretId, WorkspaceId};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::secrets;

/// What no list, log, dump or error may show.
const VALUE: &str = "canary-7f3a91c2d8-of-a-secret";

/// A server with somebody who may do everything.
struct World {
    app: TestApp,
    ada: Person,
    workspace: String,
}

impl World {
    async fn found() -> Self {
        secrets::record(VALUE);
        let app = TestApp::start().await;
        let (ada, workspace) = app.founder("ada@example.com", "acme").await;
        Self { app, ada, workspace }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/workspaces/{}/secrets{rest}", self.workspace)
    }

    async fn send(&self, method: Method, rest: &str, body: Option<Value>) -> Answer {
        let call = self.app.call(method, &self.path(rest)).bearer(&self.ada.access_token);
        match body {
            Some(body) => call.json(&body).send().await,
            None => call.send().await,
        }
    }

    async fn post(&self, rest: &str, body: Value) -> Answer {
        self.send(Method::POST, rest, Some(body)).await
    }

    async fn get(&self, rest: &str) -> Answer {
        self.send(Method::GET, rest, None).await
    }

    /// A generic secret with [`VALUE`]; answers its id.
    async fn secret(&self, name: &str) -> String {
        let made = self.post("", json!({"name": name, "kind": "generic", "value": VALUE})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.text_of("id")
    }

    async fn reveal(&self, id: &str, body: Value) -> Answer {
        self.post(&format!("/{id}/reveal"), body).await
    }

    async fn add_version(&self, id: &str, value: &str) -> Answer {
        secrets::record(value);
        let added = self.post(&format!("/{id}/versions"), json!({"value": value})).await;
        assert_eq!(added.status, 201, "{}", added.text);
        added
    }

    async fn actions(&self) -> Vec<String> {
        let mut actions = self.app.actions(Some(&self.workspace)).await;
        assert_eq!(actions.remove(0), "workspace.created");
        actions
    }

    /// An access token of the same session, after the one before has expired.
    async fn refresh(&mut self) {
        let body = json!({"refresh_token": self.ada.refresh_token});
        self.ada = self.app.post("/auth/refresh", &body).send().await.person();
    }

    fn uuids(&self, secret: &str) -> (uuid::Uuid, uuid::Uuid) {
        let workspace: WorkspaceId = self.workspace.parse().unwrap();
        let secret: SecretId = secret.parse().unwrap();
        (workspace.uuid(), secret.uuid())
    }
}

#[tokio::test]
async fn a_secret_lives_from_its_making_to_its_deletion() {
    let world = World::found().await;
    let made = world.post("", json!({"name": "db.main", "kind": "generic", "value": VALUE})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.text_of("id");
    assert!(id.starts_with("sec_"));
    assert_eq!(made.headers["location"], world.path(&format!("/{id}")).as_str());
    let taken = world.post("", json!({"name": "db.main", "kind": "generic", "value": "x"})).await;
    assert_eq!(taken.problem(), (409, "name_taken".to_owned()));

    let listed = world.get("").await.json();
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["newest_version"]), (&json!(id), &json!(1)));
    assert_eq!(world.get("?name=db.main&kind=generic").await.json()["data"][0]["id"], id);
    assert_eq!(world.get("?name=db.other").await.json()["data"], json!([]));
    assert_eq!(world.get("?kind=database").await.json()["data"], json!([]));

    assert_eq!(world.reveal(&id, json!({})).await.text_of("value"), VALUE);
    let added = world.add_version(&id, "another value of it").await.json();
    assert_eq!((&added["newest_version"], &added["versions"][0]["version"]), (&json!(2), &json!(2)));
    assert_eq!(world.reveal(&id, json!({})).await.text_of("value"), "another value of it");
    assert_eq!(world.reveal(&id, json!({"version": 1})).await.text_of("value"), VALUE, "the one before stays");
    for unknown in [0, 3, 4_000_000_000_u32] {
        assert_eq!(world.reveal(&id, json!({"version": unknown})).await.problem().1, "not_found", "{unknown}");
    }

    assert_eq!(world.send(Method::DELETE, &format!("/{id}"), None).await.status, 204);
    for gone in [world.get(&format!("/{id}")).await, world.reveal(&id, json!({})).await] {
        assert_eq!(gone.problem(), (404, "not_found".to_owned()));
    }
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM secret_versions").fetch_one(&world.app.database.owner).await.unwrap();
    assert_eq!(left, 0, "what was sealed is gone");
    let again = world.secret("db.main").await;
    assert_ne!(again, id, "the name is free");
    let (made, read) = ("secret.created", "secret.revealed");
    let told = [made, read, "secret.version_added", read, read, "secret.deleted", made];
    assert_eq!(world.actions().await, told, "one entry for each");
}

#[tokio::test]
async fn no_answer_but_that_to_a_reading_has_a_value() {
    let world = World::found().await;
    let id = world.secret("token").await;
    world.add_version(&id, "second value of the token").await;
    world.reveal(&id, json!({})).await;
    let answers = [
        world.get("").await,
        world.get(&format!("/{id}")).await,
        world.get(&format!("/{id}/accesses")).await,
        world
            .app
            .get(&format!("/v1/workspaces/{}/audit/events", world.workspace))
            .bearer(&world.ada.access_token)
            .send()
            .await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(
            answer.text.contains("created_by")
                || answer.text.contains("read_by")
                || answer.text.contains("secret.created")
        );
        assert!(!answer.text.contains(VALUE) && !answer.text.contains("second value"), "{}", answer.text);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_value_is_said_without_it() {
    let world = World::found().await;
    let id = world.secret("taken").await;
    let canary = "canary 5d1e wrong\n";
    let cases = [
        (json!({"name": "a", "kind": "deploy_token", "value": canary}), "/value"),
        (json!({"name": "a", "kind": "database", "value": canary}), "/value"),
        (
            json!({"name": "a", "kind": "oauth_client", "value": format!("{{\"client_id\": \"{}\"}}", "canary 5d1e")}),
            "/value",
        ),
        (json!({"name": "a", "kind": "generic", "value": ""}), "/value"),
        (json!({"name": "a", "kind": "generic", "value": ["canary 5d1e"]}), "/value"),
        (json!({"name": "a", "kind": "generic", "value": 5_314_159}), "/value"),
        (json!({"name": "a", "kind": "generic", "value": "canary 5d1e ".repeat(6_000)}), "/value"),
        (json!({"name": "a", "kind": canary, "value": "x"}), "/kind"),
        (json!({"name": canary, "kind": "generic", "value": "x"}), "/name"),
    ];
    for (body, pointer) in cases {
        let refused = world.post("", body).await;
        assert_eq!(refused.problem(), (422, "invalid_body".to_owned()));
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{}", refused.text);
        assert!(!refused.text.contains("5d1e") && !refused.text.contains("5314159"), "{}", refused.text);
    }
    let refused = world.post(&format!("/{id}/versions"), json!({"value": 5_314_159})).await;
    assert_eq!(refused.problem(), (422, "invalid_body".to_owned()));
    assert!(!refused.text.contains("5314159"), "{}", refused.text);
    assert_eq!(world.actions().await, ["secret.created"], "nothing was stored");
}

#[tokio::test]
async fn a_value_of_64_kib_of_any_text_comes_back_as_it_was() {
    let world = World::found().await;
    // In JSON each of them takes six bytes, the widest that there is.
    let widest = "\u{1}".repeat(65_536);
    let others = "ä\u{1F511}\t\r\n\"\\ ".repeat(1_000);
    for (name, value) in [("widest", widest), ("others", others)] {
        let made = world.post("", json!({"name": name, "kind": "generic", "value": value})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let read = world.reveal(&made.text_of("id"), json!({})).await;
        assert!(read.text_of("value") == value, "{name}");
    }
    let project = format!("/v1/workspaces/{}/projects", world.workspace);
    let large = json!({"name": "x".repeat(70_000)});
    let refused = world.app.post(&project, &large).bearer(&world.ada.access_token).send().await;
    assert_eq!(refused.problem(), (413, "body_too_large".to_owned()), "elsewhere the limit is as it was");
}

#[tokio::test]
async fn a_retry_seals_nothing_again_and_is_answered_without_the_value() {
    let world = World::found().await;
    let body = json!({"name": "token", "kind": "generic", "value": VALUE});
    let send = async |path: &str, body: &Value| {
        let call = world.app.post(&world.path(path), body).bearer(&world.ada.access_token);
        call.header("idempotency-key", "secret-once").send().await
    };
    let first = send("", &body).await;
    let again = send("", &body).await;
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert!(!again.text.contains(VALUE));
    let other = json!({"name": "token", "kind": "generic", "value": "another"});
    assert_eq!(send("", &other).await.problem(), (422, "idempotency_key_reused".to_owned()));
    let versions: i64 =
        sqlx::query_scalar("SELECT count(*) FROM secret_versions").fetch_one(&world.app.database.owner).await.unwrap();
    assert_eq!((versions, world.actions().await), (1, vec!["secret.created".to_owned()]));
}

#[tokio::test]
async fn a_secret_of_a_project_is_seen_within_that_project() {
    let world = World::found().await;
    let project = async |name: &str| {
        let path = format!("/v1/workspaces/{}/projects", world.workspace);
        world.app.post(&path, &json!({"name": name})).bearer(&world.ada.access_token).send().await.text_of("id")
    };
    let (site, shop) = (project("Site").await, project("Shop").await);
    let body = json!({"name": "site.token", "kind": "generic", "value": VALUE, "project_id": site});
    let of_site = world.post("", body).await.text_of("id");
    let of_all = world.secret("common").await;
    let key = async |project: &str| {
        let body = json!({"name": "k", "scopes": ["management"], "project_id": project});
        world.app.api_key(&world.ada, &world.workspace, &body).await["key"].as_str().unwrap().to_owned()
    };
    let reveal = async |key: &str, id: &str| {
        world.app.post(&world.path(&format!("/{id}/reveal")), &json!({})).bearer(key).send().await
    };
    let (site, shop) = (key(&site).await, key(&shop).await);
    assert_eq!(reveal(&site, &of_site).await.text_of("value"), VALUE);
    for (key, id) in [(&site, &of_all), (&shop, &of_site), (&shop, &of_all)] {
        assert_eq!(reveal(key, id).await.problem(), (404, "not_found".to_owned()));
    }
    let listed = world.app.get(&world.path("")).bearer(&site).send().await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    let body = json!({"name": "more", "kind": "generic", "value": "x"});
    let refused = world.app.post(&world.path(""), &body).bearer(&site).send().await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()), "a confined key entrusts nothing");
}

#[tokio::test]
async fn as_many_versions_as_can_be_have_a_value() {
    let world = World::found().await;
    let id = world.secret("token").await;
    for version in 2..=16 {
        world.add_version(&id, &format!("value number {version}")).await;
    }
    let refused = world.post(&format!("/{id}/versions"), json!({"value": "one more"})).await;
    assert_eq!(refused.problem(), (422, "invalid_body".to_owned()));
    assert_eq!(refused.json()["errors"][0]["code"], "too_many_versions");
}

#[tokio::test]
async fn of_many_versions_at_once_each_has_its_number() {
    let world = World::found().await;
    let id = world.secret("token").await;
    let (world, id) = (&world, &id);
    let values: Vec<String> = (0..8).map(|nth| format!("value at once {nth}")).collect();
    futures_util::future::join_all(values.iter().map(|value| world.add_version(id, value))).await;
    let mut read = Vec::new();
    for version in 2..=9 {
        read.push(world.reveal(id, json!({"version": version})).await.text_of("value"));
    }
    read.sort();
    assert_eq!(read, values);
    world.app.advance(Duration::ZERO);
}
