//! From where a request comes, through `ops/nginx/public.conf` as it stands.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::nginx::Nginx;

/// nginx before the public listener.
struct Proxy(Nginx);

impl Proxy {
    async fn before(app: &TestApp) -> Self {
        let public = app.url.replace("http://localhost", "127.0.0.1");
        let upstreams = format!("upstream bailiwick_public {{ server {public}; keepalive 16; }}");
        Self(Nginx::with(&upstreams, "server_name bailiwick.example;", "public.conf").await)
    }

    /// A request from that address of this machine, which claims to come from another.
    fn call(&self, method: Method, path: &str, from: &str, claimed: &str) -> reqwest::RequestBuilder {
        let client = crate::harness::http::http_builder().local_address(Some(from.parse().unwrap())).build().unwrap();
        let call = client.request(method, format!("{}{path}", self.0.url)).header("host", "bailiwick.example");
        call.header("x-forwarded-for", claimed).header("forwarded", format!("for={claimed}"))
    }
}

#[tokio::test]
async fn behind_the_example_for_nginx_a_client_is_where_nginx_sees_it_and_not_where_it_says() {
    let app = TestApp::configured(|config| {
        config.allowed_hosts.push("bailiwick.example".to_owned());
        config.trusted_proxies = bailiwick_server::networks::Networks::of(vec!["127.0.0.1".parse().unwrap()]);
        config.limits.sign_ins = 2;
    })
    .await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let key = json!({"name": "k", "scopes": ["read"], "allowed_networks": ["127.0.0.5"]});
    let key = app.api_key(&person, &workspace, &key).await["key"].as_str().unwrap().to_owned();
    let proxy = Proxy::before(&app).await;
    let own = async |from: &str, claimed: &str| {
        let call = proxy.call(Method::GET, "/v1/key", from, claimed).bearer_auth(&key);
        call.send().await.unwrap().status().as_u16()
    };
    assert_eq!(own("127.0.0.5", "192.0.2.1").await, 200, "a list of networks is about the client");
    assert_eq!(own("127.0.0.6", "127.0.0.5").await, 403, "not about what it claims");
    assert_eq!(app.get("/v1/key").bearer(&key).send().await.status, 403, "nor about the proxy");

    // An entry has the same address.
    let call = proxy.call(Method::POST, &format!("/v1/workspaces/{workspace}/projects"), "127.0.0.9", "192.0.2.1");
    let made = call.bearer_auth(&person.access_token).json(&json!({"name": "ledgers"})).send().await.unwrap();
    assert_eq!(made.status(), 201);
    app.numbered().await;
    let events = app.get(&format!("/v1/workspaces/{workspace}/audit/events?action=project.created"));
    let events = events.bearer(&person.access_token).send().await.json();
    assert_eq!(events["data"][0]["client_ip"], "127.0.0.9", "{events}");

    // And no bucket is fresh for having made up a network.
    let mut answers = Vec::new();
    for claimed in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        let call = proxy.call(Method::POST, "/auth/verify", "127.0.0.5", claimed);
        let answer = call.json(&json!({"challenge": "x", "code": "y"})).send().await.unwrap();
        answers.push((answer.status().as_u16(), answer.json::<Value>().await.unwrap()["code"].clone()));
    }
    let (failed, limited) = ((401, json!("sign_in_failed")), (429, json!("rate_limited")));
    assert_eq!(answers, [failed.clone(), failed, limited]);
}
