//! Keys are verified at three nodes, by the hundred, while they are revoked and one of the nodes is cut off from the database.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bailiwick_server::config::DEV_MARK;
use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::ground::{Ground, Key, tell};
use crate::harness::node::Node;
use crate::harness::process::until;
use crate::harness::run_dir::variable;
use crate::harness::wire::Wire;

/// `cargo xtask test --verifications N` sets it.
const VERIFICATIONS: &str = "BAILIWICK_VERIFICATIONS";
/// How many are made otherwise.
const FEWER: u64 = 100_000;
const ROUNDS: usize = 3;
/// Revoked in each round: while all is well, while the node is cut off, and while it comes back.
const CALM: usize = 5;
const CUT: usize = 8;
const BACK: usize = 5;
/// In one request there are as many keys as the server takes.
const BATCH: usize = 100;
const DOOMED: usize = ROUNDS * (CALM + CUT + BACK);
const PATIENCE: Duration = Duration::from_secs(60);

struct Scene {
    ground: Ground,
    keys: Vec<Key>,
    /// Of each key, whether its revocation was answered.
    answered: Vec<AtomicBool>,
    /// The question about all keys.
    batch: String,
    verified: AtomicU64,
    unavailable: AtomicU64,
    over: AtomicBool,
}

impl Scene {
    async fn on(ground: Ground) -> Self {
        let keys = ground.keys(BATCH).await;
        let asked: Vec<Value> = keys.iter().map(|key| json!({"key": key.text})).collect();
        Self {
            ground,
            answered: keys.iter().map(|_| AtomicBool::new(false)).collect(),
            batch: json!({"keys": asked}).to_string(),
            keys,
            verified: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    fn answered(&self) -> Vec<bool> {
        self.answered.iter().map(|answered| answered.load(Ordering::SeqCst)).collect()
    }

    /// Asks a node about all keys, and looks at each verdict.
    async fn verify(&self, client: &Client, node: &Node) {
        let before = self.answered();
        let url = format!("{}/internal/v1/keys/verify-batch", node.private_url);
        // As nodes of their own processes have it.
        let call = client.post(url).bearer_auth(self.ground.app.internal_key.trim_start_matches(DEV_MARK));
        let answer = call.header("content-type", "application/json").body(self.batch.clone()).send().await.unwrap();
        if answer.status() == 503 {
            self.unavailable.fetch_add(1, Ordering::Relaxed);
            return;
        }
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        let verdicts = answer["data"].as_array().unwrap();
        assert_eq!(verdicts.len(), BATCH);
        for (nth, (verdict, was_answered)) in verdicts.iter().zip(before).enumerate() {
            let is_valid = verdict["valid"].as_bool().unwrap();
            assert!(!(is_valid && was_answered), "{} took key {nth} after its revocation was answered", node.url);
            assert!(is_valid || nth < DOOMED, "{} refused key {nth}, which is good: {verdict}", node.url);
        }
        self.verified.fetch_add(BATCH as u64, Ordering::Relaxed);
    }

    async fn client(&self, node: &Node) {
        let client = crate::harness::http::http();
        while !self.over.load(Ordering::SeqCst) {
            self.verify(&client, node).await;
        }
    }

    /// Revokes the next keys, at one of these nodes after the other.
    async fn revoke(&self, nodes: &[&Node], next: &mut std::ops::Range<usize>, count: usize) -> Vec<Duration> {
        let mut took = Vec::with_capacity(count);
        for key in next.by_ref().take(count) {
            let node = nodes[key % nodes.len()];
            let (status, code, duration) = self.ground.revoke(&node.url, &self.keys[key]).await;
            assert_eq!((status, code.as_str()), (204, ""), "key {key} at {}", node.url);
            self.answered[key].store(true, Ordering::SeqCst);
            took.push(duration);
        }
        took
    }

    async fn verified(&self, at_least: u64) {
        until(async || self.verified.load(Ordering::Relaxed) >= at_least).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_verification_takes_a_key_whose_revocation_was_answered_while_a_node_was_cut_off() {
    let wanted = variable(VERIFICATIONS).map_or(FEWER, |count| count.to_str().unwrap().parse().unwrap());
    let ground = Ground::new().await;
    let wire = Wire::to(&ground.app.database).await;
    let settings = [
        ("BAILIWICK_DATABASE_RUNTIME_URL", wire.runtime_url.as_str()),
        ("BAILIWICK_DATABASE_SYSTEM_URL", wire.system_url.as_str()),
    ];
    let nodes =
        [Node::beside(&ground.app).await, Node::beside(&ground.app).await, Node::with(&ground.app, &settings).await];
    let [one, two, cut_off] = nodes.each_ref();
    let scene = Scene::on(ground).await;
    let rounds = async {
        let (mut next, mut amid) = (0..DOOMED, Vec::new());
        for round in 1..=ROUNDS as u64 {
            scene.revoke(&[one, two, cut_off], &mut next, CALM).await;
            wire.cut();
            amid.extend(scene.revoke(&[one, two], &mut next, CUT).await);
            wire.mend();
            scene.revoke(&[one, two], &mut next, BACK).await;
            let healed = until(async || cut_off.readyz().await == 200);
            timeout(PATIENCE, healed).await.expect("the node heals by itself");
            assert!(cut_off.metric("bailiwick_feed_reloads_total").await >= 1.0, "it was fenced");
            scene.verified(wanted * round / ROUNDS as u64).await;
        }
        scene.over.store(true, Ordering::SeqCst);
        amid
    };
    let (amid, _) = tokio::join!(rounds, join_all(nodes.iter().chain(&nodes).map(|node| scene.client(node))));
    tell("one of three cut off", amid);
    let [verified, unavailable] = [&scene.verified, &scene.unavailable].map(|count| count.load(Ordering::Relaxed));
    println!("{verified} verifications; {unavailable} requests were not answered");
    assert!(scene.answered().iter().filter(|answered| **answered).count() == DOOMED && verified >= wanted);
    let client = crate::harness::http::http();
    for node in &nodes {
        scene.verify(&client, node).await;
    }
}
