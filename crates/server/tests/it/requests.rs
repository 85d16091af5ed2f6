//! What the server makes of requests that are not as they should be, and what every answer carries.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::app::TestApp;
use crate::harness::http::http;

#[tokio::test]
async fn every_error_is_a_problem_with_a_code() {
    let app = TestApp::start().await;
    let person = app.sign_in("ada@example.com").await;
    let post = |body: &str| app.call(Method::POST, "/v1/workspaces").bearer(&person.access_token).raw_json(body).send();
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let big = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    for (body, status, code) in [
        ("", 400, "malformed_json"),
        ("{", 400, "malformed_json"),
        ("{} x", 400, "malformed_json"),
        ("{\"name\":\"a\",\"name\":\"b\",\"slug\":\"c\"}", 400, "malformed_json"),
        ("{\"name\":\"a\\u0000\",\"slug\":\"c\"}", 400, "malformed_json"),
        (&deep, 400, "malformed_json"),
        (&big, 413, "body_too_large"),
        ("{}", 422, "invalid_body"),
        ("[]", 422, "invalid_body"),
        ("{\"name\":\"a\",\"slug\":\"b\",\"more\":1}", 422, "invalid_body"),
        ("{\"name\":1,\"slug\":\"b\"}", 422, "invalid_body"),
        ("{\"name\":\"\",\"slug\":\"b\"}", 422, "invalid_body"),
        ("{\"name\":\"a\",\"slug\":\"ws_a\"}", 422, "invalid_body"),
        ("{\"name\":\"a\",\"slug\":\"A\"}", 422, "invalid_body"),
    ] {
        assert_eq!(post(body).await.problem(), (status, code.into()), "{body:.60}");
    }
    let latin = app
        .call(Method::POST, "/v1/workspaces")
        .bearer(&person.access_token)
        .raw_json(b"{\"name\":\"\xff\"}".as_slice());
    assert_eq!(latin.send().await.problem(), (400, "malformed_json".into()));

    for (method, path, status, code) in [
        (Method::GET, "/nowhere", 404, "not_found"),
        (Method::GET, "/v1/../internal/v1/keys/verify", 404, "not_found"),
        (Method::POST, "/internal/v1/keys/verify", 404, "not_found"),
        (Method::POST, "/%69nternal/v1/keys/verify", 404, "not_found"),
        (Method::POST, "//internal/v1/keys/verify", 404, "not_found"),
        (Method::GET, "/v1/workspaces/%ff", 404, "not_found"),
        (Method::PUT, "/v1/workspaces", 405, "method_not_allowed"),
        (Method::GET, "/v1/workspaces?limit=0", 400, "invalid_parameter"),
        (Method::GET, "/v1/workspaces?limit=1&limit=2", 400, "invalid_parameter"),
        (Method::GET, "/v1/workspaces?what=1", 400, "invalid_parameter"),
        (Method::POST, "/v1/workspaces?x=1", 400, "invalid_parameter"),
        (Method::GET, "/v1/key?x=1", 400, "invalid_parameter"),
        (Method::GET, "/v1/workspaces?cursor=x", 400, "invalid_cursor"),
        (Method::GET, "/livez", 404, "not_found"),
        (Method::GET, "/metrics", 404, "not_found"),
    ] {
        let answer = app.call(method.clone(), path).bearer(&person.access_token).send().await;
        assert_eq!(answer.problem(), (status, code.into()), "{method} {path}");
        assert_eq!(answer.headers.contains_key("allow"), status == 405);
    }
    let plain = app.call(Method::POST, "/auth/request").header("content-type", "text/plain").send().await;
    assert_eq!(plain.problem(), (415, "unsupported_media_type".into()));
}

#[tokio::test]
async fn a_wrong_field_is_named_by_its_pointer() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let path = format!("/v1/workspaces/{workspace}/api-keys");
    for (body, pointer) in [
        (json!({"name": "k", "scopes": ["read", "admin"]}), "/scopes/1"),
        (json!({"name": "k", "scopes": []}), "/scopes"),
        (json!({"name": "a\nb", "scopes": ["read"]}), "/name"),
        (json!({"name": "k", "scopes": ["read"], "expires_at": "tomorrow"}), "/expires_at"),
        (json!({"name": "k", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}), "/expires_at"),
        (json!({"name": "k", "scopes": ["read"], "expires_at": "9999-12-31T23:59:59-23:00"}), "/expires_at"),
        (json!({"name": "k", "scopes": ["read"], "expires_at": "0000-01-01T00:00:00+23:00"}), "/expires_at"),
        (json!({"name": "k", "scopes": [{"read": null}]}), "/scopes/0"),
        (json!(["k", ["read"], null, null]), ""),
        (json!({"name": "k", "scopes": ["read"], "project_id": "prj_x"}), "/project_id"),
        (json!({"name": "k", "scopes": ["read"], "project_id": "prj_01h455vb4pex5vsknk084sn02q"}), "/project_id"),
    ] {
        let answer = app.post(&path, &body).bearer(&person.access_token).send().await;
        assert_eq!(answer.problem(), (422, "invalid_body".into()), "{body}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
}

#[tokio::test]
async fn every_answer_carries_its_id_its_trace_and_the_security_headers() {
    let app = TestApp::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for path in ["/v1/workspaces", "/nowhere", "/v1/key"] {
        let answer = app
            .get(path)
            .header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))
            .header("x-request-id", "theirs")
            .send()
            .await;
        assert!(answer.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
        assert!(answer.headers["traceparent"].to_str().unwrap().starts_with(&format!("00-{trace}-")));
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "same-origin");
        assert!(answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(answer.headers.contains_key("permissions-policy"));
        assert!(!answer.headers.contains_key("strict-transport-security"), "not over plain http (RFC 6797, 7.2)");
    }
}

#[tokio::test]
async fn an_unknown_host_is_misdirected_on_both_listeners() {
    let app = TestApp::start().await;
    for host in ["evil.example", "localhost", "localhost:1", ""] {
        for answer in [
            app.get("/v1/workspaces").header("host", host).send().await,
            app.private(Method::GET, "/livez").header("host", host).send().await,
        ] {
            assert_eq!(answer.problem(), (421, "misdirected_request".into()), "{host}");
        }
    }
}

#[tokio::test]
async fn other_sites_pages_are_refused() {
    let app = TestApp::start().await;
    let body = json!({"email": "ada@example.com"});
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = app.post("/auth/request", &body).header(name, value).send().await;
        assert_eq!(answer.problem(), (403, "cross_origin".into()), "{name}: {value}");
    }
    let own = app.post("/auth/request", &body).header("origin", &app.url).header("sec-fetch-site", "same-origin");
    assert_eq!(own.send().await.status, 202);
    // Whoever has a cookie is a browser, and says where it comes from.
    let silent = http().post(format!("{}/sign-out", app.url)).header("cookie", "bw_access=x").send().await.unwrap();
    assert_eq!(silent.status(), 403);
    let program = http().post(format!("{}/auth/request", app.url)).json(&body).send().await.unwrap();
    assert_eq!(program.status(), 202);
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let app = TestApp::start().await;
    let address = app.url.strip_prefix("http://").unwrap().to_owned();
    let mut socket = TcpStream::connect(address.replace("localhost", "127.0.0.1")).await.unwrap();
    let head = format!(
        "POST /auth/request HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = socket.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"request_timeout\""), "{answer}");
}

#[tokio::test]
async fn requests_reach_the_ledger_with_their_ids() {
    let app = TestApp::start().await;
    let person = app.sign_in("ada@example.com").await;
    let made = app
        .post("/v1/workspaces", &json!({"name": "Acme", "slug": "acme"}))
        .bearer(&person.access_token)
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("x-request-id", "theirs-1")
        .send()
        .await;
    assert_eq!(made.status, 201);
    let events = app.get("/v1/workspaces/acme/audit/events").bearer(&person.access_token).send().await.json();
    let event = &events["data"][0];
    assert_eq!(event["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(event["external_request_id"], "theirs-1");
    assert!(event["client_ip"] == "127.0.0.1" || event["client_ip"] == "::1");
    assert_eq!(event["request_id"], made.headers["x-request-id"].to_str().unwrap());
}

#[tokio::test]
async fn a_client_that_says_nothing_is_let_go() {
    let app = TestApp::start().await;
    let address = app.url.strip_prefix("http://").unwrap().replace("localhost", "127.0.0.1");
    let clients = ["", "P", "PRI * HT", "GET / HTTP/1.1\r\nHost: x"].map(|said| {
        let address = address.clone();
        async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(said.as_bytes()).await.unwrap();
            let closed = tokio::time::timeout(Duration::from_secs(60), socket.read_to_end(&mut Vec::new())).await;
            assert!(closed.is_ok(), "{said:?} held its connection");
        }
    });
    futures_util::future::join_all(clients).await;
}

/// Whether a client speaks HTTP/2 would have to be waited for, and a connection of that kind knows no deadline of ours.
#[tokio::test]
async fn nobody_speaks_http2_here() {
    let app = TestApp::start().await;
    for url in [&app.url, &app.private_url] {
        let address = url.strip_prefix("http://").unwrap().replace("localhost", "127.0.0.1");
        let mut socket = TcpStream::connect(address).await.unwrap();
        // The preface and empty settings (RFC 9113, 3.4 and 6.5).
        socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{url}: {answer:?}");
    }
}
