//! Several real processes on one database.

use nix::sys::signal::Signal;

use super::ground::{Ground, tell};
use crate::harness::process::until;

const REVOCATIONS: usize = 200;

#[tokio::test]
async fn no_node_takes_a_key_after_its_revocation_was_answered() {
    let ground = Ground::new().await;
    let nodes = ground.three_nodes(&[]).await;
    let urls: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
    let took = ground.revocations(&urls, REVOCATIONS).await;
    tell("three nodes", took);
    for node in &nodes {
        assert_eq!(node.metric("bailiwick_feed_reloads_total").await, 0.0, "nobody lost the thread");
        let asked = node.metric("bailiwick_feed_key_lookups_total{from=\"database\"}").await;
        assert_eq!(asked, 0.0, "nobody asked the database about a key");
    }
}

#[tokio::test]
async fn a_key_is_good_everywhere_as_soon_as_it_was_handed_out() {
    let ground = Ground::new().await;
    // Without calls to wake them, nodes would not know for a quarter of a second.
    let nodes = ground.three_nodes(&[("BAILIWICK_DATABASE_POOLER", "transaction")]).await;
    let urls: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
    for _ in 0..20 {
        for key in ground.keys(1).await {
            ground.all_take(&urls, &key).await;
        }
    }
}

#[tokio::test]
async fn a_node_that_stands_still_holds_nobody_up_for_long_and_takes_nothing_when_it_goes_on() {
    let ground = Ground::new().await;
    let nodes = ground.three_nodes(&[]).await;
    let urls: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
    let keys = ground.keys(4).await;
    for key in &keys {
        ground.all_take(&urls, key).await;
    }
    nodes[0].signal(Signal::SIGSTOP);
    let mut took = Vec::new();
    for key in &keys {
        let (status, _, duration) = ground.revoke(urls[1], key).await;
        assert_eq!(status, 204);
        ground.none_takes(&urls[1..], key).await;
        took.push(duration);
    }
    tell("one of three stopped", took);
    // It is asked before it goes on, and answers when it does.
    let asking = ground.none_takes(&urls[..1], &keys[0]);
    let going_on = async { nodes[0].signal(Signal::SIGCONT) };
    tokio::join!(asking, going_on);
    for key in &keys {
        ground.none_takes(&urls[..1], key).await;
    }
    until(async || nodes[0].readyz().await == 200).await;
    assert!(nodes[0].metric("bailiwick_feed_reloads_total").await >= 1.0, "it was fenced and read everything anew");
    for key in &keys {
        ground.none_takes(&urls, key).await;
    }
    tell("all three again", ground.revocations(&urls, 6).await);
}

#[tokio::test]
async fn a_node_that_leaves_takes_its_row_along_and_one_that_dies_is_fenced() {
    let ground = Ground::new().await;
    let [mut leaving, mut dying, staying] = ground.three_nodes(&[]).await;
    let count = async || {
        let nodes = "SELECT count(*) FROM feed_nodes";
        sqlx::query_scalar::<_, i64>(nodes).fetch_one(&ground.app.database.owner).await.unwrap()
    };
    assert_eq!(count().await, 4);
    leaving.signal(Signal::SIGTERM);
    leaving.ended().await;
    assert_eq!(count().await, 3);
    dying.signal(Signal::SIGKILL);
    dying.ended().await;
    tell("one of three dead", ground.revocations(&[&ground.app.url, &staying.url], 4).await);
    assert_eq!(count().await, 2);
}
