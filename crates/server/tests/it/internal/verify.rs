//! `POST /internal/v1/keys/verify` and `…/verify-batch`.

use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;

async fn batch(app: &TestApp, keys: &[Value]) -> Vec<Value> {
    let call = app.private(Method::POST, "/internal/v1/keys/verify-batch").bearer(&app.internal_key);
    let answer = call.json(&json!({"keys": keys})).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn many_keys_are_answered_for_in_their_order() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let (stranger, elsewhere) = app.founder("bob@example.com", "other").await;
    let one = app.api_key(&person, &workspace, &json!({"name": "one", "scopes": ["read"]})).await;
    let two = app.api_key(&stranger, &elsewhere, &json!({"name": "two", "scopes": ["write"]})).await;
    let gone = app.api_key(&person, &workspace, &json!({"name": "gone", "scopes": ["read"]})).await;
    let path = format!("/v1/workspaces/{workspace}/api-keys/{}", gone["id"].as_str().unwrap());
    app.delete(&path).bearer(&person.access_token).send().await;

    let verdicts = batch(
        &app,
        &[
            json!({"key": two["key"]}),
            json!({"key": "nonsense"}),
            json!({"key": one["key"]}),
            json!({"key": gone["key"]}),
            json!({"key": one["key"], "scope": "write"}),
            json!({"key": one["key"]}),
        ],
    )
    .await;
    let codes: Vec<&Value> = verdicts.iter().map(|verdict| &verdict["code"]).collect();
    assert_eq!(
        codes,
        [
            &Value::Null,
            &json!("malformed"),
            &Value::Null,
            &json!("revoked"),
            &json!("insufficient_scope"),
            &Value::Null
        ]
    );
    assert_eq!((&verdicts[0]["key_id"], &verdicts[0]["workspace_id"]), (&two["id"], &json!(elsewhere)));
    assert_eq!((&verdicts[2]["key_id"], &verdicts[5]["key_id"]), (&one["id"], &one["id"]), "twice is twice");
    assert_eq!(batch(&app, &[]).await, [Value::Null; 0]);
    assert_eq!(batch(&app, &vec![json!({"key": one["key"]}); 100]).await.len(), 100);

    let refused = async |body: Value, status: u16, code: &str| {
        let call = app.private(Method::POST, "/internal/v1/keys/verify-batch").bearer(&app.internal_key);
        assert_eq!(call.json(&body).send().await.problem(), (status, code.into()), "{body}");
    };
    refused(json!({"keys": vec![json!({"key": "x"}); 101]}), 422, "batch_too_large").await;
    refused(json!({"keys": [{"key": one["key"]}, {"key": 7}]}), 422, "invalid_body").await;
    refused(json!({"keys": [one["key"]]}), 422, "invalid_body").await;
    refused(json!({"keys": [], "more": 1}), 422, "invalid_body").await;
}

#[tokio::test]
async fn a_verdict_says_what_is_missing() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let made = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let key = made["key"].as_str().unwrap();
    let verify = async |body: Value| batch(&app, &[body]).await.remove(0);
    let good = json!({
        "valid": true, "key_id": made["id"], "workspace_id": workspace, "environment": "live", "scopes": ["read"],
    });
    assert_eq!(verify(json!({"key": key})).await, good, "and nothing of what is not there");
    assert_eq!(verify(json!({"key": key, "environment": "live", "permission": "projects.read"})).await, good);
    let code = async |body: Value| verify(body).await["code"].as_str().unwrap().to_owned();
    assert_eq!(code(json!({"key": key, "environment": "test"})).await, "environment_mismatch");
    assert_eq!(code(json!({"key": key, "permission": "keys.create"})).await, "insufficient_permission");
    assert_eq!(code(json!({"key": key, "scope": "management"})).await, "insufficient_scope");
    app.advance(Duration::days(400));
    assert_eq!(verify(json!({"key": key})).await, good, "without an expiry it goes on");
}
