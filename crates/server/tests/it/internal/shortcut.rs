//! Keys are verified from memory before the router is asked; nobody can tell which of the two answered.

use bailiwick_server::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::app::TestApp;

const PATH: &str = "/internal/v1/keys/verify";
/// With a query, though there is nothing in it, the router is asked.
const ROUTED: &str = "/internal/v1/keys/verify?";

/// Status, names of headers and body, without what is of one request alone.
async fn asked(app: &TestApp, path: &str, credential: &str, body: &[u8]) -> (u16, Vec<String>, Value) {
    let answer = app.private(Method::POST, path).bearer(credential).raw_json(body).send().await;
    let mut names: Vec<String> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    let mut body = answer.json();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
        members.remove("instance");
    }
    (answer.status.as_u16(), names, body)
}

#[tokio::test]
async fn memory_answers_what_the_router_answers() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let make = async |body: Value| app.api_key(&person, &workspace, &body).await;
    let soon = Clock::system().now() + time::Duration::HOUR;
    let soon = soon.format(&time::format_description::well_known::Rfc3339).unwrap();
    let good = make(json!({"name": "g", "scopes": ["read", "write"], "expires_at": soon})).await;
    let shop = make(json!({"name": "s", "scopes": ["read"], "audiences": ["shop"]})).await;
    let confined = make(json!({"name": "c", "scopes": ["read"], "allowed_networks": ["192.0.2.0/24"]})).await;
    let gone = make(json!({"name": "x", "scopes": ["read"]})).await;
    let path = format!("/v1/workspaces/{workspace}/api-keys/{}", gone["id"].as_str().unwrap());
    assert_eq!(app.delete(&path).bearer(&person.access_token).send().await.status, 204);
    let (_, service) = app.service("shop", &["shop"]).await;
    let (_, both) = app.service("both", &["shop", "mail"]).await;

    let key = |made: &Value| made["key"].as_str().unwrap().to_owned();
    let other_end = key(&good).chars().rev().collect::<String>();
    let long = format!("{{\"key\":\"{}\"{}}}", key(&good), " ".repeat(5_000));
    let bodies = [
        json!({"key": key(&good)}).to_string(),
        json!({"key": key(&good), "scope": "write", "permission": "projects.read", "environment": "live"}).to_string(),
        json!({"key": key(&good), "scope": "management"}).to_string(),
        json!({"key": key(&good), "environment": "test"}).to_string(),
        json!({"key": key(&good), "permission": "keys.create"}).to_string(),
        json!({"key": key(&good), "audience": "shop"}).to_string(),
        json!({"key": key(&good), "audience": "SHOP"}).to_string(),
        json!({"key": key(&shop)}).to_string(),
        json!({"key": key(&shop), "audience": "shop"}).to_string(),
        json!({"key": key(&confined)}).to_string(),
        json!({"key": key(&confined), "ip": "192.0.2.9"}).to_string(),
        json!({"key": key(&gone)}).to_string(),
        json!({"key": other_end}).to_string(),
        json!({"key": "nonsense"}).to_string(),
        json!({"key": key(&good), "more": 1}).to_string(),
        json!({"key": 7}).to_string(),
        format!(r#"{{"key":"{0}","key":"{0}"}}"#, key(&good)),
        format!(r#"["{}"]"#, key(&good)),
        long,
        "{".to_owned(),
        String::new(),
    ];
    let stranger = format!("{}x", app.internal_key);
    for credential in [&app.internal_key, &service, &both, &stranger] {
        for body in bodies.iter().map(String::as_bytes).chain([b"{\"key\":\"\xff\"}".as_slice()]) {
            // The first time a service is looked up, which the router does.
            let routed = asked(&app, ROUTED, credential, body).await;
            assert_eq!(asked(&app, PATH, credential, body).await, routed, "{}", String::from_utf8_lossy(body));
        }
    }
    app.advance(time::Duration::HOUR * 2);
    let expired = asked(&app, PATH, &app.internal_key, bodies[0].as_bytes()).await;
    assert_eq!((expired.0, &expired.2), (200, &json!({"valid": false, "code": "expired"})));
}

/// Requirement: rights are judged at the headers and again after a body that took its time.
#[tokio::test]
async fn a_slow_body_is_judged_at_its_end() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let soon = Clock::system().now() + time::Duration::HOUR;
    let soon = soon.format(&time::format_description::well_known::Rfc3339).unwrap();
    let made = app.api_key(&person, &workspace, &json!({"name": "g", "scopes": ["read"], "expires_at": soon})).await;
    let body = json!({"key": made["key"]}).to_string();
    assert_eq!(asked(&app, PATH, &app.internal_key, body.as_bytes()).await.2["valid"], true);

    let half = async |credential: &str, body: &str| {
        let host = app.private_url.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(host.replace("localhost", "127.0.0.1")).await.unwrap();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {credential}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
            body.len(),
            &body[..1]
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        socket
    };
    let end = async |mut socket: TcpStream| {
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    };
    // Nobody unknown is waited for.
    let refused = end(half("nobody", &body).await).await;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");

    let mut socket = half(&app.internal_key, &body).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    app.advance(time::Duration::HOUR * 2);
    socket.write_all(&body.as_bytes()[1..]).await.unwrap();
    let late = end(socket).await;
    assert!(late.starts_with("HTTP/1.1 200 ") && late.contains("\"expired\""), "{late}");

    let broken = half(&app.internal_key, &body).await;
    let cut = end(broken).await;
    assert!(cut.starts_with("HTTP/1.1 408 ") && cut.contains("\"request_timeout\""), "{cut}");
}
