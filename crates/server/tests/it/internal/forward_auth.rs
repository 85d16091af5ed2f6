//! `/internal/v1/forward-auth`, asked directly.

use reqwest::Method;
use serde_json::json;

use crate::harness::app::{Answer, Call, TestApp};
use crate::harness::process::until;

const PATH: &str = "/internal/v1/forward-auth";

async fn ask(call: Call<'_>, service: &str) -> Answer {
    let answer = call.header("bailiwick-internal-key", service).send().await;
    assert_eq!(answer.headers["cache-control"], "no-store", "{}", answer.status);
    let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(vary, ["Authorization, Bailiwick-Internal-Key, Bailiwick-Client-Ip"], "{}", answer.status);
    answer
}

#[tokio::test]
async fn who_asks_is_told_in_headers_and_what_the_client_made_up_is_not() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let (_, service) = app.service("gateway", &["product"]).await;
    let made = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read", "write"]})).await;
    let key = made["key"].as_str().unwrap();
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let call = app.private(method.clone(), PATH).bearer(key);
        let forged = call
            .header("bailiwick-key-id", "key_forged")
            .header("bailiwick-environment", "test")
            .header("bailiwick-project-id", "prj_forged")
            .header("origin", "https://product.example");
        let answer = ask(forged, &service).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{method}");
        for (name, value) in [
            ("bailiwick-key-id", made["id"].as_str().unwrap()),
            ("bailiwick-workspace-id", workspace.as_str()),
            ("bailiwick-environment", "live"),
            ("bailiwick-scopes", "read write"),
        ] {
            assert_eq!(answer.headers[name], value, "{method}");
        }
        assert!(!answer.headers.contains_key("bailiwick-project-id"), "{method}");
    }
}

#[tokio::test]
async fn what_may_not_go_on_is_told_apart() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let (_, service) = app.service("gateway", &["product"]).await;
    let made = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let key = made["key"].as_str().unwrap();
    let check = async |query: &str, key: &str, status: u16, code: &str| {
        let answer = ask(app.private(Method::GET, &format!("{PATH}{query}")).bearer(key), &service).await;
        assert_eq!(answer.problem(), (status, code.into()), "{query} {key}");
        assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), usize::from(status == 401));
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("bailiwick-")), "{:?}", answer.headers);
        answer
    };
    check("", "nonsense", 401, "unauthenticated").await;
    check("", &person.access_token, 401, "unauthenticated").await;
    check("", &service, 401, "unauthenticated").await;
    check("", "bw_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde1dg76K", 401, "unauthenticated").await;
    let lacking = check("?scope=write", key, 403, "insufficient_scope").await;
    assert_eq!(lacking.text_of("scope"), "write");
    let lacking = check("?permission=keys.create", key, 403, "forbidden").await;
    assert_eq!(lacking.text_of("permission"), "keys.create");
    check("?environment=test", key, 403, "environment_mismatch").await;
    check("?audience=mail", key, 403, "wrong_audience").await;
    check("?scope=none", key, 400, "invalid_parameter").await;
    check("?scopes=read", key, 400, "invalid_parameter").await;
    let path = format!("/v1/workspaces/{workspace}/api-keys/{}", made["id"].as_str().unwrap());
    app.delete(&path).bearer(&person.access_token).send().await;
    check("", key, 401, "key_revoked").await;

    let without = ask(app.private(Method::GET, PATH), &service).await;
    assert_eq!(without.problem(), (401, "unauthenticated".into()));
    let twice = app.private(Method::GET, PATH).bearer(key).header("authorization", "Bearer other");
    assert_eq!(ask(twice, &service).await.problem(), (401, "unauthenticated".into()));
    for stranger in ["", "nonsense", key] {
        let answer = ask(app.private(Method::GET, PATH).bearer(key), stranger).await;
        assert_eq!(answer.problem(), (401, "unauthenticated".into()), "{stranger}");
    }
    // The service's own credential in the client's place opens nothing.
    let swapped = app.private(Method::GET, PATH).bearer(&service).send().await;
    assert_eq!(swapped.problem(), (401, "unauthenticated".into()));
}

#[tokio::test]
async fn when_nobody_can_tell_nobody_goes_on() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let made = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let status = async || {
        let call = app.private(Method::GET, PATH).bearer(made["key"].as_str().unwrap());
        ask(call, &app.internal_key).await.status.as_u16()
    };
    assert_eq!(status().await, 200);
    app.db.close().await;
    until(async || status().await == 503).await;
}
