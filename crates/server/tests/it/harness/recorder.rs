//! A customer's program: it records events with a key of its own, keeps what it is given, and trusts nobody.

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::jose::Jwks;
use bailiwick_proof::note::VerifierKey;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::app::{Answer, TestApp};
use super::process::DevServer;
use super::secrets;

/// As long as an action can be, or nearly.
pub const LONG_ACTION: &str = "a_long_long_long_long_long_long_long_long_long_long_long_long.b";
/// What the programs of the tests record.
pub const ACTIONS: [&str; 6] = [LONG_ACTION, "door.closed", "door.opened", "invoice.paid", "invoice.sent", "test.done"];
/// A busy server says `unavailable` so many times at most.
const TRIES: usize = 10;

/// The program.
#[derive(Clone)]
pub struct Recorder {
    /// The node that it speaks to.
    pub url: String,
    /// Its workspace.
    pub workspace: String,
    key: String,
    client: Client,
}

/// An event that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: String,
    /// Its number.
    pub seq: u64,
}

impl Recorder {
    /// In a workspace of its own on a server of this process.
    pub async fn of(app: &TestApp) -> Self {
        Self::in_workspace(app, "acme").await
    }

    /// In a workspace of this slug.
    pub async fn in_workspace(app: &TestApp, slug: &str) -> Self {
        let (person, workspace) = app.founder(&format!("{slug}@example.com"), slug).await;
        let key = app.api_key(&person, &workspace, &new_key()).await;
        let key = key["key"].as_str().unwrap().to_owned();
        Self { url: app.url.clone(), workspace, key, client: super::http::http() }
    }

    /// In a workspace of its own on a server in a process of its own.
    pub async fn on(server: &DevServer<'_>) -> Self {
        let mut new =
            Self { url: server.url.clone(), workspace: String::new(), key: String::new(), client: super::http::http() };
        let asked = new.post("/auth/request", &json!({"email": "ada@example.com"})).await;
        let code = server.mails(1).await[0]["code"].clone();
        let signed_in = new.post("/auth/verify", &json!({"challenge": asked["challenge"], "code": code})).await;
        signed_in["access_token"].as_str().unwrap().clone_into(&mut new.key);
        let founded = new.post("/v1/workspaces", &json!({"name": "Acme", "slug": "acme"})).await;
        founded["id"].as_str().unwrap().clone_into(&mut new.workspace);
        let made = new.post(&format!("/v1/workspaces/{}/api-keys", new.workspace), &new_key()).await;
        made["key"].as_str().unwrap().clone_into(&mut new.key);
        let action = json!({"action": "invoice.paid"});
        let registered = new.post(&format!("/v1/workspaces/{}/audit/actions", new.workspace), &action).await;
        assert_eq!(registered["action"], "invoice.paid", "{registered}");
        new
    }

    /// The same program, which speaks to another node.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// Its API key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The workspace's uuid, as the tables hold it.
    pub fn uuid(&self) -> Uuid {
        self.workspace.parse::<WorkspaceId>().unwrap().uuid()
    }

    /// Records an event about `target`, whose name is the idempotency key too.
    pub async fn record(&self, target: &str) -> Recorded {
        recorded(&self.change("/audit/events", &events([event(target)]), target).await)
    }

    /// POST below the workspace under an idempotency key, again while the server says `unavailable`; answers the 201.
    pub async fn change(&self, path: &str, body: &Value, key: &str) -> Answer {
        for _ in 0..TRIES {
            let request = self.call(path, Some(body)).header("idempotency-key", key);
            let answer = self.try_send(request).await.expect("an answer");
            if answer.status != 503 || answer.problem().1 != "unavailable" {
                assert_eq!(answer.status, 201, "{}", answer.text);
                return answer;
            }
        }
        panic!("{path} {key} was not answered");
    }

    /// As [`Self::record`]: `None` without an answer.
    pub async fn try_record(&self, target: &str) -> Option<Answer> {
        self.try_send(self.call("/audit/events", Some(&events([event(target)]))).header("idempotency-key", target))
            .await
    }

    /// Records events about `<name>-0`, `<name>-1` and so on, so many, in one request whose idempotency key is the name.
    pub async fn batch(&self, name: &str, count: usize) -> Vec<Recorded> {
        all_recorded(&self.change("/audit/events", &batch(name, count), name).await)
    }

    /// As [`Self::batch`]: `None` without an answer.
    pub async fn try_batch(&self, name: &str, count: usize) -> Option<Answer> {
        self.try_send(self.call("/audit/events", Some(&batch(name, count))).header("idempotency-key", name)).await
    }

    /// GET below the workspace.
    pub async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.expect("an answer")
    }

    /// As [`Self::get`]: `None` without an answer.
    pub async fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_send(self.call(path, None)).await
    }

    /// POST below the workspace: `None` without an answer.
    pub async fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        self.try_send(self.call(path, Some(body))).await
    }

    /// The newest checkpoint, whose signature holds; asked for again while the server says `unavailable`.
    pub async fn checkpoint(&self) -> SignedCheckpoint {
        let mut answer = self.get("/audit/checkpoint").await;
        for _ in 1..TRIES {
            if answer.status != 503 || answer.problem().1 != "unavailable" {
                break;
            }
            answer = self.get("/audit/checkpoint").await;
        }
        assert_eq!(answer.status, 200, "{}", answer.text);
        let signed: SignedCheckpoint = answer.text.parse().unwrap();
        signed.verify(&self.keys().await).unwrap();
        signed
    }

    /// The receipt of an event, with nothing opened: it leaves the log as it is.
    pub async fn receipt(&self, event: &Recorded) -> Answer {
        self.get(&format!("/audit/events/{}/receipt", event.id)).await
    }

    /// The receipt of an event, with actor and target opened. It leaves an entry.
    pub async fn opened_receipt(&self, event: &Recorded) -> Answer {
        self.get(&format!("/audit/events/{}/receipt?open=actor,target", event.id)).await
    }

    /// The keys of the live log and the test log, as the world sees them.
    pub async fn keys(&self) -> Vec<VerifierKey> {
        let url = format!("{}/w/{}/.well-known/jwks.json", self.url, self.workspace);
        let set = self.client.get(url).send().await.unwrap().text().await.unwrap();
        Jwks::parse(&set).unwrap().keys.iter().map(|jwk| jwk.verifier().clone()).collect()
    }

    /// That a kept checkpoint is extended by the newest.
    pub async fn extends(&self, kept: &SignedCheckpoint) -> SignedCheckpoint {
        let newest = self.checkpoint().await;
        let (from, to) = (kept.unverified().size, newest.unverified().size);
        let answer = self.get(&format!("/audit/consistency?from={from}&to={to}")).await;
        let pair: Pair = answer.text.parse().unwrap_or_else(|error| panic!("{error}: {}", answer.text));
        assert_eq!(pair.older.to_string(), kept.to_string(), "the checkpoint that was published is the one of now");
        pair.verify(&self.keys().await).unwrap();
        newest
    }

    fn call(&self, path: &str, body: Option<&Value>) -> RequestBuilder {
        let url = format!("{}/v1/workspaces/{}{path}", self.url, self.workspace);
        let request = match body {
            Some(body) => self.client.post(url).json(body),
            None => self.client.get(url),
        };
        request.bearer_auth(&self.key)
    }

    async fn try_send(&self, request: RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.ok()?;
        if let Ok(body) = serde_json::from_str::<Value>(&text) {
            note_secrets(&body);
        }
        Some(Answer { status, headers, text })
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.url)).json(body);
        let request = if self.key.is_empty() { request } else { request.bearer_auth(&self.key) };
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        note_secrets(&answer);
        answer
    }
}

/// The body of an event about `target`.
pub fn event(target: &str) -> Value {
    json!({"action": "invoice.paid", "actor": "customer-42", "target": target, "meta": {"cents": 1999}})
}

/// The body of a request that records these.
pub fn events(events: impl IntoIterator<Item = Value>) -> Value {
    json!({"events": events.into_iter().collect::<Vec<Value>>()})
}

/// The body that [`Recorder::batch`] sends.
pub fn batch(name: &str, count: usize) -> Value {
    events((0..count).map(|n| event(&format!("{name}-{n}"))))
}

/// The id and the number that a 201 tells of its one event.
pub fn recorded(answer: &Answer) -> Recorded {
    let [one] = all_recorded(answer).try_into().unwrap();
    one
}

/// The ids and the numbers that a 201 tells, in their order.
pub fn all_recorded(answer: &Answer) -> Vec<Recorded> {
    let answer = answer.json();
    let told = answer["events"].as_array().unwrap().iter();
    told.map(|event| Recorded { id: event["id"].as_str().unwrap().to_owned(), seq: event["seq"].as_u64().unwrap() })
        .collect()
}

fn new_key() -> Value {
    json!({"name": "recorder", "scopes": ["write", "management"]})
}

fn note_secrets(body: &Value) {
    for name in ["key", "challenge", "access_token", "refresh_token"] {
        if let Some(secret) = body[name].as_str() {
            secrets::record(secret);
        }
    }
}
