//! The database is replaced by an older copy of itself, and nodes remember what came after the copy.

use std::time::Duration;

use nix::sys::signal::Signal;
use sqlx::PgPool;
use tokio::time::timeout;

use super::ground::{Ground, Key};
use crate::harness::app::TestApp;
use crate::harness::node::Node;
use crate::harness::own_cluster::OwnCluster;
use crate::harness::process::until;

const PATIENCE: Duration = Duration::from_secs(60);

/// What there was of keys when the copy was made, and what came then.
struct World {
    cluster: OwnCluster,
    ground: Ground,
    nodes: [Node; 3],
    /// Two good ones, one that was revoked before the copy was made, and one that was revoked afterwards.
    before: [Key; 4],
    /// Made after the copy.
    after: Vec<Key>,
    /// The first transaction that came to nothing when the copy was put back.
    reached: i64,
}

impl World {
    /// Where the copy has been put back, and the database does not run yet. Nodes get `signal` before it stops.
    async fn with_an_older_copy(signal: Option<Signal>) -> Self {
        let mut cluster = OwnCluster::start().await;
        let ground = Ground::with(TestApp::on(cluster.database.clone(), 10).await).await;
        let nodes = ground.three_nodes(&[]).await;
        let urls = nodes.each_ref().map(|node| node.url.as_str());
        let Ok(before) = <[Key; 4]>::try_from(ground.keys(4).await) else { panic!("four") };
        assert_eq!(ground.revoke(urls[0], &before[2]).await.0, 204);
        for key in [&before[0], &before[1], &before[3]] {
            ground.all_take(&urls, key).await;
        }
        cluster.stop_in_order().await;
        let copy = cluster.copy();
        cluster.start_again().await;
        timeout(PATIENCE, ready(&nodes)).await.unwrap();
        revoke(&ground, urls[1], &before[3]).await;
        let after = ground.keys(8).await;
        for key in &after {
            ground.all_take(&urls, key).await;
        }
        ground.none_takes(&urls, &before[3]).await;
        let reached = next_xid(&cluster.database.owner).await;
        if let Some(signal) = signal {
            nodes.iter().for_each(|node| node.signal(signal));
        }
        cluster.stop_in_order().await;
        cluster.put_back(&copy);
        Self { cluster, ground, nodes, before, after, reached }
    }

    /// Once any node has answered a revocation, every node knows the keys of this database and no others.
    async fn the_copy_alone_counts(&self) {
        let Self { cluster, ground, nodes, before: [good, doomed, gone, back], after, .. } = self;
        let urls = nodes.each_ref().map(|node| node.url.as_str());
        timeout(PATIENCE, revoke(ground, urls[2], doomed)).await.expect("nodes follow the copy");
        for key in after {
            for url in urls {
                assert_eq!(
                    ground.ask(url, key).await,
                    (401, "unauthenticated".to_owned()),
                    "{url}: made after the copy"
                );
            }
        }
        for key in [good, back] {
            ground.all_take(&urls, key).await;
        }
        for key in [gone, doomed] {
            ground.none_takes(&urls, key).await;
        }
        let there = "SELECT count(*) FROM api_keys";
        let there: i64 = sqlx::query_scalar(there).fetch_one(&cluster.database.owner).await.unwrap();
        for node in nodes {
            let loaded = until(async || {
                let keys = node.metrics("bailiwick_feed_keys ").await;
                keys == [format!("bailiwick_feed_keys {there}")]
            });
            timeout(PATIENCE, loaded).await.expect("memory has as many keys as the database");
            assert!(node.metric("bailiwick_feed_reloads_total").await >= 1.0, "{} has begun anew", node.url);
        }
    }
}

async fn ready(nodes: &[Node]) {
    for node in nodes {
        until(async || node.readyz().await == 200).await;
    }
}

/// Until it is answered.
async fn revoke(ground: &Ground, url: &str, key: &Key) {
    until(async || ground.revoke(url, key).await.0 == 204).await;
}

/// The first id of a transaction that has not begun yet.
pub async fn next_xid(owner: &PgPool) -> i64 {
    let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    sqlx::query_scalar(next).fetch_one(owner).await.unwrap()
}

#[tokio::test]
async fn keys_that_the_copy_does_not_have_are_refused_and_those_that_it_has_are_good() {
    let mut world = World::with_an_older_copy(None).await;
    world.cluster.start_again().await;
    world.the_copy_alone_counts().await;
}

/// The numbers of transactions tell nothing any more: the copy has had more of them than the nodes remember.
#[tokio::test]
async fn also_when_the_copy_has_overtaken_what_the_nodes_remember() {
    let mut world = World::with_an_older_copy(Some(Signal::SIGSTOP)).await;
    world.cluster.start_again().await;
    let owner = &world.cluster.database.owner;
    // The nodes may have seen some more before they were stopped.
    let enough = world.reached + 50;
    while next_xid(owner).await < enough {
        let burn = "SELECT pg_current_xact_id()::text";
        sqlx::query(burn).execute(owner).await.unwrap();
    }
    world.nodes.iter().for_each(|node| node.signal(Signal::SIGCONT));
    world.the_copy_alone_counts().await;
}
