//! Events over the API: many batches at once, through several nodes, and more than there is room for.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::app::TestApp;
use crate::harness::ledger::{begin, has_all_once, report, rows};
use crate::harness::recorder::{Recorded, Recorder, batch};

const WORKSPACES: usize = 3;
const BATCHES: usize = 6;
const EACH: usize = 25;
/// A body that does not say how long it is counts as the largest: so many of them are half of the room.
const SHARE: usize = 16;
const REFUSED: usize = 4;

#[tokio::test]
async fn batches_of_several_workspaces_through_two_nodes_make_logs_without_a_gap() {
    let app = TestApp::start().await;
    let node = app.another_node().await;
    let mut logs = Vec::new();
    for n in 0..WORKSPACES {
        logs.push(Recorder::in_workspace(&app, &format!("acme-{n}")).await);
    }
    let sending = logs.iter().flat_map(|recorder| {
        let nodes = [recorder.clone(), recorder.at(&node.url)];
        (0..BATCHES).flat_map(move |n| nodes.clone().map(|at| (recorder, at, format!("b-{n}"))))
    });
    // Each request comes to both nodes under one key: whoever is second waits, or hears that it is in flight.
    let answers =
        join_all(sending.map(|(_, at, name)| async move { (at.try_batch(&name, EACH).await.unwrap(), name) })).await;
    for (answer, name) in answers {
        let conflict = answer.status == 409 && answer.problem().1 == "idempotency_in_flight";
        assert!(answer.status == 201 || conflict, "{name}: {}", answer.text);
    }
    for recorder in &logs {
        let mut acknowledged: BTreeMap<String, Recorded> = BTreeMap::new();
        for n in 0..BATCHES {
            let (here, there) = (
                recorder.batch(&format!("b-{n}"), EACH).await,
                recorder.at(&node.url).batch(&format!("b-{n}"), EACH).await,
            );
            assert_eq!(here, there, "one answer for both nodes");
            assert!(here.is_sorted_by(|one, next| one.seq + 1 == next.seq), "a batch stands together: {here:?}");
            acknowledged.extend(here.into_iter().enumerate().map(|(at, event)| (format!("b-{n}-{at}"), event)));
        }
        let log = has_all_once(&app.database.owner, recorder.uuid(), &acknowledged).await;
        assert_eq!(log.len(), 2 + BATCHES * EACH, "the workspace, the program's key, and its events");
    }
    let report = report(&app).await;
    assert!(report.is_good(), "{report:?}");
}

#[tokio::test]
async fn a_full_queue_refuses_loses_nothing_and_leaves_room_for_others() {
    let app = TestApp::start().await;
    let (acme, other) = (Recorder::in_workspace(&app, "acme").await, Recorder::in_workspace(&app, "other").await);
    app.numbered().await;
    let mut held = begin(&app.database.owner).await;
    sqlx::query("SELECT FROM ledger_heads WHERE workspace_id = $1 FOR UPDATE")
        .bind(acme.uuid())
        .execute(&mut *held)
        .await
        .unwrap();
    let mut flood: FuturesUnordered<_> = (0..SHARE + REFUSED).map(|n| unsized_batch(&acme, format!("f-{n}"))).collect();
    let mut refused = Vec::new();
    while refused.len() < REFUSED {
        let (name, answer) = flood.next().await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("\"code\":\"ingest_queue_full\""), "{answer}");
        let wait = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
        assert!((1..=30).contains(&wait.parse::<u32>().unwrap()), "{wait}");
        refused.push(name);
    }
    assert_eq!(other.batch("room", 1).await.len(), 1, "there is room for somebody else");
    held.rollback().await.unwrap();
    while let Some((name, answer)) = flood.next().await {
        assert!(answer.starts_with("HTTP/1.1 201 "), "{name}: {answer}");
    }
    for n in 0..SHARE + REFUSED {
        acme.batch(&format!("f-{n}"), 2).await;
    }
    app.numbered().await;
    assert_eq!(rows(&app.database.owner, acme.uuid()).await.len(), 2 + 2 * (SHARE + REFUSED), "each once");
    assert!(report(&app).await.is_good());
}

/// Two events in a request that does not say how long it is, and the answer as it came.
async fn unsized_batch(recorder: &Recorder, name: String) -> (String, String) {
    let body = batch(&name, 2).to_string();
    let host = recorder.url.strip_prefix("http://").unwrap();
    let request = format!(
        "POST /v1/workspaces/{}/audit/events HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\nidempotency-key: {name}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        recorder.workspace,
        recorder.key(),
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (name, answer)
}
