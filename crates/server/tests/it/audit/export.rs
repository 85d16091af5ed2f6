//! The export: an entry before the first byte, every event once, and no formula.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::ledger::{hold, waited_for};

struct World {
    app: TestApp,
    ada: Person,
    workspace: String,
}

impl World {
    async fn found() -> Self {
        let app = TestApp::start().await;
        let (ada, workspace) = app.founder("ada@example.com", "acme").await;
        Self { app, ada, workspace }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/workspaces/{}/audit/{rest}", self.workspace)
    }

    async fn record(&self, actor: &str, meta: Value) {
        let body = json!({"events": [{"action": "door.opened", "actor": actor, "target": "door", "meta": meta}]});
        let answer = self.app.post(&self.path("events"), &body).bearer(&self.ada.access_token).send().await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }

    async fn export(&self, token: &str, body: Value) -> Answer {
        self.app.post(&self.path("export"), &body).bearer(token).send().await
    }

    async fn exported(&self) -> usize {
        let actions = self.app.actions(Some(&self.workspace)).await;
        actions.iter().filter(|action| *action == "audit.exported").count()
    }
}

#[tokio::test]
async fn every_event_of_the_stretch_stands_in_it_once() {
    let world = World::found().await;
    // More than two pages.
    for nth in 0..230 {
        world.record(&format!("n-{nth}"), json!({"nth": nth})).await;
    }
    let whole = world.export(&world.ada.access_token, json!({"format": "ndjson"})).await;
    assert_eq!(whole.status, 200, "{}", whole.text);
    assert_eq!(whole.headers["content-type"], "application/x-ndjson");
    let events: Vec<Value> = whole.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (0..231).collect::<Vec<_>>(), "in order, from the founding on");
    assert!(events.iter().all(|event| event["intact"] == true));
    let listed = world.app.get(&world.path("events?actor=n-7")).bearer(&world.ada.access_token).send().await.json();
    assert_eq!(events[8], listed["data"][0], "an event is what the list says");

    let ocsf = world.export(&world.ada.access_token, json!({"format": "ocsf"})).await;
    assert_eq!(ocsf.headers["content-type"], "application/x-ndjson");
    for (nth, line) in ocsf.text.lines().enumerate() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&event["metadata"]["sequence"], &event["class_uid"]), (&json!(nth), &json!(6003)), "{event}");
        assert!(event["time"].is_u64() && event["api"]["operation"].is_string(), "{event}");
    }
    let csv = world.export(&world.ada.access_token, json!({"format": "csv"})).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert!(csv.headers["content-disposition"].to_str().unwrap().ends_with(".csv\""));
    assert_eq!(csv.text.lines().count(), 1 + 231 + 2, "a heading, and the exports before this one");

    let (from, to) = (events[10]["recorded_at"].clone(), events[20]["recorded_at"].clone());
    let part = world.export(&world.ada.access_token, json!({"format": "ndjson", "from": from, "to": to})).await;
    let first: Value = serde_json::from_str(part.text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["seq"], part.text.lines().count()), (&json!(10), 10));

    let event = world.app.get(&world.path("events?action=audit.exported&limit=1")).bearer(&world.ada.access_token);
    let told = event.send().await.json()["data"][0].clone();
    assert_eq!((&told["meta"]["format"], &told["target"]), (&json!("ndjson"), &json!(world.workspace)));
    assert!(told["meta"]["from_ms"].as_u64().unwrap() < told["meta"]["to_ms"].as_u64().unwrap(), "{told}");
    assert_eq!(world.exported().await, 4);
}

#[tokio::test]
async fn no_cell_of_csv_begins_a_formula() {
    let world = World::found().await;
    for actor in ["=1+1", "+1", "-1", "@SUM(A1)", "\"=1", "a,b"] {
        world.record(actor, json!({"=x": "=y"})).await;
    }
    let csv = world.export(&world.ada.access_token, json!({"format": "csv"})).await.text;
    for cell in ["\"'=1+1\"", "\"'+1\"", "\"'-1\"", "\"'@SUM(A1)\"", "\"\"\"=1\"", "\"a,b\""] {
        assert!(csv.contains(&format!(",{cell},")), "{cell}: {csv}");
    }
    for line in csv.lines() {
        assert!(line.starts_with('"') && line.ends_with('"'), "{line}");
        for cell in line.trim_matches('"').split("\",\"") {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{line}");
        }
    }
}

#[tokio::test]
async fn without_its_entry_not_a_byte() {
    let world = World::found().await;
    world.record("jane", json!({})).await;
    world.app.numbered().await;
    let owner = &world.app.database.owner;
    let (lock, is_free) = (hold(owner, "ledger_staged", "EXCLUSIVE").await, AtomicBool::new(false));
    let waiting = async {
        let answer = world.export(&world.ada.access_token, json!({"format": "ndjson"})).await;
        (answer, is_free.load(Ordering::SeqCst))
    };
    let release = async {
        waited_for(owner, "ledger_staged").await;
        is_free.store(true, Ordering::SeqCst);
        lock.rollback().await.unwrap();
    };
    let ((answer, was_free), ()) = tokio::join!(waiting, release);
    assert!(answer.status == 200 && was_free, "it waits for its entry: {}", answer.text);
    sqlx::query("REVOKE INSERT ON ledger_staged FROM bailiwick_runtime").execute(owner).await.unwrap();
    let answer = world.export(&world.ada.access_token, json!({"format": "ndjson"})).await;
    assert!(answer.status.is_server_error() && !answer.text.contains("jane"), "{} {}", answer.status, answer.text);
}

#[tokio::test]
async fn whoever_may_read_may_not_therefore_export() {
    let world = World::found().await;
    let dev = world.app.join(&world.workspace, "dev@example.com", "developer").await;
    let body = json!({"format": "ndjson"});
    assert_eq!(world.export(&dev.access_token, body.clone()).await.problem(), (403, "forbidden".to_owned()));
    let (stranger, _) = world.app.founder("eve@example.com", "other").await;
    assert_eq!(world.export(&stranger.access_token, body.clone()).await.status, StatusCode::NOT_FOUND);
    let project = world.app.post(&format!("/v1/workspaces/{}/projects", world.workspace), &json!({"name": "p"}));
    let project = project.bearer(&world.ada.access_token).send().await.text_of("id");
    let confined = json!({"name": "k", "scopes": ["management"], "project_id": project});
    let key = world.app.api_key(&world.ada, &world.workspace, &confined).await;
    let refused = world.export(key["key"].as_str().unwrap(), body.clone()).await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()), "the trail of others' projects");
    let key = world.app.api_key(&world.ada, &world.workspace, &json!({"name": "k", "scopes": ["management"]})).await;
    assert_eq!(world.export(key["key"].as_str().unwrap(), body).await.status, 200);
    for wrong in [
        json!({"format": "xml"}),
        json!({}),
        json!({"format": "csv", "from": "yesterday"}),
        json!({"format": "csv", "from": "9999-12-31T23:59:59-23:59"}),
    ] {
        assert_eq!(world.export(&world.ada.access_token, wrong).await.status, 422);
    }
    assert_eq!(world.exported().await, 1);
}

/// A key that is revoked while it exports gets no further page, and no end that looks like one.
#[tokio::test]
async fn a_revoked_key_gets_no_further_page() {
    let world = World::found().await;
    // More than the sockets between take in.
    let meta = json!({"text": "x".repeat(15_000)});
    for _ in 0..80 {
        join_all((0..20).map(|_| world.record("jane", meta.clone()))).await;
    }
    let key = world.app.api_key(&world.ada, &world.workspace, &json!({"name": "k", "scopes": ["management"]})).await;
    let client = crate::harness::http::http();
    let request = client.post(format!("{}{}", world.app.url, world.path("export"))).json(&json!({"format": "ndjson"}));
    let mut response = request.bearer_auth(key["key"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut taken = response.chunk().await.unwrap().unwrap().len();
    let path = format!("/v1/workspaces/{}/api-keys/{}", world.workspace, key["id"].as_str().unwrap());
    assert_eq!(world.app.delete(&path).bearer(&world.ada.access_token).send().await.status, 204);
    let cut = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => taken += chunk.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(cut && taken < 1_600 * 15_000, "{cut} {taken}");
}
