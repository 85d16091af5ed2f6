//! `kill -9` of the server and of its database in the middle of work: what was answered is there once, what was not is
//! there at most once, and a retry with its idempotency key gives one key and one answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Client;
use serde_json::{Value, json};

use crate::harness::process::{DevHome, DevServer, until};
use crate::harness::secrets;

const KEYS: usize = 200;
const AT_ONCE: usize = 8;
/// So many are answered when the blow falls.
const ANSWERED_BEFORE: usize = 60;

/// A person with a workspace on a server that is about to die.
struct Maker {
    client: Client,
    url: String,
    refresh_token: String,
}

impl Maker {
    async fn on(home: &DevHome, server: &DevServer<'_>) -> Self {
        let (client, url) =
            (crate::harness::http::http_builder().timeout(Duration::from_secs(20)).build().unwrap(), home.url());
        let asked: Value = post(&client, &url, "/auth/request", &json!({"email": "ada@example.com"})).await;
        let code = server.mails(1).await[0]["code"].clone();
        let body = json!({"challenge": asked["challenge"], "code": code});
        let tokens: Value = post(&client, &url, "/auth/verify", &body).await;
        let refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
        let maker = Self { client, url, refresh_token };
        let token = tokens["access_token"].as_str().unwrap();
        let body = json!({"name": "Acme", "slug": "acme"});
        let made =
            maker.client.post(format!("{}/v1/workspaces", maker.url)).bearer_auth(token).json(&body).send().await;
        assert_eq!(made.unwrap().status(), 201);
        maker
    }

    /// A fresh access token: the crash may have come after five minutes.
    async fn token(&mut self) -> String {
        let body = json!({"refresh_token": self.refresh_token});
        let tokens = post(&self.client, &self.url, "/auth/refresh", &body).await;
        self.refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    /// Makes key number `n`; `None` when no answer came, or one that says to try again.
    async fn make(&self, token: &str, n: usize) -> Option<Value> {
        let call = self.client.post(format!("{}/v1/workspaces/acme/api-keys", self.url)).bearer_auth(token);
        let call = call.header("idempotency-key", format!("make-{n}"));
        let answer = call.json(&json!({"name": format!("k{n}"), "scopes": ["read"]})).send().await.ok()?;
        let status = answer.status().as_u16();
        assert!([201, 503].contains(&status), "{status}");
        let made: Value = answer.json().await.ok().filter(|_| status == 201)?;
        secrets::record(made["key"].as_str().unwrap());
        Some(made)
    }

    /// Makes all keys, so many at once; calls `blow` once when some have been answered.
    async fn make_all(&self, token: &str, blow: impl FnOnce()) -> BTreeMap<usize, Value> {
        let answered = Arc::new(AtomicUsize::new(0));
        let mut blow = Some(blow);
        let mut made = BTreeMap::new();
        let mut answers =
            stream::iter(0..KEYS).map(|n| async move { (n, self.make(token, n).await) }).buffer_unordered(AT_ONCE);
        while let Some((n, key)) = answers.next().await {
            let Some(key) = key else { continue };
            made.insert(n, key);
            if answered.fetch_add(1, Ordering::Relaxed) + 1 == ANSWERED_BEFORE {
                blow.take().unwrap()();
            }
        }
        made
    }

    /// Keys by name: how many there are of each.
    async fn listed(&self, token: &str) -> BTreeMap<String, Vec<String>> {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let url = format!("{}/v1/workspaces/acme/api-keys?limit=100{cursor}", self.url);
            let page: Value = self.client.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap();
            for key in page["data"].as_array().unwrap() {
                let id = key["id"].as_str().unwrap().to_owned();
                names.entry(key["name"].as_str().unwrap().to_owned()).or_default().push(id);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return names,
            }
        }
    }

    /// What must hold after the restart.
    async fn check(&mut self, answered: &BTreeMap<usize, Value>) {
        let token = self.token().await;
        let listed = self.listed(&token).await;
        assert!(listed.values().all(|ids| ids.len() == 1), "no key exists twice");
        for (n, key) in answered {
            assert_eq!(listed[&format!("k{n}")], [key["id"].as_str().unwrap()], "an answered key is there");
        }
        let again = self.make_all(&token, || {}).await;
        assert_eq!(again.len(), KEYS, "every retry is answered");
        for (n, key) in answered {
            assert_eq!(again[n], *key, "with the answer of before, the secret included");
        }
        let listed = self.listed(&token).await;
        assert_eq!((listed.len(), listed.values().map(Vec::len).sum::<usize>()), (KEYS, KEYS), "one key for each");
        for key in again.values() {
            let own = self.client.get(format!("{}/v1/key", self.url)).bearer_auth(key["key"].as_str().unwrap());
            assert_eq!(own.send().await.unwrap().status(), 200, "and each works");
        }
    }
}

async fn post(client: &Client, url: &str, path: &str, body: &Value) -> Value {
    let answer: Value = client.post(format!("{url}{path}")).json(body).send().await.unwrap().json().await.unwrap();
    for name in ["challenge", "access_token", "refresh_token"] {
        if let Some(secret) = answer[name].as_str() {
            secrets::record(secret);
        }
    }
    answer
}

#[tokio::test]
async fn killing_the_server_amid_two_hundred_keys_loses_and_doubles_nothing() {
    let home = DevHome::kept();
    let server = home.start().await;
    let mut maker = Maker::on(&home, &server).await;
    let (token, pid) = (maker.token().await, server.pid());
    let answered = maker.make_all(&token, || kill(pid, Signal::SIGKILL).unwrap()).await;
    assert!((ANSWERED_BEFORE..KEYS).contains(&answered.len()), "the blow fell in the middle: {}", answered.len());
    drop(server);
    let server = home.start().await;
    maker.check(&answered).await;
    server.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn killing_the_database_amid_two_hundred_keys_loses_and_doubles_nothing() {
    let home = DevHome::kept();
    let server = home.start().await;
    let mut maker = Maker::on(&home, &server).await;
    let (token, postmaster) = (maker.token().await, home.postmaster().unwrap());
    let answered = maker.make_all(&token, || kill(Pid::from_raw(postmaster), Signal::SIGKILL).unwrap()).await;
    assert!(answered.len() >= ANSWERED_BEFORE);
    until(async || home.postmaster().is_some_and(|now| now != postmaster) && server.readyz().await == 200).await;
    maker.check(&answered).await;
    server.stop(Signal::SIGTERM).await;
}
