//! The journal in a bucket: several machines sign by it, and it comes and goes.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use sqlx::AssertSqlSafe;

use crate::harness::app::TestApp;
use crate::harness::bucket::{Behaviour, ObjectStore};
use crate::harness::cluster::TestDatabase;
use crate::harness::ledger::{has_all_once, report};
use crate::harness::node::{self, Node};
use crate::harness::process::until;
use crate::harness::recorder::Recorder;

/// Entries before the first event: the workspace's, and that of the program's key.
const BEFORE: u64 = 2;
/// So often all nodes sign at once.
const ROUNDS: usize = 12;

/// So many ask for a checkpoint at once.
const ASKING: usize = 8;

async fn a_server(bucket: &ObjectStore) -> TestApp {
    let mut database = TestDatabase::create().await;
    database.bucket = Some(bucket.bucket("cells"));
    TestApp::on(database, 10).await
}

#[tokio::test]
async fn a_node_goes_on_from_the_bucket_and_refuses_an_older_database() {
    let bucket = ObjectStore::start().await;
    let app = a_server(&bucket).await;
    let recorder = Recorder::of(&app).await;
    recorder.record("first").await;
    let kept = recorder.checkpoint().await;
    assert_eq!(kept.unverified().size, BEFORE + 1);
    let restarted = app.another_node().await;
    let elsewhere = recorder.at(&restarted.url);
    elsewhere.record("second").await;
    let kept = elsewhere.extends(&kept).await;
    assert!(report(&app).await.is_good());
    assert!(!app.database.anchor_dir.exists(), "nothing lies in a folder");

    for table in ["ledger_entries", "ledger_openings", "ledger_hashes", "ledger_heads", "ledger_checkpoints"] {
        let statement = format!("DELETE FROM {table} WHERE workspace_id = $1 AND environment = 'live'");
        let gone = sqlx::query(AssertSqlSafe(statement)).bind(recorder.uuid()).execute(&app.database.owner);
        assert!(gone.await.unwrap().rows_affected() > 0, "{table}");
    }
    let output = node::command(&app).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is behind the journal") && said.contains(&kept.unverified().origin), "{said}");
    assert!(!report(&app).await.is_good());
}

#[tokio::test]
async fn three_nodes_sign_by_one_bucket_without_a_fork_or_a_gap() {
    let bucket = ObjectStore::start().await;
    let app = a_server(&bucket).await;
    let first = Recorder::of(&app).await;
    let nodes = [Node::beside(&app).await, Node::beside(&app).await];
    let recorders = [first.clone(), first.at(&nodes[0].url), first.at(&nodes[1].url)];
    let mut kept = first.checkpoint().await;
    let mut acknowledged = BTreeMap::new();
    for round in 0..ROUNDS {
        let signed = join_all(recorders.iter().enumerate().map(async |(n, recorder)| {
            let target = format!("n-{round}-{n}");
            let recorded = recorder.record(&target).await;
            let checkpoint = recorder.checkpoint().await;
            assert!(checkpoint.unverified().size > recorded.seq, "it covers what was answered");
            (target, recorded)
        }));
        acknowledged.extend(signed.await);
        kept = recorders[round % recorders.len()].extends(&kept).await;
    }
    has_all_once(&app.database.owner, first.uuid(), &acknowledged).await;
    let report = report(&app).await;
    assert!(report.is_good(), "{report:?}");
}

#[tokio::test]
async fn while_the_bucket_is_away_entries_are_numbered_and_nothing_is_signed() {
    let bucket = ObjectStore::start().await;
    let app = a_server(&bucket).await;
    let recorder = Recorder::of(&app).await;
    let kept = recorder.checkpoint().await;

    for (behaviour, events) in [(Behaviour::Away, 0..3), (Behaviour::Hanging, 3..5)] {
        bucket.behave(behaviour);
        for n in events {
            assert_eq!(recorder.record(&format!("n-{n}")).await.seq, BEFORE + n);
        }
        // Together they wait as long as one: each by itself would be over its time before the last had its turn.
        let refused = join_all((0..ASKING).map(async |_| recorder.get("/audit/checkpoint").await)).await;
        for refused in refused {
            assert_eq!(refused.problem(), (503, "anchor_unavailable".into()), "{}", refused.text);
            assert_eq!(refused.headers["retry-after"], "1");
        }
    }
    let signed = "SELECT max(size) FROM ledger_checkpoints WHERE workspace_id = $1 AND environment = 'live'";
    let signed: i64 = sqlx::query_scalar(signed).bind(recorder.uuid()).fetch_one(&app.database.owner).await.unwrap();
    assert_eq!(u64::try_from(signed).unwrap(), kept.unverified().size);

    bucket.behave(Behaviour::Serving);
    until(async || recorder.get("/audit/checkpoint").await.status == 200).await;
    let newest = recorder.extends(&kept).await;
    assert_eq!(newest.unverified().size, BEFORE + 5);
    let report = report(&app).await;
    assert!(report.is_good(), "{report:?}");
}
