//! API keys: made, used, confined, verified, changed, rotated, revoked.

mod changes;
mod confinement;
mod rotation;
mod rotation_killed;
mod slow_bodies;

use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::process::until;

fn keys_of(workspace: &str) -> String {
    format!("/v1/workspaces/{workspace}/api-keys")
}

async fn verify(app: &TestApp, body: &Value) -> Value {
    let answer =
        app.private(Method::POST, "/internal/v1/keys/verify").bearer(&app.internal_key).json(body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_key_lives_from_its_making_to_its_revocation() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let made = app.api_key(&person, "acme", &json!({"name": "deploy", "scopes": ["read", "management"]})).await;
    let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(key.starts_with("bw_live_") && key[8..].starts_with(made["lookup"].as_str().unwrap()));

    let own = app.get("/v1/key").bearer(key).send().await.json();
    assert_eq!((&own["id"], &own["workspace_id"]), (&json!(id), &json!(workspace)));
    assert_eq!(own["scopes"], json!(["read", "management"]));
    let listed = app.get(&keys_of(&workspace)).bearer(key).send().await.json();
    assert_eq!(listed["data"][0]["id"], id);
    assert!(listed["data"][0].get("key").is_none());
    let last_used =
        async || app.get(&keys_of(&workspace)).bearer(key).send().await.json()["data"][0]["last_used_at"].clone();
    until(async || last_used().await.is_string()).await;

    let one = format!("{}/{id}", keys_of("acme"));
    assert_eq!(app.get(&one).bearer(&person.access_token).send().await.json()["status"], "active");
    assert_eq!(app.delete(&one).bearer(&person.access_token).send().await.status, 204);
    assert_eq!(app.delete(&one).bearer(&person.access_token).send().await.status, 204, "again changes nothing");
    assert_eq!(app.get("/v1/key").bearer(key).send().await.problem(), (401, "key_revoked".into()));
    assert_eq!(app.get(&one).bearer(&person.access_token).send().await.json()["status"], "revoked");
    assert_eq!(
        app.actions(Some(&workspace)).await,
        ["workspace.created", "api_key.created", "api_key.revoked"],
        "one entry for each change"
    );
}

#[tokio::test]
async fn the_operators_services_learn_whether_a_key_is_good() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let soon = (bailiwick_server::clock::Clock::system().now() + Duration::hours(1))
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    let made = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"], "expires_at": soon})).await;
    let key = made["key"].as_str().unwrap();
    let good = verify(&app, &json!({"key": key, "scope": "read"})).await;
    assert_eq!(
        (&good["valid"], &good["workspace_id"], &good["environment"]),
        (&json!(true), &json!(workspace), &json!("live"))
    );
    let check =
        async |body: Value, code: &str| assert_eq!(verify(&app, &body).await, json!({"valid": false, "code": code}));
    check(json!({"key": key, "scope": "write"}), "insufficient_scope").await;
    check(json!({"key": key.replace("live", "test")}), "malformed").await;
    check(json!({"key": &key[..20]}), "malformed").await;
    check(json!({"key": key.repeat(2)}), "malformed").await;
    check(json!({"key": ""}), "malformed").await;
    check(json!({"key": "bw_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde1dg76K"}), "unknown").await;
    app.advance(Duration::hours(1));
    check(json!({"key": key}), "expired").await;
    let person = app.sign_in("ada@example.com").await;
    app.delete(&format!("{}/{}", keys_of(&workspace), made["id"].as_str().unwrap()))
        .bearer(&person.access_token)
        .send()
        .await;
    check(json!({"key": key}), "revoked").await;

    for credential in ["", key, "guess"] {
        let call = app.private(Method::POST, "/internal/v1/keys/verify").json(&json!({"key": key}));
        assert_eq!(call.bearer(credential).send().await.problem(), (401, "unauthenticated".into()));
    }
}

#[tokio::test]
async fn two_keys_with_one_index_both_work() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let one = app.api_key(&person, &workspace, &json!({"name": "one", "scopes": ["read"]})).await;
    let two = app.api_key(&person, &workspace, &json!({"name": "two", "scopes": ["read"]})).await;
    // The second key's row now stands under the first one's index, as chance may have it.
    sqlx::query("UPDATE api_keys SET lookup = $1, digest = sha256($2::bytea) WHERE name = 'two'")
        .bind(one["lookup"].as_str().unwrap())
        .bind(same_index(&one, &two).as_bytes())
        .execute(&app.database.owner)
        .await
        .unwrap();
    app.vouch().await;
    let names = async |key: &str| app.get("/v1/key").bearer(key).send().await.json()["name"].clone();
    assert_eq!(names(one["key"].as_str().unwrap()).await, "one");
    assert_eq!(names(&same_index(&one, &two)).await, "two");
}

/// The second key with the first one's index, and its checksum made good again.
fn same_index(one: &Value, two: &Value) -> String {
    let (one, two) = (one["key"].as_str().unwrap(), two["key"].as_str().unwrap());
    let body = format!("{}{}", &one[..16], &two[16..49]);
    let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let crc = !body.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    let digits: String = (0..6).rev().map(|at| char::from(alphabet[(crc / 62_u32.pow(at) % 62) as usize])).collect();
    format!("{body}{digits}")
}

#[tokio::test]
async fn no_key_makes_a_key_beyond_itself() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let manager = app.api_key(&person, &workspace, &json!({"name": "m", "scopes": ["management"]})).await;
    let manager = manager["key"].as_str().unwrap();
    let make = async |scopes: Value| {
        app.post(&keys_of(&workspace), &json!({"name": "k", "scopes": scopes})).bearer(manager).send().await
    };
    assert_eq!(make(json!(["write"])).await.problem(), (403, "beyond_own_authority".into()));
    assert_eq!(make(json!(["read", "management"])).await.problem(), (403, "beyond_own_authority".into()));
    let child = make(json!(["management"])).await;
    assert_eq!(child.status, 201);
    assert!(child.text_of("created_by").starts_with("key_"));
    let reader =
        app.api_key(&person, &workspace, &json!({"name": "r", "scopes": ["read", "read_draft", "write"]})).await;
    let denied = app
        .post(&keys_of(&workspace), &json!({"name": "k", "scopes": ["read"]}))
        .bearer(reader["key"].as_str().unwrap());
    let denied = denied.send().await;
    assert_eq!(denied.problem(), (403, "forbidden".into()));
    assert_eq!(denied.json()["permission"], "keys.create");
}

#[tokio::test]
async fn environments_are_a_wall() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let in_test = app
        .post(&keys_of(&workspace), &json!({"name": "t", "scopes": ["management"]}))
        .bearer(&person.access_token)
        .header("bailiwick-environment", "test")
        .send()
        .await;
    let (key, id) = (in_test.text_of("key"), in_test.text_of("id"));
    assert!(key.starts_with("bw_test_"));
    let live = app.get(&keys_of(&workspace)).bearer(&person.access_token).send().await.json();
    assert_eq!(live["data"], json!([]));
    assert_eq!(
        app.get(&format!("{}/{id}", keys_of(&workspace))).bearer(&person.access_token).send().await.problem().1,
        "not_found"
    );
    let seen = app.get(&keys_of(&workspace)).bearer(&key).send().await.json();
    assert_eq!(seen["data"][0]["id"], id, "the key's own environment needs no header");
    let named = app.get(&keys_of(&workspace)).bearer(&key).header("bailiwick-environment", "live").send().await;
    assert_eq!(named.problem(), (403, "environment_mismatch".into()));
    let own = app.get("/v1/key").bearer(&key).header("bailiwick-environment", "live").send().await;
    assert_eq!(own.problem(), (403, "environment_mismatch".into()));
    let typo = app.get(&keys_of(&workspace)).bearer(&key).header("bailiwick-environment", "prod").send().await;
    assert_eq!(typo.problem(), (400, "invalid_header".into()));
}

#[tokio::test]
async fn a_confined_key_sees_its_project_and_nothing_of_the_workspace() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let projects = format!("/v1/workspaces/{workspace}/projects");
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        ids.push(app.post(&projects, &json!({"name": name})).bearer(&person.access_token).send().await.text_of("id"));
    }
    let body = json!({"name": "k", "scopes": ["read", "read_draft", "write", "management"], "project_id": ids[0]});
    let key = app.api_key(&person, &workspace, &body).await["key"].as_str().unwrap().to_owned();
    let seen = app.get(&projects).bearer(&key).send().await.json();
    assert_eq!(seen["data"].as_array().unwrap().len(), 1);
    assert_eq!(seen["data"][0]["id"], ids[0]);
    for path in ["", "/members", "/api-keys"] {
        let answer = app.get(&format!("/v1/workspaces/{workspace}{path}")).bearer(&key).send().await;
        assert_eq!(answer.problem(), (403, "forbidden".into()), "{path}");
    }
    assert_eq!(app.post(&projects, &json!({"name": "three"})).bearer(&key).send().await.problem().1, "forbidden");
}

#[tokio::test]
async fn lists_come_in_pages_and_by_status() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(
            app.api_key(&person, &workspace, &json!({"name": format!("k{n}"), "scopes": ["read"]})).await["id"].clone(),
        );
    }
    made.reverse();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{}?limit=3{cursor}", keys_of(&workspace));
        let page = app.get(&path).bearer(&person.access_token).send().await.json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|key| key["id"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made, "newest first, each once");
    let path = format!("{}/{}", keys_of(&workspace), made[0].as_str().unwrap());
    app.delete(&path).bearer(&person.access_token).send().await;
    let count = async |status: &str| {
        let path = format!("{}?status={status}", keys_of(&workspace));
        app.get(&path).bearer(&person.access_token).send().await.json()["data"].as_array().unwrap().len()
    };
    assert_eq!((count("active").await, count("revoked").await, count("expired").await), (6, 1, 0));
}
