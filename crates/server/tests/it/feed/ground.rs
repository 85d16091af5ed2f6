//! A workspace with keys, and several nodes that are asked about them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::node::Node;
use crate::harness::secrets;

/// Keys that are made at once.
const LANES: usize = 8;

/// The workspace and who manages it.
pub struct Ground {
    /// A node of this process.
    pub app: TestApp,
    /// Its workspace.
    pub workspace: String,
    manager: String,
    client: Client,
}

/// A key.
#[derive(Clone)]
pub struct Key {
    /// `key_…`
    pub id: String,
    /// The whole of it.
    pub text: String,
}

impl Ground {
    /// On a database of its own.
    pub async fn new() -> Self {
        Self::with(TestApp::start().await).await
    }

    /// With this node.
    pub async fn with(app: TestApp) -> Self {
        let (person, workspace) = app.founder("ada@example.com", "acme").await;
        let body = json!({"name": "manager", "scopes": ["management"]});
        let manager = app.api_key(&person, &workspace, &body).await["key"].as_str().unwrap().to_owned();
        let client = crate::harness::http::http_builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { app, workspace, manager, client }
    }

    /// Three nodes in processes of their own beside it, with these settings.
    pub async fn three_nodes(&self, settings: &[(&str, &str)]) -> [Node; 3] {
        [
            Node::with(&self.app, settings).await,
            Node::with(&self.app, settings).await,
            Node::with(&self.app, settings).await,
        ]
    }

    /// Makes so many keys.
    pub async fn keys(&self, count: usize) -> Vec<Key> {
        let mut keys = Vec::with_capacity(count);
        while keys.len() < count {
            keys.extend(join_all((0..LANES.min(count - keys.len())).map(|_| self.key())).await);
        }
        keys
    }

    async fn key(&self) -> Key {
        let url = format!("{}/v1/workspaces/{}/api-keys", self.app.url, self.workspace);
        let request = self.client.post(url).bearer_auth(&self.manager);
        let made = request.json(&json!({"name": "k", "scopes": ["management"]})).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.unwrap();
        let text = made["key"].as_str().unwrap().to_owned();
        secrets::record(&text);
        Key { id: made["id"].as_str().unwrap().to_owned(), text }
    }

    /// What the node there says of the key: status and code.
    pub async fn ask(&self, url: &str, key: &Key) -> (u16, String) {
        let answer = self.client.get(format!("{url}/v1/key")).bearer_auth(&key.text).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Panics unless every node takes the key.
    pub async fn all_take(&self, urls: &[&str], key: &Key) {
        for url in urls {
            assert_eq!(self.ask(url, key).await.0, 200, "{url}");
        }
    }

    /// Panics if any node takes the key, all asked at once.
    pub async fn none_takes(&self, urls: &[&str], key: &Key) {
        for (url, answer) in urls.iter().zip(join_all(urls.iter().map(|url| self.ask(url, key))).await) {
            assert_eq!(answer, (401, "key_revoked".to_owned()), "{url}");
        }
    }

    /// Revokes the key at the node there; answers the status, the code and how long it took.
    pub async fn revoke(&self, url: &str, key: &Key) -> (u16, String, Duration) {
        let begun = Instant::now();
        let path = format!("{url}/v1/workspaces/{}/api-keys/{}", self.workspace, key.id);
        let answer = self.client.delete(path).bearer_auth(&self.manager).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        (status, body["code"].as_str().unwrap_or_default().to_owned(), begun.elapsed())
    }

    /// Revokes each key at one node after another, and asks all of them as soon as the answer is there. Half of the keys
    /// were used at some of the nodes before. Answers how long each revocation took.
    pub async fn revocations(&self, urls: &[&str], count: usize) -> Vec<Duration> {
        let mut took = Vec::with_capacity(count);
        for (n, key) in self.keys(count).await.iter().enumerate() {
            // Hot at all nodes but those that come last, in turn.
            self.all_take(&urls[..n % (urls.len() + 1)], key).await;
            let (status, code, duration) = self.revoke(urls[n % urls.len()], key).await;
            assert_eq!((status, code.as_str()), (204, ""), "{n}");
            self.none_takes(urls, key).await;
            took.push(duration);
        }
        took
    }
}

/// Says how long revocations took.
pub fn tell(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_millis();
    println!(
        "{what}: {} revocations, answered after {} / {} / {} / {} / {} ms (least, median, 90 %, 99 %, most)",
        took.len(),
        at(0),
        at(50),
        at(90),
        at(99),
        at(100)
    );
}
