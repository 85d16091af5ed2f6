//! The audit log over the API: what is told, listed, proved, and refused.

mod actions;
mod batches;
mod export;
mod filters;
mod keys;
mod one_entry;
mod reading;
mod reads;
mod refusals;
mod search;
mod share;
mod stream;

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::jose::Jwks;
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::receipt::Receipt;
use serde_json::{Value, json};

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::recorder::{events, recorded};

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
        Self { app, person, workspace }
    }

    async fn get(&self, path: &str) -> Answer {
        self.app.get(&self.path(path)).bearer(&self.person.access_token).send().await
    }

    async fn in_test(&self, path: &str) -> Answer {
        let call = self.app.get(&self.path(path)).bearer(&self.person.access_token);
        call.header("bailiwick-environment", "test").send().await
    }

    /// Records one event.
    async fn record(&self, event: &Value) -> Answer {
        self.record_all(&events([event.clone()])).await
    }

    async fn record_all(&self, body: &Value) -> Answer {
        self.app.post(&self.path("audit/events"), body).bearer(&self.person.access_token).send().await
    }

    /// The actions of a list.
    async fn listed(&self, query: &str) -> Vec<String> {
        let answer = self.get(&format!("audit/events{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let events = answer.json();
        events["data"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
    }

    /// The keys of its logs, as everybody gets them.
    async fn keys(&self) -> Vec<VerifierKey> {
        let answer = self.app.get(&format!("/w/{}/.well-known/jwks.json", self.workspace)).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/jwk-set+json");
        Jwks::parse(&answer.text).unwrap().keys.iter().map(|key| key.verifier().clone()).collect()
    }

    fn path(&self, path: &str) -> String {
        format!("/v1/workspaces/{}/{path}", self.workspace)
    }
}

#[tokio::test]
async fn what_a_customer_tells_is_numbered_listed_and_shown() {
    let acme = Acme::found().await;
    let told = json!({"action": "invoice.paid", "actor": "customer-42", "target": "invoice-7", "meta": {"cents": 1200, "é": [true, null]}});
    let first = acme.record(&told).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let first = recorded(&first);
    assert_eq!(first.seq, 1, "after the founding of the workspace");
    let second = recorded(&acme.record(&told).await);
    assert_eq!(second.seq, 2);

    let event = acme.get(&format!("audit/events/{}", first.id)).await.json();
    for (member, expected) in [
        ("action", json!("invoice.paid")),
        ("actor", json!("customer-42")),
        ("target", json!("invoice-7")),
        ("meta", told["meta"].clone()),
        ("intact", json!(true)),
        ("generation", json!(1)),
        ("project_id", json!(null)),
    ] {
        assert_eq!(event[member], expected, "{member}");
    }
    assert!(event["recorded_by"].as_str().unwrap().starts_with("usr_"), "who told it stands beside what they said");
    let again = acme.get(&format!("audit/events/{}", second.id)).await.json();
    assert_ne!(event["leaf_hash"], again["leaf_hash"], "two identical bodies give different leaves");
    assert_ne!(event["openings"]["actor"]["r"], again["openings"]["actor"]["r"]);

    let entry: Value = serde_json::from_str(event["entry"].as_str().unwrap()).unwrap();
    assert_eq!((&entry["seq"], &entry["ws"], &entry["env"]), (&json!(1), &json!(acme.workspace), &json!("live")));
    assert!(!event["entry"].as_str().unwrap().contains("customer-42"), "nothing personal stands in the entry");
}

#[tokio::test]
async fn lists_are_filtered_and_paged_from_the_newest() {
    let acme = Acme::found().await;
    for (action, actor, target) in
        [("door.opened", "ada", "door-1"), ("door.closed", "bob", "door-1"), ("door.opened", "bob", "door-2")]
    {
        acme.record(&json!({"action": action, "actor": actor, "target": target})).await;
    }
    assert_eq!(acme.listed("").await, ["door.opened", "door.closed", "door.opened", "workspace.created"]);
    assert_eq!(acme.listed("?action=door.opened").await.len(), 2);
    assert_eq!(acme.listed("?actor=bob").await, ["door.opened", "door.closed"]);
    assert_eq!(acme.listed("?actor=bob&target=door-1").await, ["door.closed"]);
    assert_eq!(acme.listed("?actor=nobody").await, [""; 0]);
    assert_eq!(acme.listed(&format!("?target={}", acme.workspace)).await, ["workspace.created"]);
    let events = acme.get("audit/events").await.json();
    let at = events["data"][1]["recorded_at"].as_str().unwrap();
    assert_eq!(acme.listed(&format!("?from={at}")).await.len(), 2, "from is inclusive");
    assert_eq!(acme.listed(&format!("?to={at}")).await.len(), 2, "to is exclusive");

    let (mut seen, mut query) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let page = acme.get(&format!("audit/events{query}")).await.json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, [3, 2, 1, 0]);
}

#[tokio::test]
async fn a_receipt_opens_what_was_asked_for_and_verifies_with_the_published_key() {
    let acme = Acme::found().await;
    let told = acme.record(&json!({"action": "invoice.paid", "actor": "customer-42", "target": "invoice-7"})).await;
    let path = format!("audit/events/{}/receipt", recorded(&told).id);
    let keys = acme.keys().await;
    assert_eq!(keys.len(), 2, "one for live and one for test");
    for (query, opened) in [
        ("", vec![]),
        ("?open=", vec![]),
        ("?open=actor", vec!["actor"]),
        ("?open=target,actor", vec!["actor", "target"]),
        ("?open=actor,ip,meta,target", vec!["actor", "ip", "meta", "target"]),
    ] {
        let answer = acme.get(&format!("{path}{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        assert!(answer.headers["content-disposition"].to_str().unwrap().ends_with(".tlog-proof\""));
        let receipt: Receipt = answer.text.parse().unwrap();
        receipt.verify(&keys[..1]).unwrap();
        let fields: Vec<&str> = receipt.openings.keys().map(|field| field.as_str()).collect();
        assert_eq!(fields, opened);
        assert!(!answer.text.contains("customer-42"), "what is opened stands in base64");
        assert!(receipt.verify(&keys[1..]).is_err(), "the other environment's key proves nothing here");
    }
    let wrong = acme.get(&format!("{path}?open=everything")).await;
    assert_eq!(wrong.problem(), (400, "invalid_parameter".into()));
}

#[tokio::test]
async fn checkpoints_cover_what_was_answered_before_and_extend_each_other() {
    let acme = Acme::found().await;
    let keys = acme.keys().await;
    let empty: SignedCheckpoint = acme.in_test("audit/checkpoint").await.text.parse().unwrap();
    assert_eq!(empty.verify(&keys[1..]).unwrap().size, 0, "nothing happened in test yet");
    let mut sizes = vec![0];
    for round in 0..12_u64 {
        for _ in 0..round {
            acme.record(&json!({"action": "door.opened", "actor": "ada"})).await;
        }
        let checkpoint: SignedCheckpoint = acme.get("audit/checkpoint").await.text.parse().unwrap();
        let size = checkpoint.verify(&keys).unwrap().size;
        assert!(size > *sizes.last().unwrap() || round == 0, "{size} after {sizes:?}");
        sizes.push(size);
    }
    let newest = *sizes.last().unwrap();
    assert_eq!(newest, 1 + (0..12).sum::<u64>());
    for from in &sizes[1..] {
        let answer = acme.get(&format!("audit/consistency?from={from}")).await;
        let pair: Pair = answer.text.parse().unwrap_or_else(|error| panic!("{error}: {}", answer.text));
        let extends = pair.verify(&keys).unwrap();
        assert_eq!((pair.older.unverified().size, pair.newer.unverified().size), (*from, newest), "{extends:?}");
    }
    let none = acme.get(&format!("audit/consistency?from={}", newest + 1)).await;
    assert_eq!(none.problem(), (404, "no_checkpoint".into()), "no checkpoint had that size");
    let back = acme.get(&format!("audit/consistency?from={newest}&to=1")).await;
    let shrunk: Pair = back.text.parse().unwrap();
    assert!(shrunk.verify(&keys).is_err(), "the other way round it proves nothing");
}

#[tokio::test]
async fn a_confined_key_tells_and_reads_its_project_s_trail_alone() {
    let acme = Acme::found().await;
    let project =
        acme.app.post(&acme.path("projects"), &json!({"name": "One"})).bearer(&acme.person.access_token).send();
    let project = project.await.text_of("id");
    let body = json!({"name": "k", "scopes": ["management"], "project_id": project});
    let key = acme.app.api_key(&acme.person, &acme.workspace, &body).await;
    let key = key["key"].as_str().unwrap();
    let told = acme
        .app
        .post(&acme.path("audit/events"), &events([json!({"action": "door.opened", "actor": "ada"})]))
        .bearer(key);
    let told = told.send().await;
    assert_eq!((told.status.as_u16(), told.json()["events"][0]["seq"].as_u64()), (201, Some(3)));
    let listed = acme.app.get(&acme.path("audit/events")).bearer(key).send().await.json();
    let listed: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(listed, ["door.opened", "api_key.created", "project.created"], "and not the workspace's founding");
    let receipt = acme.app.get(&acme.path(&format!("audit/events/{}/receipt", recorded(&told).id))).bearer(key);
    let receipt: Receipt = receipt.send().await.text.parse().unwrap();
    receipt.verify(&acme.keys().await).unwrap();
}

#[tokio::test]
async fn the_same_key_gives_the_same_number() {
    let acme = Acme::found().await;
    let body = json!({"action": "door.opened", "actor": "ada"});
    let send = async |event: &Value| {
        let call =
            acme.app.post(&acme.path("audit/events"), &events([event.clone()])).bearer(&acme.person.access_token);
        call.header("idempotency-key", "one").send().await
    };
    let first = send(&body).await;
    let again = send(&body).await;
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let other = send(&json!({"action": "door.closed", "actor": "ada"})).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".into()));
    assert_eq!(acme.listed("").await, ["door.opened", "workspace.created"]);
}
