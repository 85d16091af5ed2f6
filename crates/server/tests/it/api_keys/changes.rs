//! What can be changed of a key that is there.

use bailiwick_server::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;
use time::format_description::well_known::Rfc3339;

use super::keys_of;
use crate::harness::app::TestApp;

#[tokio::test]
async fn name_labels_expiry_and_networks_change_with_one_entry_each_time() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let body = json!({"name": "k", "scopes": ["read"], "labels": {"team": "core", "env": "prod"}});
    let made = app.api_key(&person, &workspace, &body).await;
    assert_eq!(made["labels"], json!({"env": "prod", "team": "core"}));
    let path = format!("{}/{}", keys_of(&workspace), made["id"].as_str().unwrap());
    let patch =
        async |body: Value| app.call(Method::PATCH, &path).json(&body).bearer(&person.access_token).send().await;
    let ends = (Clock::system().now() + Duration::days(1)).format(&Rfc3339).unwrap();
    let changed =
        patch(json!({"name": "other", "labels": {"team": "shop"}, "expires_at": ends, "allowed_networks": ["::1"]}))
            .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let changed = changed.json();
    assert_eq!((&changed["name"], &changed["labels"]), (&json!("other"), &json!({"team": "shop"})));
    assert!(changed["expires_at"].is_string() && changed["allowed_networks"] == json!(["::1/128"]));
    assert_eq!((&changed["scopes"], &changed["lookup"]), (&made["scopes"], &made["lookup"]));
    let refused = app.get("/v1/key").bearer(made["key"].as_str().unwrap()).send().await;
    assert_eq!(refused.problem().1, "address_not_allowed", "from the next request on");

    let changed = patch(json!({"expires_at": null, "allowed_networks": []})).await.json();
    assert_eq!((&changed["expires_at"], &changed["name"]), (&Value::Null, &json!("other")), "the rest stays");
    assert_eq!(app.get("/v1/key").bearer(made["key"].as_str().unwrap()).send().await.status, 200);
    for bad in [
        json!({}),
        json!({"expires_at": "2020-01-01T00:00:00Z"}),
        json!({"name": ""}),
        json!({"scopes": ["write"]}),
        json!({"labels": {"Team": "x"}}),
        json!({"labels": {"a": 1}}),
        json!({"labels": (0..17).map(|n| (format!("l{n}"), json!("x"))).collect::<serde_json::Map<_, _>>()}),
    ] {
        assert_eq!(patch(bad.clone()).await.problem(), (422, "invalid_body".into()), "{bad}");
    }
    app.delete(&path).bearer(&person.access_token).send().await;
    assert_eq!(patch(json!({"name": "late"})).await.problem(), (409, "key_not_active".into()));
    assert_eq!(
        app.actions(Some(&workspace)).await,
        ["workspace.created", "api_key.created", "api_key.updated", "api_key.updated", "api_key.revoked"]
    );
}

#[tokio::test]
async fn whoever_lengthens_a_life_has_what_the_key_has() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let manager = app.api_key(&person, &workspace, &json!({"name": "m", "scopes": ["management"]})).await;
    let writer = app.api_key(&person, &workspace, &json!({"name": "w", "scopes": ["write"]})).await;
    let path = format!("{}/{}", keys_of(&workspace), writer["id"].as_str().unwrap());
    let patch = async |body: Value| {
        app.call(Method::PATCH, &path).json(&body).bearer(manager["key"].as_str().unwrap()).send().await
    };
    assert_eq!(patch(json!({"expires_at": null})).await.problem(), (403, "beyond_own_authority".into()));
    assert_eq!(patch(json!({"allowed_networks": []})).await.problem(), (403, "beyond_own_authority".into()));
    assert_eq!(patch(json!({"labels": {"seen": "yes"}})).await.status, 200, "a word about it needs no more");
}

#[tokio::test]
async fn keys_are_found_by_their_labels() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    for (name, labels) in [
        ("one", json!({"team": "core", "env": "prod"})),
        ("two", json!({"team": "core"})),
        ("three", json!({"team": "a:b"})),
        ("four", json!({})),
    ] {
        app.api_key(&person, &workspace, &json!({"name": name, "scopes": ["read"], "labels": labels})).await;
    }
    let found = async |query: &str| {
        let path = format!("{}?{query}", keys_of(&workspace));
        let list = app.get(&path).bearer(&person.access_token).send().await.json();
        let names = list["data"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(found("label=team:core").await, ["two", "one"]);
    assert_eq!(found("label=team:core&label=env:prod&status=active").await, ["one"]);
    assert_eq!(found("label=team:a:b").await, ["three"]);
    assert_eq!(found("label=team:nobody").await, [""; 0]);
    let wrong = app.get(&format!("{}?label=team", keys_of(&workspace))).bearer(&person.access_token).send().await;
    assert_eq!(wrong.problem(), (400, "invalid_parameter".into()));
}
