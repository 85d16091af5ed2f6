//! `/internal` is on a listener of its own, for whom the operator lets near it.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::app::TestApp;
use crate::harness::node::Node;

/// The status of a request whose path goes out as it is written; a client would tidy it up.
async fn raw(url: &str, method: &str, path: &str, credential: &str) -> u16 {
    let authority = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority.replace("localhost", "127.0.0.1")).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {credential}\r\n\
         Bailiwick-Internal-Key: {credential}\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\
         Connection: close\r\n\r\n{{\"key\":\"x\"}}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{path}: {answer}"))
}

#[tokio::test]
async fn no_spelling_of_its_paths_is_found_in_public() {
    let app = TestApp::start().await;
    let (_, service) = app.service("gateway", &["shop"]).await;
    for (method, tail) in [("POST", "keys/verify"), ("POST", "keys/verify-batch"), ("GET", "forward-auth")] {
        for start in [
            "/internal/v1/",
            "//internal/v1/",
            "/internal//v1/",
            "/./internal/v1/",
            "/v1/../internal/v1/",
            "/%69nternal/v1/",
            "/%2finternal/v1/",
            "/internal%2fv1/",
            "/internal/v1/./",
            "/static/../internal/v1/",
            "/static/%2e%2e/internal/v1/",
            "/INTERNAL/v1/",
            "/internal;x/v1/",
        ] {
            let path = format!("{start}{tail}");
            // A static file is not there to be posted to, whatever it is called.
            let nothing = if method == "POST" && start.starts_with("/static/") { 405 } else { 404 };
            assert_eq!(raw(&app.url, method, &path, &service).await, nothing, "{method} {path}");
            let there = raw(&app.private_url, method, &path, &service).await;
            assert_eq!(there == 404, start != "/internal/v1/", "{method} {path}: {there}, where it is at home");
        }
    }
}

#[tokio::test]
async fn a_name_that_was_not_configured_is_misdirected_whoever_asks() {
    let app = TestApp::start().await;
    let (_, service) = app.service("gateway", &["shop"]).await;
    let status = async |host: &str| {
        let call = app.private(Method::POST, "/internal/v1/keys/verify").bearer(&service).header("host", host);
        call.json(&json!({"key": "x"})).send().await.status.as_u16()
    };
    assert_eq!(status("bailiwick_private").await, 200, "the setting private_hosts");
    for host in ["elsewhere.example", "bailiwick_private.example", "localhost", app.url.trim_start_matches("http://")] {
        assert_eq!(status(host).await, 421, "{host}");
    }
}

#[tokio::test]
async fn only_the_operator_s_networks_ask() {
    let app = TestApp::start().await;
    let (_, service) = app.service("gateway", &["shop"]).await;
    let ask = async |node: &Node| {
        let call = crate::harness::http::http().post(format!("{}/internal/v1/keys/verify", node.private_url));
        let call = call.bearer_auth(&service).header("x-forwarded-for", "192.0.2.1").json(&json!({"key": "x"}));
        call.send().await.unwrap().status().as_u16()
    };
    // Proxies are believed on the public listener alone.
    let settings =
        [("BAILIWICK_INTERNAL_NETWORKS", "192.0.2.0/24,2001:db8::/32"), ("BAILIWICK_TRUSTED_PROXIES", "127.0.0.0/8")];
    let elsewhere = Node::with(&app, &settings).await;
    assert_eq!(ask(&elsewhere).await, 403, "by the socket's peer, with a good credential");
    let here = Node::with(&app, &[("BAILIWICK_INTERNAL_NETWORKS", "192.0.2.0/24,127.0.0.0/8")]).await;
    assert_eq!(ask(&here).await, 200);
}
