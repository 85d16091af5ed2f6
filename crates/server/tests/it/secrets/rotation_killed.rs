//! `kill -9` of the node that rotates, again and again: each step was made or was not, and none too early.

use std::time::Duration;

use bailiwick_server::entropy::Entropy;
use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use super::{VALUE, World};
use crate::harness::node::Node;
use crate::harness::process::until;

/// So many times the blow falls.
const BLOWS: usize = 12;

/// What the owner sees of a rotation, in one look.
#[derive(Debug, sqlx::FromRow)]
struct Seen {
    ready: bool,
    revoked: bool,
    finished: bool,
    old_has_a_value: bool,
    new_has_a_value: bool,
}

impl World {
    async fn seen(&self, rotation: &str) -> Seen {
        let rotation: bailiwick_proof::id::SecretRotationId = rotation.parse().unwrap();
        sqlx::query_as(
            "SELECT ready_at IS NOT NULL AS ready, r.revoked_at IS NOT NULL AS revoked, finished_at IS NOT NULL AS finished,
                 o.value_sealed IS NOT NULL AS old_has_a_value, n.value_sealed IS NOT NULL AS new_has_a_value
             FROM secret_rotations r
                 JOIN secret_versions o ON o.workspace_id = r.workspace_id AND o.secret_id = r.secret_id AND o.version = 1
                 JOIN secret_versions n ON n.workspace_id = r.workspace_id AND n.secret_id = r.secret_id AND n.version = 2
             WHERE r.id = $1",
        )
        .bind(rotation.uuid())
        .fetch_one(&self.app.database.owner)
        .await
        .unwrap()
    }

    async fn count(&self, action: &str) -> usize {
        self.actions().await.iter().filter(|told| *told == action).count()
    }
}

/// What must hold whenever one looks.
fn check(seen: &Seen) {
    assert!(seen.new_has_a_value, "{seen:?}");
    assert_eq!(seen.old_has_a_value, !seen.revoked, "{seen:?}");
    assert!(!seen.revoked || seen.ready, "nothing is revoked early: {seen:?}");
    assert!(!seen.finished || seen.revoked, "{seen:?}");
}

/// Asks a node that is about to die.
async fn ask(client: &Client, token: &str, url: &str) -> Option<(u16, String)> {
    let answer = client.post(url).bearer_auth(token).send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.text().await.ok()?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_blow_falls_nothing_is_revoked_early_and_each_step_is_made_once() {
    let world = World::found().await;
    let client = crate::harness::http::http_builder().timeout(Duration::from_secs(30)).build().unwrap();
    let body = json!({"name": "rotator", "scopes": ["management"]});
    // Each node signs sessions for its own address; a key is good at all of them.
    let key = world.app.api_key(&world.ada, &world.workspace, &body).await;
    let key = key["key"].as_str().unwrap();
    let mut own_node = None::<Uuid>;
    until(async || {
        let sql = "SELECT node_id FROM feed_nodes";
        own_node = sqlx::query_scalar(sql).fetch_optional(&world.app.database.owner).await.unwrap();
        own_node.is_some()
    })
    .await;
    let mut rotations = Vec::new();
    for nth in 0..BLOWS {
        let id = world.secret(&format!("token-{nth}")).await;
        let rotation = world.open_rotation(&id, 0).await;
        check(&world.seen(&rotation).await);
        let mut node = Node::beside(&world.app).await;
        let base = format!("{}/v1/workspaces/{}", node.url, world.workspace);
        let [moment, ..] = Entropy::system().bytes::<8>();
        let ready = format!("{base}/secret-rotations/{rotation}/ready");
        let blow = async {
            sleep(Duration::from_micros(u64::from(moment) * 120)).await;
            node.signal(Signal::SIGKILL);
            node.ended().await;
        };
        let (answered, ()) = tokio::join!(ask(&client, key, &ready), blow);
        let seen = world.seen(&rotation).await;
        check(&seen);
        if let Some((status, text)) = answered {
            assert_eq!(status, 200, "{text}");
            assert!(seen.ready, "what was answered is there: {seen:?}");
        }
        let dead = "DELETE FROM feed_nodes WHERE node_id <> $1";
        sqlx::query(dead).bind(own_node).execute(&world.app.database.owner).await.unwrap();
        if !seen.ready {
            assert_eq!(world.reveal(&id, json!({"version": 1})).await.text_of("value"), VALUE);
        }
        rotations.push((id, rotation));
    }
    for (id, rotation) in &rotations {
        let ready = format!("{}/v1/workspaces/{}/secret-rotations/{rotation}/ready", world.app.url, world.workspace);
        let (status, text) = ask(&client, key, &ready).await.unwrap();
        assert_eq!(status, 200, "{text}");
        until(async || {
            let seen = world.seen(rotation).await;
            check(&seen);
            seen.finished
        })
        .await;
        assert_eq!(world.reveal(id, json!({"version": 1})).await.problem().1, "secret_version_gone");
    }
    for action in ["secret.rotation_ready", "secret.version_revoked", "secret.rotated"] {
        assert_eq!(world.count(action).await, BLOWS, "{action}: once for each");
    }
}
