//! What stands in memory, and what is asked of the database.

use bailiwick_proof::id::{ApiKeyId, WorkspaceId};
use serde_json::json;

use super::ground::Ground;
use crate::harness::node::Node;
use crate::harness::process::until;

const FLOOD: usize = 200;

/// How often a node has opened a transaction on a path.
async fn path(node: &Node, path: &str) -> f64 {
    node.metric(&format!("bailiwick_operational_path_total{{path=\"{path}\"}}")).await
}

/// A key that nobody has, with a good checksum.
fn wrong_key(n: usize) -> String {
    use bailiwick_proof::api_key::PlainApiKey;
    use bailiwick_proof::environment::Environment;
    let mut entropy = [0; 96];
    entropy.iter_mut().enumerate().for_each(|(at, byte)| *byte = u8::try_from((n * 7 + at * at * 13) % 248).unwrap());
    PlainApiKey::from_entropy(Environment::Live, &entropy).unwrap().reveal().to_owned()
}

#[tokio::test]
async fn neither_known_nor_wrong_keys_reach_the_database() {
    let ground = Ground::new().await;
    let key = ground.keys(1).await.remove(0);
    let node = Node::beside(&ground.app).await;
    until(async || node.metric("bailiwick_feed_keys ").await >= 2.0).await;
    ground.all_take(&[&node.url], &key).await;
    let before = path(&node, "authenticate_key").await;
    let client = crate::harness::http::http();
    let mut flood = Vec::new();
    for n in 0..FLOOD {
        ground.all_take(&[&node.url], &key).await;
        flood.push(client.get(format!("{}/v1/key", node.url)).bearer_auth(wrong_key(n)).send());
    }
    let polls = path(&node, "follow_feed").await;
    for answer in futures_util::future::join_all(flood).await {
        assert_eq!(answer.unwrap().status(), 401);
    }
    assert_eq!(path(&node, "authenticate_key").await, before, "no key of its own was asked for");
    let polls = path(&node, "follow_feed").await - polls;
    assert!(polls < 200.0, "they share their polls: {polls}");
}

/// Whoever owns the database changes nothing unseen.
#[tokio::test]
async fn what_the_owner_changes_behind_the_server_is_seen() {
    let ground = Ground::new().await;
    let (app, url) = (&ground.app, ground.app.url.as_str());
    let owner = &app.database.owner;
    let keys = ground.keys(4).await;
    for key in &keys {
        ground.all_take(&[url], key).await;
    }
    let id = |n: usize| keys[n].id.parse::<ApiKeyId>().unwrap().uuid();
    let refused = async |n: usize, code: &str| {
        until(async || ground.ask(url, &keys[n]).await == (401, code.to_owned())).await;
    };
    sqlx::query("UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = $1")
        .bind(id(0))
        .execute(owner)
        .await
        .unwrap();
    refused(0, "unauthenticated").await;
    app.vouch().await;
    refused(0, "key_expired").await;
    sqlx::query("UPDATE api_keys SET expires_at = NULL WHERE id = $1").bind(id(0)).execute(owner).await.unwrap();
    app.vouch().await;
    until(async || ground.ask(url, &keys[0]).await.0 == 200).await;
    sqlx::query("DELETE FROM api_keys WHERE id = $1").bind(id(1)).execute(owner).await.unwrap();
    refused(1, "unauthenticated").await;
    // The same row under another index, and with another digest.
    sqlx::query("UPDATE api_keys SET lookup = '00000000' WHERE id = $1").bind(id(2)).execute(owner).await.unwrap();
    refused(2, "unauthenticated").await;
    app.vouch().await;
    refused(2, "unauthenticated").await;
    sqlx::query("UPDATE api_keys SET digest = sha256('other') WHERE id = $1").bind(id(3)).execute(owner).await.unwrap();
    refused(3, "unauthenticated").await;
    app.vouch().await;
    refused(3, "unauthenticated").await;
}

#[tokio::test]
async fn a_role_and_a_slug_that_change_are_seen_and_a_new_membership_at_once() {
    let ground = Ground::new().await;
    let (app, workspace) = (&ground.app, ground.workspace.as_str());
    let eve = app.join(workspace, "eve@example.com", "admin").await;
    let owner = &app.database.owner;
    let made = std::sync::atomic::AtomicUsize::new(0);
    let make = async |name: &str| {
        let path = format!("/v1/workspaces/{name}/projects");
        let nth = made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        app.post(&path, &json!({"name": format!("p{nth}")})).bearer(&eve.access_token).send().await.status.as_u16()
    };
    assert_eq!(make(workspace).await, 201);
    let uuid = workspace.parse::<WorkspaceId>().unwrap().uuid();
    let role =
        "UPDATE memberships SET role = 'viewer' WHERE user_id = (SELECT id FROM users WHERE email = 'eve@example.com')";
    sqlx::query(role).execute(owner).await.unwrap();
    app.vouch().await;
    until(async || make(workspace).await == 403).await;
    assert_eq!(make("acme").await, 403);
    sqlx::query("UPDATE workspaces SET slug = 'other' WHERE workspace_id = $1")
        .bind(uuid)
        .execute(owner)
        .await
        .unwrap();
    until(async || make("acme").await == 404).await;
    assert_eq!(make("other").await, 403);
    sqlx::query("DELETE FROM memberships WHERE workspace_id = $1 AND role = 'viewer'")
        .bind(uuid)
        .execute(owner)
        .await
        .unwrap();
    until(async || make("other").await == 404).await;
    sqlx::query("UPDATE users SET suspended_at = now() WHERE email = 'eve@example.com'").execute(owner).await.unwrap();
    until(async || make("other").await == 401).await;
}

#[tokio::test]
async fn a_session_that_was_ended_is_not_taken_when_the_answer_comes() {
    let ground = Ground::new().await;
    for n in 0..20 {
        let person = ground.app.sign_in(&format!("p{n}@example.com")).await;
        let ask = async || ground.app.get("/v1/workspaces").bearer(&person.access_token).send().await;
        assert_eq!(ask().await.status, 200);
        let ended = ground.app.call(reqwest::Method::POST, "/auth/sign-out").bearer(&person.access_token).send().await;
        assert_eq!(ended.status, 204, "{}", ended.text);
        assert_eq!(ask().await.problem(), (401, "session_ended".to_owned()));
    }
}
