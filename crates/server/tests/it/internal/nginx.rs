//! `ops/nginx/forward-auth.conf`, run by nginx as it stands.

use axum::Router;
use axum::http::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::nginx::Nginx;
use crate::harness::process::until;

/// nginx before a product that answers with the headers that it was sent.
struct Proxy(Nginx);

impl Proxy {
    async fn before(app: &TestApp, service: &str) -> Self {
        let (private, product) = (app.private_url.trim_start_matches("http://"), product().await);
        let upstreams = format!(
            "upstream bailiwick_private {{ server {private}; keepalive 16; }}
             upstream product {{ server {product}; keepalive 16; }}"
        );
        let server = format!("set $bailiwick_internal_key {service}; set $bailiwick_demands scope=read;");
        Self(Nginx::with(&upstreams, &server, "forward-auth.conf").await)
    }

    fn call(&self, method: Method) -> reqwest::RequestBuilder {
        crate::harness::http::http().request(method, format!("{}/orders?x=1", self.0.url))
    }
}

async fn product() -> std::net::SocketAddr {
    let echo = |headers: HeaderMap| async move {
        let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or("?").to_owned();
        let sent = headers.iter().map(|(name, value)| json!([name.as_str(), text(value)]));
        axum::Json(Value::Array(sent.collect()))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router: Router = Router::new().fallback(echo);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// The values of a header that reached the product.
fn sent(echo: &Value, name: &str) -> Vec<String> {
    let pairs = echo.as_array().unwrap().iter().filter(|pair| pair[0] == name);
    pairs.map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_example_lets_through_who_may_and_nothing_that_the_client_made_up() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let (_, service) = app.service("gateway", &["product"]).await;
    let made = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let key = made["key"].as_str().unwrap();
    let proxy = Proxy::before(&app, &service).await;

    for method in [Method::GET, Method::POST, Method::DELETE] {
        let call = proxy
            .call(method.clone())
            .bearer_auth(key)
            .header("Bailiwick-Key-Id", "key_forged")
            .header("bailiwick-workspace-id", "ws_forged")
            .header("Bailiwick-Environment", "test")
            .header("Bailiwick-Project-Id", "prj_forged")
            .header("Bailiwick-Scopes", "management")
            .header("Bailiwick_Key_Id", "key_forged")
            .header("Bailiwick-Internal-Key", "bw_int_forged")
            .header("Bailiwick-Client-Ip", "192.0.2.1")
            .header("Origin", "https://elsewhere.example")
            .body(if method == Method::POST { "a body" } else { "" });
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{method}");
        let echo: Value = answer.json().await.unwrap();
        assert_eq!(sent(&echo, "bailiwick-key-id"), [made["id"].as_str().unwrap()], "{method}");
        assert_eq!(sent(&echo, "bailiwick-workspace-id"), [workspace.as_str()]);
        assert_eq!(sent(&echo, "bailiwick-environment"), ["live"]);
        assert_eq!(sent(&echo, "bailiwick-scopes"), ["read"]);
        for absent in [
            "bailiwick-project-id",
            "bailiwick_key_id",
            "bailiwick-internal-key",
            "bailiwick-client-ip",
            "authorization",
        ] {
            assert_eq!(sent(&echo, absent), [""; 0], "{absent}");
        }
        assert!(!echo.to_string().contains("forged") && !echo.to_string().contains(key), "{echo}");
    }
}

#[tokio::test]
async fn the_example_keeps_no_answer_for_another() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let (_, service) = app.service("gateway", &["product"]).await;
    let proxy = Proxy::before(&app, &service).await;
    let mut keys = Vec::new();
    for name in ["one", "two"] {
        keys.push(app.api_key(&person, &workspace, &json!({"name": name, "scopes": ["read"]})).await);
    }
    let writer = app.api_key(&person, &workspace, &json!({"name": "writer", "scopes": ["write"]})).await;
    for _ in 0..3 {
        for key in &keys {
            let answer = proxy.call(Method::GET).bearer_auth(key["key"].as_str().unwrap()).send().await.unwrap();
            let echo: Value = answer.json().await.unwrap();
            assert_eq!(sent(&echo, "bailiwick-key-id"), [key["id"].as_str().unwrap()]);
        }
        assert_eq!(proxy.call(Method::GET).send().await.unwrap().status(), 401);
        let denied = proxy.call(Method::GET).bearer_auth(writer["key"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(denied.status(), 403, "the example asks for the scope read");
    }
    let path = format!("/v1/workspaces/{workspace}/api-keys/{}", keys[0]["id"].as_str().unwrap());
    app.delete(&path).bearer(&person.access_token).send().await;
    let revoked = proxy.call(Method::GET).bearer_auth(keys[0]["key"].as_str().unwrap()).send().await.unwrap();
    assert_eq!((revoked.status().as_u16(), &revoked.headers()["www-authenticate"]), (401, &"Bearer".parse().unwrap()));
    // The place where nginx asks is no address for clients.
    let inside = reqwest::get(format!("{}/_bailiwick/forward-auth", proxy.0.url)).await.unwrap();
    assert_eq!(inside.status(), 404);
}

#[tokio::test]
async fn the_example_says_503_when_nobody_can_tell() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let (_, service) = app.service("gateway", &["product"]).await;
    let made = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let proxy = Proxy::before(&app, &service).await;
    let call = async || proxy.call(Method::GET).bearer_auth(made["key"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(call().await.status(), 200);
    app.db.close().await;
    until(async || call().await.status() != 200).await;
    let answer = call().await;
    assert_eq!(answer.status(), 503, "and so it stays: {:?}", answer.headers());
    assert_eq!(answer.headers()["retry-after"], "1");
}
