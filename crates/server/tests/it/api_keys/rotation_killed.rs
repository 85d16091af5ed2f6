//! `kill -9` of a node amid a rotation, again and again: one successor, and the answer that was lost is given again.

use std::time::{Duration, Instant};

use bailiwick_server::entropy::Entropy;
use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration as Span, OffsetDateTime};
use tokio::time::sleep;
use uuid::Uuid;

use super::keys_of;
use crate::harness::app::TestApp;
use crate::harness::node::Node;
use crate::harness::process::until;
use crate::harness::secrets;

/// So many times the blow falls before the answer.
const BLOWS: usize = 20;
const OVERLAP_SECONDS: i64 = 3_600;

/// Whoever rotates keys of a workspace.
struct Rotator {
    app: TestApp,
    client: Client,
    workspace: String,
    manager: String,
}

/// A key and its successor, as the answer tells it.
struct Rotated {
    old: Value,
    new: Value,
}

impl Rotator {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let (person, workspace) = app.founder("ada@example.com", "acme").await;
        let body = json!({"name": "manager", "scopes": ["read", "management"]});
        let manager = app.api_key(&person, &workspace, &body).await["key"].as_str().unwrap().to_owned();
        let client = crate::harness::http::http_builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self { app, client, workspace, manager }
    }

    async fn key(&self, nth: usize) -> Value {
        let body = json!({"name": format!("k{nth}"), "scopes": ["read"]});
        let made = self.app.post(&keys_of(&self.workspace), &body).bearer(&self.manager).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()
    }

    /// Asks a node to rotate the key: the status and the body, if an answer came.
    async fn rotate(&self, url: &str, old: &Value) -> Option<(u16, String)> {
        let id = old["id"].as_str().unwrap();
        let call = self.client.post(format!("{url}{}/{id}/rotate", keys_of(&self.workspace)));
        let call = call.bearer_auth(&self.manager).header("idempotency-key", format!("rotate-{id}"));
        let answer = call.json(&json!({"overlap_seconds": OVERLAP_SECONDS})).send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        if let Some(key) = serde_json::from_str::<Value>(&text).ok()?["key"].as_str() {
            secrets::record(key);
        }
        Some((status, text))
    }

    /// The same until it is answered: what the killed node had under way may hold its locks for a moment.
    async fn answered(&self, url: &str, old: &Value) -> String {
        let mut answer = None;
        until(async || {
            let (status, text) = self.rotate(url, old).await.expect("an answer");
            let code = serde_json::from_str::<Value>(&text).unwrap()["code"].clone();
            assert!(status == 201 || code == "idempotency_in_flight" || code == "unavailable", "{status} {text}");
            answer = (status == 201).then_some(text);
            answer.is_some()
        })
        .await;
        answer.unwrap()
    }

    /// How long a rotation takes.
    async fn usual(&self, node: &Node) -> Duration {
        let mut took = Duration::ZERO;
        for nth in 0..3 {
            let old = self.key(1_000 + nth).await;
            let begun = Instant::now();
            assert_eq!(self.rotate(&node.url, &old).await.unwrap().0, 201);
            took = begun.elapsed();
        }
        took
    }

    /// The status of a key at the node of this process.
    async fn status(&self, key: &Value) -> (u16, String) {
        let answer = self.app.get("/v1/key").bearer(key["key"].as_str().unwrap()).send().await;
        if answer.status == 200 { (200, String::new()) } else { answer.problem() }
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.app.database.owner).await.unwrap()
    }

    /// What must hold of a rotation, whenever the blow fell.
    async fn check(&self, Rotated { old, new }: &Rotated) {
        let path = format!("{}/{}", keys_of(&self.workspace), old["id"].as_str().unwrap());
        let seen = self.app.get(&path).bearer(&self.manager).send().await.json();
        assert_eq!((&seen["successor_id"], &new["rotated_from"]), (&new["id"], &old["id"]));
        let moment = |value: &Value| OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap();
        assert_eq!(moment(&seen["expires_at"]) - moment(&new["created_at"]), Span::seconds(OVERLAP_SECONDS));
        assert_eq!((self.status(old).await.0, self.status(new).await.0), (200, 200), "both live for the overlap");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_blow_falls_there_is_one_successor_and_its_answer() {
    let rotator = Rotator::new().await;
    let (mut own_node, own_row) = (None::<Uuid>, "SELECT node_id FROM feed_nodes");
    until(async || {
        own_node = sqlx::query_scalar(own_row).fetch_optional(&rotator.app.database.owner).await.unwrap();
        own_node.is_some()
    })
    .await;
    let mut node = Node::beside(&rotator.app).await;
    let usual = rotator.usual(&node).await;
    let before = rotator.count("SELECT count(*) FROM api_keys").await;
    let (mut rotated, mut blows, mut committed) = (Vec::new(), 0, 0);
    while blows < BLOWS {
        let old = rotator.key(rotated.len()).await;
        let successors = rotator.count("SELECT count(rotated_from) FROM api_keys").await;
        let [moment, ..] = Entropy::system().bytes::<8>();
        let url = node.url.clone();
        let blow = async {
            sleep(usual * u32::from(moment) / 230).await;
            node.signal(Signal::SIGKILL);
            node.ended().await;
        };
        let (first, ()) = tokio::join!(rotator.rotate(&url, &old), blow);
        if first.is_none() {
            blows += 1;
            committed += rotator.count("SELECT count(rotated_from) FROM api_keys").await - successors;
        }
        // Otherwise whoever rotates next waits for two seconds, to be sure of its death.
        let dead = "DELETE FROM feed_nodes WHERE node_id <> $1";
        sqlx::query(dead).bind(own_node).execute(&rotator.app.database.owner).await.unwrap();
        let (started, text) = tokio::join!(Node::beside(&rotator.app), rotator.answered(&rotator.app.url, &old));
        node = started;
        if let Some(first) = first {
            assert_eq!(first, (201, text.clone()), "the answer of before");
        }
        assert_eq!(rotator.answered(&node.url, &old).await, text, "the same after the restart, secret included");
        let new: Value = serde_json::from_str(&text).unwrap();
        let made = Rotated { old, new };
        rotator.check(&made).await;
        rotated.push(made);
    }
    println!(
        "{blows} blows fell before the answer in {} rotations, {committed} of them after the commit",
        rotated.len()
    );
    let keys = i64::try_from(rotated.len() * 2).unwrap();
    assert_eq!(rotator.count("SELECT count(*) FROM api_keys").await - before, keys, "one successor each");

    rotator.app.advance(Span::seconds(OVERLAP_SECONDS));
    for Rotated { old, new } in &rotated {
        assert_eq!(rotator.status(old).await, (401, "key_expired".to_owned()), "and not a second longer");
        assert_eq!(rotator.status(new).await.0, 200);
    }
}
