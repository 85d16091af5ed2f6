//! Reading a value: who may, how fresh, and what is known of it afterwards.

use reqwest::Method;
use serde_json::json;
use time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{VALUE, World};
use crate::harness::process::until;

#[tokio::test]
async fn who_read_what_is_told_from_the_log() {
    let world = World::found().await;
    let id = world.secret("token").await;
    world.add_version(&id, "second value").await;
    let key = world.app.api_key(&world.ada, &world.workspace, &json!({"name": "k", "scopes": ["management"]})).await;
    let read = world.reveal(&id, json!({"version": 1, "lease_seconds": 60})).await;
    assert_eq!(read.headers["cache-control"], "no-store");
    let path = world.path(&format!("/{id}/reveal"));
    let by_key = world.app.post(&path, &json!({})).bearer(key["key"].as_str().unwrap()).send().await;
    assert_eq!(by_key.text_of("value"), "second value");

    let told = world.get(&format!("/{id}/accesses?limit=1")).await.json();
    let first = &told["data"][0];
    assert_eq!((&first["event_id"], &first["read_by"]), (&by_key.json()["lease_id"], &key["id"]));
    assert_eq!((&first["version"], &first["lease_seconds"]), (&json!(2), &json!(300)));
    assert_eq!(first["client_ip"], "127.0.0.1");
    let cursor = told["next_cursor"].as_str().unwrap();
    let told = world.get(&format!("/{id}/accesses?limit=1&cursor={cursor}")).await.json();
    let second = &told["data"][0];
    assert_eq!((&second["event_id"], &second["version"]), (&read.json()["lease_id"], &json!(1)));
    assert!(second["read_by"].as_str().unwrap().starts_with("usr_"));
    assert_eq!((&second["lease_seconds"], &told["next_cursor"]), (&json!(60), &json!(null)));

    let other = world.secret("other").await;
    assert_eq!(world.get(&format!("/{other}/accesses")).await.json()["data"], json!([]));
    for lease in [0, 3_601] {
        let refused = world.reveal(&id, json!({"lease_seconds": lease})).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], "/lease_seconds", "{}", refused.text);
    }
}

#[tokio::test]
async fn a_person_has_to_have_signed_in_a_moment_ago() {
    let mut world = World::found().await;
    let id = world.secret("token").await;
    let key = world.app.api_key(&world.ada, &world.workspace, &json!({"name": "k", "scopes": ["management"]})).await;
    world.app.advance(Duration::minutes(9));
    world.refresh().await;
    assert_eq!(world.reveal(&id, json!({})).await.text_of("value"), VALUE);
    world.app.advance(Duration::minutes(2));
    world.refresh().await;
    let refused = world.reveal(&id, json!({})).await;
    assert_eq!(refused.problem(), (403, "step_up_required".to_owned()), "a refresh is no sign-in");
    assert!(!refused.text.contains(VALUE));
    assert_eq!(world.get(&format!("/{id}")).await.status, 200, "all else goes on");
    let path = world.path(&format!("/{id}/reveal"));
    let by_key = world.app.post(&path, &json!({})).bearer(key["key"].as_str().unwrap()).send().await;
    assert_eq!(by_key.text_of("value"), VALUE, "a key has no sign-in");
    // Nor do they make one that reads for them, or have one rotated.
    let keys = format!("/v1/workspaces/{}/api-keys", world.workspace);
    let rotate = format!("{keys}/{}/rotate", key["id"].as_str().unwrap());
    let reads = json!({"name": "reads", "scopes": ["management"]});
    for (path, body) in [(&keys, &reads), (&rotate, &json!({}))] {
        let refused = world.app.post(path, body).bearer(&world.ada.access_token).send().await;
        assert_eq!(refused.problem(), (403, "step_up_required".to_owned()), "{path}");
    }
    let other = json!({"name": "does not", "scopes": ["read"]});
    assert_eq!(world.app.post(&keys, &other).bearer(&world.ada.access_token).send().await.status, 201);
    world.ada = world.app.sign_in("ada@example.com").await;
    assert_eq!(world.reveal(&id, json!({})).await.text_of("value"), VALUE);
    assert_eq!(world.app.post(&keys, &reads).bearer(&world.ada.access_token).send().await.status, 201);
    let told = world.actions().await;
    assert_eq!(told.iter().filter(|action| *action == "secret.revealed").count(), 3, "a refusal reads nothing");
}

#[tokio::test]
async fn whoever_may_see_secrets_may_not_read_them() {
    let world = World::found().await;
    let id = world.secret("token").await;
    let path = world.path(&format!("/{id}/reveal"));
    for role in ["developer", "member", "billing", "viewer"] {
        let person = world.app.join(&world.workspace, &format!("{role}@example.com"), role).await;
        let refused = world.app.post(&path, &json!({})).bearer(&person.access_token).send().await;
        assert_eq!(refused.problem(), (403, "forbidden".to_owned()), "{role}");
        assert_eq!(refused.text_of("permission"), "secrets.reveal");
    }
    for scope in ["read", "read_draft", "write"] {
        let key = world.app.api_key(&world.ada, &world.workspace, &json!({"name": "k", "scopes": [scope]})).await;
        let refused = world.app.post(&path, &json!({})).bearer(key["key"].as_str().unwrap()).send().await;
        assert_eq!(refused.problem(), (403, "forbidden".to_owned()), "{scope}");
    }
    let (bob, _) = world.app.founder("bob@example.com", "bobs").await;
    for (method, rest) in [
        (Method::GET, String::new()),
        (Method::DELETE, String::new()),
        (Method::GET, "/accesses".to_owned()),
        (Method::POST, "/reveal".to_owned()),
    ] {
        let own = format!("/v1/workspaces/bobs/secrets/{id}{rest}");
        let mut call = world.app.call(method.clone(), &own).bearer(&bob.access_token);
        if method == Method::POST {
            call = call.json(&json!({}));
        }
        assert_eq!(call.send().await.problem(), (404, "not_found".to_owned()), "{method} {rest}");
    }
    assert_eq!(world.reveal(&id, json!({})).await.text_of("value"), VALUE);
}

#[tokio::test]
async fn whoever_hangs_up_at_once_is_recorded() {
    let world = World::found().await;
    let id = world.secret("token").await;
    let host = world.app.url.strip_prefix("http://").unwrap();
    for _ in 0..20 {
        let mut socket = TcpStream::connect(host.replace("localhost", "127.0.0.1")).await.unwrap();
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{{}}",
            world.path(&format!("/{id}/reveal")),
            world.ada.access_token
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        // Until the first byte of an answer is there, and not for one more.
        socket.readable().await.unwrap();
        drop(socket);
    }
    let told = async || world.actions().await.iter().filter(|action| *action == "secret.revealed").count();
    until(async || told().await == 20).await;
}
