//! Many writers and many sequencers on one log: no gap, no fork, no false alarm, and the order of business.

use bailiwick_server::vault::{OPENING_TARGET, Owner};
use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::ledger::{has_all_once, report, report_on, rows};
use crate::harness::node::Node;
use crate::harness::recorder::{Recorded, Recorder, event, events, recorded};

const WRITERS: usize = 64;
/// Events and keys that each writer makes.
const EACH: usize = 4;
/// Pairs of which the second began when the first had been answered.
const PAIRS: usize = 200;
const LANES: usize = 8;
/// Logs that come to be while several nodes look.
const LOGS: usize = 40;

/// Four nodes on one database and one anchor store, and a program that speaks to each.
async fn four_nodes() -> (TestApp, [Node; 3], Vec<Recorder>) {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let nodes = [Node::beside(&app).await, Node::beside(&app).await, Node::beside(&app).await];
    let mut recorders: Vec<Recorder> = nodes.iter().map(|node| recorder.at(&node.url)).collect();
    recorders.push(recorder);
    (app, nodes, recorders)
}

#[tokio::test]
async fn sixty_four_writers_and_four_sequencers_make_one_log() {
    let (app, nodes, recorders) = four_nodes().await;
    let kept = recorders[0].checkpoint().await;
    let writers = (0..WRITERS).map(|writer| {
        let recorder = &recorders[writer % recorders.len()];
        async move {
            let mut acknowledged = Vec::new();
            for n in 0..EACH {
                let target = format!("w-{writer}-{n}");
                acknowledged.push((target.clone(), recorder.record(&target).await));
                let key = json!({"name": target, "scopes": ["write"]});
                recorder.change("/api-keys", &key, &format!("key-{target}")).await;
                // Whoever asks in the middle gets a checkpoint that covers what was answered.
                if n == writer % EACH {
                    let size = recorder.checkpoint().await.unverified().size;
                    assert!(acknowledged.iter().all(|(_, event)| event.seq < size));
                }
            }
            acknowledged
        }
    });
    let acknowledged: BTreeMap<String, Recorded> = join_all(writers).await.into_iter().flatten().collect();
    app.numbered().await;
    let log = has_all_once(&app.database.owner, recorders[0].uuid(), &acknowledged).await;
    assert_eq!(log.len(), 2 + 2 * WRITERS * EACH, "the workspace, the program's key, and what the writers made");

    let mut kept = kept;
    for recorder in &recorders {
        kept = recorder.extends(&kept).await;
    }
    assert_eq!(usize::try_from(kept.unverified().size).unwrap(), log.len());
    let report = report(&app).await;
    assert!(report.is_good(), "{report:?}");
    let mut sequenced = 0;
    for node in &nodes {
        let metrics = node.ledger_metrics().await;
        assert!(!metrics.iter().any(|line| line.starts_with("bailiwick_ledger_failures_total")), "{metrics:?}");
        sequenced += usize::from(metrics.iter().any(|line| line.starts_with("bailiwick_ledger_entries_total")));
    }
    assert_eq!(sequenced, nodes.len(), "every node took part");
}

/// One step of business at one node: an event of the customer's own, or a change of ours whose entry is only staged
/// when it is answered. Answers what its entry is about.
async fn step(recorder: &Recorder, name: &str, own: bool) -> String {
    if own {
        recorder.record(name).await;
        return name.to_owned();
    }
    let made = recorder.change("/projects", &json!({"name": name}), name).await;
    made.text_of("id")
}

#[tokio::test]
async fn what_committed_before_another_began_stands_before_it() {
    let (app, _nodes, recorders) = four_nodes().await;
    let lanes = (0..LANES).map(|lane| {
        let recorders = &recorders;
        async move {
            let mut pairs = Vec::new();
            for n in 0..PAIRS / LANES {
                let (here, there) = (&recorders[(lane + n) % 4], &recorders[(lane + n + 1 + n % 3) % 4]);
                let a = step(here, &format!("a-{lane}-{n}"), n % 2 == 0).await;
                let b = step(there, &format!("b-{lane}-{n}"), n % 4 < 2).await;
                pairs.push((a, b));
            }
            pairs
        }
    });
    let pairs: Vec<(String, String)> = join_all(lanes).await.into_iter().flatten().collect();
    assert_eq!(pairs.len(), PAIRS);
    app.numbered().await;
    let log = rows(&app.database.owner, recorders[0].uuid()).await;
    let keys = app.vault().await.keys(Owner::of(recorders[0].uuid())).await.unwrap();
    let place = |target: &str| {
        let index = keys.blind_index(&OPENING_TARGET, target.as_bytes()).unwrap();
        log.iter().find(|row| row.target_index == index).map(|row| row.seq).unwrap()
    };
    for (a, b) in &pairs {
        assert!(place(a) < place(b), "{a} at {}, {b} at {}", place(a), place(b));
    }
    assert!(report_on(&app, &recorders[0].workspace).await.damages.is_empty());
}

/// A log comes to be with its first entry, on whichever node is the first to see it.
#[tokio::test]
async fn the_first_event_of_a_log_gets_its_number_at_once() {
    let app = TestApp::start().await;
    let _others = (app.another_node().await, app.another_node().await);
    let ada = app.sign_in("ada@example.com").await;
    let founding = (0..LOGS).map(|n| {
        let (app, token) = (&app, &ada.access_token);
        async move {
            let slug = format!("acme-{n}");
            let founded = app.post("/v1/workspaces", &json!({"name": slug, "slug": slug})).bearer(token).send().await;
            app.know_actions(&founded.text_of("id")).await;
            let path = format!("/v1/workspaces/{}/audit/events", founded.text_of("id"));
            let told = app.post(&path, &events([event("first")])).bearer(token).send().await;
            assert_eq!(
                (told.status.as_u16(), told.json()["events"][0]["seq"].as_u64()),
                (201, Some(1)),
                "{}",
                told.text
            );
        }
    });
    stream::iter(founding).buffer_unordered(LANES).collect::<Vec<()>>().await;
    app.numbered().await;
    assert!(report(&app).await.is_good());
}

#[tokio::test]
async fn a_node_started_amid_the_others_sees_no_damage() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let writing = async {
        for n in 0..40 {
            assert_eq!(recorded(&recorder.try_record(&format!("n-{n}")).await.unwrap()).seq, n + 2);
            recorder.checkpoint().await;
        }
    };
    let starting = async {
        let mut others = Vec::new();
        for _ in 0..8 {
            others.push(app.another_node().await);
        }
        others
    };
    let ((), _others) = tokio::join!(writing, starting);
    assert!(report(&app).await.is_good());
}
