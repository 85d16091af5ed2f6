//! Rights are judged at the headers; whoever loses them before the end of the body has them no more.

use bailiwick_server::clock::Clock;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::keys_of;
use crate::harness::app::TestApp;

/// A request of which all but the end of its body was sent.
struct Half {
    socket: TcpStream,
    rest: Vec<u8>,
}

impl Half {
    async fn of(app: &TestApp, method: Method, path: &str, credential: &str, body: &str) -> Self {
        let host = app.url.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(host.replace("localhost", "127.0.0.1")).await.unwrap();
        let (first, rest) = body.split_at(1);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {credential}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{first}",
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        Self { socket, rest: rest.as_bytes().to_vec() }
    }

    /// The status and the code, once the rest is there.
    async fn end(mut self) -> (u16, String) {
        self.socket.write_all(&self.rest).await.unwrap();
        let mut answer = String::new();
        self.socket.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn a_key_that_ends_before_the_body_does_nothing() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let make = async |body| app.api_key(&person, &workspace, &body).await;
    let manager = make(json!({"name": "m", "scopes": ["read", "write", "management"]})).await;
    let victim = make(json!({"name": "v", "scopes": ["read"], "expires_at": "2100-01-01T00:00:00Z"})).await;
    let key = manager["key"].as_str().unwrap();
    let one = format!("{}/{}", keys_of(&workspace), victim["id"].as_str().unwrap());
    let asked: [(Method, String, &str); 5] = [
        (Method::POST, keys_of(&workspace), r#"{"name":"minted","scopes":["management"]}"#),
        (Method::PATCH, one.clone(), r#"{"expires_at":null}"#),
        (Method::POST, format!("{one}/rotate"), r#"{"overlap_seconds":0}"#),
        (Method::POST, format!("/v1/workspaces/{workspace}/projects"), r#"{"name":"late"}"#),
        (Method::DELETE, one, "  "),
    ];
    let mut halves = Vec::new();
    for (method, path, body) in &asked {
        halves.push(Half::of(&app, method.clone(), path, key, body).await);
    }
    let unhurried = Half::of(&app, Method::POST, &keys_of(&workspace), key, r#"{"name":"b","scopes":["read"]}"#).await;
    assert_eq!(unhurried.end().await.0, 201, "time alone takes nothing away");
    let path = format!("{}/{}", keys_of(&workspace), manager["id"].as_str().unwrap());
    assert_eq!(app.delete(&path).bearer(&person.access_token).send().await.status, 204);
    for (half, (method, path, _)) in halves.into_iter().zip(asked) {
        assert_eq!(half.end().await, (401, "key_revoked".into()), "{method} {path}");
    }
}

#[tokio::test]
async fn a_key_whose_time_is_over_before_the_body_does_nothing() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let soon = Clock::system().now() + time::Duration::HOUR;
    let soon = soon.format(&time::format_description::well_known::Rfc3339).unwrap();
    let body = json!({"name": "m", "scopes": ["management"], "expires_at": soon});
    let key = app.api_key(&person, &workspace, &body).await["key"].as_str().unwrap().to_owned();
    let body = r#"{"name":"late"}"#;
    let half = Half::of(&app, Method::POST, &format!("/v1/workspaces/{workspace}/projects"), &key, body).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    app.advance(time::Duration::HOUR * 2);
    assert_eq!(half.end().await, (401, "key_expired".into()));
}

#[tokio::test]
async fn a_session_that_ends_before_the_body_does_nothing() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let body = r#"{"name":"minted","scopes":["management"]}"#;
    let token = &person.access_token;
    let half = Half::of(&app, Method::POST, &keys_of(&workspace), token, body).await;
    let founding = Half::of(&app, Method::POST, "/v1/workspaces", token, r#"{"name":"B","slug":"b"}"#).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(app.call(Method::POST, "/auth/sign-out").bearer(token).send().await.status, 204);
    assert_eq!(half.end().await, (401, "session_ended".into()));
    assert_eq!(founding.end().await, (401, "session_ended".into()));
}
