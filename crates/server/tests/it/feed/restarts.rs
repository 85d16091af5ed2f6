//! The database is stopped hard and started again while keys are verified and revoked at all nodes.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use nix::sys::signal::Signal;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::{sleep, timeout};

use super::ground::{Ground, Key};
use super::restored::next_xid;
use crate::harness::app::TestApp;
use crate::harness::node::Node;
use crate::harness::own_cluster::OwnCluster;
use crate::harness::process::until;

/// Keys that nobody revokes, and for each node those that are revoked there.
const GOOD: usize = 6;
const DOOMED: usize = 30;
/// For how long the database is away; the last one is longer than a node goes on by memory.
const AWAY: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(700), Duration::from_millis(2_500)];
/// Transactions that come to nothing before a crash.
const NOTHING: usize = 300;
/// Nodes heal in seconds (docs/runbooks/node-stale.md); the machine may be busy.
const HEALED_WITHIN: Duration = Duration::from_secs(40);

/// What is known of a key's revocation.
const NOT_ASKED: u8 = 0;
const ASKED: u8 = 1;
const ANSWERED: u8 = 2;

/// What is known by all who ask.
struct Scene {
    ground: Ground,
    urls: Vec<String>,
    /// Good ones first, then those that are revoked at the first node, at the second, …
    keys: Vec<Key>,
    revocations: Vec<AtomicU8>,
    over: AtomicBool,
    accepted: AtomicUsize,
    unavailable: AtomicUsize,
}

impl Scene {
    async fn on(ground: Ground, nodes: &[Node]) -> Self {
        let keys = ground.keys(GOOD + nodes.len() * DOOMED).await;
        Self {
            ground,
            urls: nodes.iter().map(|node| node.url.clone()).collect(),
            revocations: keys.iter().map(|_| AtomicU8::new(NOT_ASKED)).collect(),
            keys,
            over: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            unavailable: AtomicUsize::new(0),
        }
    }

    fn urls(&self) -> Vec<&str> {
        self.urls.iter().map(String::as_str).collect()
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Asks a node about a key, and looks whether it may answer so. Answers the status.
    async fn verify(&self, node: usize, key: usize) -> u16 {
        let revocation = || self.revocations[key].load(Ordering::SeqCst);
        let before = revocation();
        let (status, code) = self.ground.ask(&self.urls[node], &self.keys[key]).await;
        match (status, code.as_str()) {
            (200, _) => assert_ne!(before, ANSWERED, "node {node} took key {key} after its revocation was answered"),
            (401, "key_revoked") => assert_ne!(revocation(), NOT_ASKED, "node {node} refused key {key} for nothing"),
            (503, _) => {}
            other => panic!("node {node}, key {key}: {other:?}"),
        }
        status
    }

    /// Somebody who asks a node about one key after another, all the time. A quarter of them is idle there.
    async fn client(&self, node: usize, begin: usize) {
        for key in (begin..self.keys.len()).chain(0..begin).cycle().filter(|key| key % 4 != node) {
            if self.is_over() {
                return;
            }
            match self.verify(node, key).await {
                200 => self.accepted.fetch_add(1, Ordering::Relaxed),
                503 => self.unavailable.fetch_add(1, Ordering::Relaxed),
                _ => 0,
            };
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Somebody who revokes keys at a node; each that was answered is taken nowhere. Answers how many were, and how many
    /// not.
    async fn revoker(&self, node: usize) -> (usize, usize) {
        let (mut answered, mut unanswered) = (0, 0);
        for key in (GOOD + node * DOOMED..).take(DOOMED) {
            if self.is_over() {
                break;
            }
            self.revocations[key].store(ASKED, Ordering::SeqCst);
            let (status, code, _) = self.ground.revoke(&self.urls[node], &self.keys[key]).await;
            match status {
                204 => {
                    self.revocations[key].store(ANSWERED, Ordering::SeqCst);
                    join_all((0..self.urls.len()).map(|node| self.verify(node, key))).await;
                    answered += 1;
                }
                503 => {
                    unanswered += 1;
                    sleep(Duration::from_millis(200)).await;
                }
                _ => panic!("node {node}, key {key}: {status} {code}"),
            }
            sleep(Duration::from_millis(80)).await;
        }
        (answered, unanswered)
    }

    /// Until every node takes every good key and says that it is ready.
    async fn healed(&self, nodes: &[Node]) {
        let healed = until(async || {
            let ready = join_all(nodes.iter().map(Node::readyz)).await;
            let asked = (0..nodes.len()).flat_map(|node| (0..GOOD).map(move |key| self.verify(node, key)));
            ready.into_iter().chain(join_all(asked).await).all(|status| status == 200)
        });
        timeout(HEALED_WITHIN, healed).await.expect("every node takes the good keys again");
    }
}

/// A crash takes numbers away from transactions that came to nothing, and gives them to others. The nodes had heard of the
/// first, and hear of the second also when the database has by then used up all that were taken away.
#[tokio::test]
async fn a_transaction_with_the_number_of_one_that_came_to_nothing_is_heard_of() {
    let mut cluster = OwnCluster::start().await;
    // What nobody has committed is not put on disk by the way.
    let superuser = cluster.database.superuser();
    sqlx::raw_sql("ALTER SYSTEM SET wal_writer_delay = '10s'").execute(&superuser).await.unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&superuser).await.unwrap();
    let ground = Ground::with(TestApp::on(cluster.database.clone(), 10).await).await;
    let nodes = ground.three_nodes(&[]).await;
    let urls = nodes.iter().map(|node| node.url.as_str()).collect::<Vec<_>>();
    let owner = cluster.database.owner.clone();
    let mut lost = 0;
    for key in ground.keys(4).await {
        timeout(HEALED_WITHIN, until(async || all(&ground, &urls, &key, 200).await)).await.expect("all take the key");
        let reached = come_to_nothing(&superuser, &nodes).await;
        cluster.stop_hard().await;
        cluster.start_again().await;
        let id = key.id.parse::<bailiwick_proof::id::ApiKeyId>().unwrap().uuid();
        let revoke = async || {
            let revoke = sqlx::query("UPDATE api_keys SET revoked_at = now() WHERE id = $1").bind(id);
            revoke.execute(&owner).await.is_ok()
        };
        until(revoke).await;
        lost += usize::from(next_xid(&owner).await < reached);
        while next_xid(&owner).await <= reached {
            sqlx::query("SELECT pg_current_xact_id()::text").execute(&owner).await.unwrap();
        }
        nodes.iter().for_each(|node| node.signal(Signal::SIGCONT));
        timeout(HEALED_WITHIN, until(async || all(&ground, &urls, &key, 401).await)).await.expect("none takes the key");
    }
    assert!(lost > 0, "no crash took a number away");
}

/// Until the nodes have heard of transactions that came to nothing and the disk has not; the nodes stand still then.
/// Whoever commits meanwhile puts all on disk that was written before. Answers the number that comes next.
async fn come_to_nothing(database: &PgPool, nodes: &[Node]) -> i64 {
    for _ in 0..200 {
        let nothing = "BEGIN; SELECT pg_current_xact_id(); ROLLBACK; ".repeat(NOTHING);
        sqlx::raw_sql(AssertSqlSafe(format!("{nothing} NOTIFY bailiwick_feed"))).execute(database).await.unwrap();
        // So long that each node has looked.
        sleep(Duration::from_millis(40)).await;
        nodes.iter().for_each(|node| node.signal(Signal::SIGSTOP));
        let unwritten = "SELECT pg_current_wal_lsn() < pg_current_wal_insert_lsn()";
        if sqlx::query_scalar(unwritten).fetch_one(database).await.unwrap() {
            return next_xid(database).await;
        }
        nodes.iter().for_each(|node| node.signal(Signal::SIGCONT));
    }
    panic!("somebody commits all the time");
}

async fn all(ground: &Ground, urls: &[&str], key: &Key, status: u16) -> bool {
    join_all(urls.iter().map(|url| ground.ask(url, key))).await.iter().all(|answer| answer.0 == status)
}

#[tokio::test]
async fn a_revocation_that_was_answered_holds_over_crashes_of_the_database() {
    let mut cluster = OwnCluster::start().await;
    let ground = Ground::with(TestApp::on(cluster.database.clone(), 10).await).await;
    let mut nodes = ground.three_nodes(&[]).await;
    let scene = Scene::on(ground, &nodes).await;
    scene.healed(&nodes).await;
    let crashes = async {
        for away in AWAY {
            sleep(Duration::from_millis(400)).await;
            cluster.stop_hard().await;
            sleep(away).await;
            cluster.start_again().await;
            scene.healed(&nodes).await;
        }
        scene.over.store(true, Ordering::SeqCst);
    };
    let clients = join_all((0..6).map(|n| scene.client(n % 3, n * scene.keys.len() / 6)));
    let revokers = join_all((0..3).map(|node| scene.revoker(node)));
    let ((), (_, revoked)) = join(crashes, join(clients, revokers)).await;

    let (answered, unanswered) = revoked.iter().fold((0, 0), |(yes, no), (some, others)| (yes + some, no + others));
    let counts = [&scene.accepted, &scene.unavailable].map(|count| count.load(Ordering::Relaxed));
    println!("{answered} revocations answered, {unanswered} not; verifications accepted and unavailable: {counts:?}");
    assert!(answered >= AWAY.len() && unanswered > 0 && counts.iter().all(|count| *count > 0), "under load");
    for node in &mut nodes {
        assert!(node.is_running(), "{} has ended", node.url);
    }
    for (key, state) in scene.keys.iter().zip(&scene.revocations).skip(GOOD) {
        if state.load(Ordering::SeqCst) == ASKED {
            assert_eq!(scene.ground.revoke(&scene.urls[0], key).await.0, 204, "asked again");
            state.store(ANSWERED, Ordering::SeqCst);
        }
        if state.load(Ordering::SeqCst) == ANSWERED {
            scene.ground.none_takes(&scene.urls(), key).await;
        }
    }
}
