//! Handed over with a change or not at all; done where it belongs.

use bailiwick_proof::commitment::Field;
use std::process::Stdio;

use bailiwick_server::jobs::Registry;
use secrecy::ExposeSecret as _;
use tokio::process::Command;

use super::kinds::{Moody, Note, Secretive, Tell};
use super::shop::Shop;
use crate::harness::openings::openings;
use crate::harness::programs::pg_dump;

#[tokio::test]
async fn a_job_is_there_with_its_change_or_not_at_all() {
    let shop = Shop::open().await;
    let mut tx = shop.tx().await;
    shop.queue.enqueue::<Tell>(&mut tx, &"never".to_owned()).await.unwrap();
    tx.finish_reading().await.unwrap();
    let mut dropped = shop.tx().await;
    shop.queue.enqueue::<Tell>(&mut dropped, &"neither".to_owned()).await.unwrap();
    drop(dropped);
    shop.enqueue::<Tell>(&["once".to_owned()]).await;

    let tell = Tell::default();
    shop.work(Registry::default().with(tell.clone()), 2, async || shop.left().await == 0).await;
    assert_eq!(tell.told(), ["once"]);
    assert_eq!(
        shop.number("SELECT count(*) FROM job_payloads WHERE workspace_id <> '00000000-0000-0000-0000-000000000000'")
            .await,
        0
    );
}

#[tokio::test]
async fn what_a_job_does_is_done_in_its_workspace_and_in_its_name() {
    let shop = Shop::open().await;
    let jobs = shop.enqueue::<Note>(&["a".to_owned(), "b".to_owned()]).await;
    let registry = Registry::default().with(Note(shop.app.db.clone()));
    shop.work(registry, 2, async || shop.left().await == 0).await;
    let mut targets = shop.targets("test.noted").await;
    targets.sort();
    assert_eq!(targets, ["a", "b"], "exactly once each");
    let noted = openings(&shop.app, shop.workspace, Some("test.noted")).await;
    let mut actors: Vec<String> = noted.iter().map(|fields| fields[&Field::Actor].value.clone()).collect();
    actors.sort();
    let mut jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
    jobs.sort();
    assert_eq!(actors, jobs);
}

#[tokio::test]
async fn a_kind_that_nobody_here_knows_waits_for_the_version_that_does() {
    let shop = Shop::open().await;
    shop.enqueue::<Moody>(&["fine".to_owned()]).await;
    shop.enqueue::<Tell>(&["known".to_owned()]).await;
    let tell = Tell::default();
    shop.work(Registry::default().with(tell), 2, async || shop.left().await == 1).await;
    let untouched = "SELECT attempts + fence FROM jobs_ready WHERE kind = 'test.moody' AND leased_until IS NULL";
    assert_eq!(shop.number(untouched).await, 0);
    shop.work(Registry::default().with(Moody), 2, async || shop.left().await == 0).await;
}

/// Requirement: a finished job's row holds no payload, a failed one shows its error without it.
#[tokio::test]
async fn a_dump_shows_no_payload_before_during_or_after() {
    let shop = Shop::open().await;
    let secret = "K7MQ-2WXD-in-a-payload";
    let dump = async || {
        let url = shop.app.database.superuser_url.expose_secret();
        let mut dump = Command::new(pg_dump());
        let output = dump.args(["--inserts", url]).stdin(Stdio::null()).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let hidden = async |when: &str| {
        let text = dump().await;
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(text.contains("jobs_ready") && !text.contains(secret) && !text.contains(&hex), "{when}");
        text
    };
    let moods = ["fine", "refused", "never", "hangs"].map(|mood| format!("{mood} {secret}"));
    shop.enqueue::<Moody>(&moods).await;
    shop.enqueue::<Secretive>(&moods).await;
    let kept = async || shop.number("SELECT count(*) FROM job_payloads WHERE octet_length(payload_sealed) > 0").await;
    assert_eq!(kept().await, 8);
    hidden("waiting").await;
    let registry = || Registry::default().with(Moody).with(Secretive);
    shop.work(registry(), 4, async || shop.left().await == 0).await;
    let text = hidden("done and dead").await;
    assert!(
        text.contains("refused") && text.contains("not_today 503") && text.contains("timed_out"),
        "errors are told"
    );
    assert_eq!(kept().await, 3, "of those that can be retried, sealed; of nobody else");
    let dead =
        "SELECT count(*) FROM jobs_dead d JOIN job_payloads p USING (workspace_id, id) WHERE d.kind = 'test.moody'";
    assert_eq!(shop.number(dead).await, 3);
}
