//! A key gets a successor, and ends when their overlap does.

use bailiwick_server::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::keys_of;
use crate::harness::app::{Answer, Person, TestApp};

async fn rotate(app: &TestApp, workspace: &str, id: &Value, credential: &str, body: Value) -> Answer {
    let path = format!("{}/{}/rotate", keys_of(workspace), id.as_str().unwrap());
    app.post(&path, &body).bearer(credential).send().await
}

async fn get(app: &TestApp, workspace: &str, id: &Value, person: &Person) -> Value {
    let path = format!("{}/{}", keys_of(workspace), id.as_str().unwrap());
    app.get(&path).bearer(&person.access_token).send().await.json()
}

async fn status(app: &TestApp, key: &str) -> (u16, String) {
    let answer = app.get("/v1/key").bearer(key).send().await;
    if answer.status == 200 { (200, String::new()) } else { answer.problem() }
}

fn moment(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}

#[tokio::test]
async fn the_old_key_lives_for_the_overlap_and_not_a_second_longer() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let project = app.post(&format!("/v1/workspaces/{workspace}/projects"), &json!({"name": "p"}));
    let project = project.bearer(&person.access_token).send().await.text_of("id");
    let body = json!({
        "name": "deploy", "scopes": ["read", "write"], "project_id": project, "labels": {"team": "core"},
        "audiences": ["bailiwick", "shop"], "allowed_networks": ["127.0.0.0/8", "::1"],
    });
    let old = app.api_key(&person, &workspace, &body).await;
    let made = rotate(&app, &workspace, &old["id"], &person.access_token, json!({"overlap_seconds": 3600})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let new = made.json();
    assert_eq!(
        made.headers["location"].to_str().unwrap(),
        format!("{}/{}", keys_of(&workspace), new["id"].as_str().unwrap())
    );
    assert_ne!((&new["id"], &new["key"], &new["lookup"]), (&old["id"], &old["key"], &old["lookup"]));
    for same in ["name", "scopes", "project_id", "labels", "audiences", "allowed_networks", "environment"] {
        assert_eq!(new[same], old[same], "{same}");
    }
    assert_eq!((&new["rotated_from"], &new["successor_id"]), (&old["id"], &Value::Null));
    let seen = get(&app, &workspace, &old["id"], &person).await;
    assert_eq!((&seen["successor_id"], &seen["rotated_from"]), (&new["id"], &Value::Null));
    assert_eq!(moment(&seen["expires_at"]) - moment(&new["created_at"]), Duration::hours(1));

    let keys = [old["key"].as_str().unwrap(), new["key"].as_str().unwrap()];
    app.advance(Duration::minutes(59));
    assert_eq!((status(&app, keys[0]).await.0, status(&app, keys[1]).await.0), (200, 200));
    app.advance(Duration::minutes(1));
    assert_eq!(status(&app, keys[0]).await, (401, "key_expired".into()));
    assert_eq!(status(&app, keys[1]).await.0, 200);
    assert_eq!(
        app.actions(Some(&workspace)).await,
        ["workspace.created", "project.created", "api_key.created", "api_key.rotated"],
        "one entry for successor and end"
    );
}

#[tokio::test]
async fn nothing_puts_the_end_off() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let old = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let new = rotate(&app, &workspace, &old["id"], &person.access_token, json!({})).await.json();
    let seen = get(&app, &workspace, &old["id"], &person).await;
    assert_eq!(moment(&seen["expires_at"]) - moment(&new["created_at"]), Duration::days(1), "the usual overlap");

    let again = rotate(&app, &workspace, &old["id"], &person.access_token, json!({})).await;
    assert_eq!(again.problem(), (409, "key_already_rotated".into()));
    assert_eq!(again.json()["successor_id"], new["id"]);
    let path = format!("{}/{}", keys_of(&workspace), old["id"].as_str().unwrap());
    for later in [json!(null), json!("2999-01-01T00:00:00Z")] {
        let call = app.call(Method::PATCH, &path).json(&json!({"expires_at": later})).bearer(&person.access_token);
        assert_eq!(call.send().await.problem(), (409, "key_already_rotated".into()));
    }
    assert_eq!(get(&app, &workspace, &old["id"], &person).await["expires_at"], seen["expires_at"]);

    for (overlap, problem) in [(json!(2_592_001), 422), (json!(-1), 422), (json!(1.5), 422), (json!("1"), 422)] {
        let refused =
            rotate(&app, &workspace, &new["id"], &person.access_token, json!({"overlap_seconds": overlap})).await;
        assert_eq!(refused.problem(), (problem, "invalid_body".into()), "{overlap}");
    }
    let at_once = rotate(&app, &workspace, &new["id"], &person.access_token, json!({"overlap_seconds": 0})).await;
    assert_eq!(at_once.status, 201);
    assert_eq!(status(&app, new["key"].as_str().unwrap()).await, (401, "key_expired".into()), "at once");
    let dead = rotate(&app, &workspace, &new["id"], &person.access_token, json!({})).await;
    assert_eq!(dead.problem(), (409, "key_already_rotated".into()));
    let last = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let path = format!("{}/{}", keys_of(&workspace), last["id"].as_str().unwrap());
    app.delete(&path).bearer(&person.access_token).send().await;
    let revoked = rotate(&app, &workspace, &last["id"], &person.access_token, json!({})).await;
    assert_eq!(revoked.problem(), (409, "key_not_active".into()));
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let old = app.api_key(&person, &workspace, &json!({"name": "self", "scopes": ["management"]})).await;
    let own = old["key"].as_str().unwrap();
    let short = rotate(&app, &workspace, &old["id"], own, json!({"overlap_seconds": 59})).await;
    assert_eq!(short.problem(), (422, "invalid_body".into()), "it could not ask again");
    let path = format!("{}/{}/rotate", keys_of(&workspace), old["id"].as_str().unwrap());
    let ask = async || {
        let call = app.post(&path, &json!({"overlap_seconds": 60})).bearer(own).header("idempotency-key", "once");
        call.send().await
    };
    let first = ask().await;
    assert_eq!(first.status, 201, "{}", first.text);
    app.advance(Duration::seconds(50));
    let second = ask().await;
    assert_eq!((second.status, &second.text), (first.status, &first.text), "the same secret");
    assert_eq!(status(&app, &second.text_of("key")).await.0, 200);
    let listed = app.get(&keys_of(&workspace)).bearer(&person.access_token).send().await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "and no second successor");
    app.advance(Duration::seconds(10));
    assert_eq!(status(&app, own).await, (401, "key_expired".into()));
}

#[tokio::test]
async fn of_many_rotations_at_once_one_has_an_effect() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let old = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let asked = (0..20).map(|_| rotate(&app, &workspace, &old["id"], &person.access_token, json!({})));
    let answers = futures_util::future::join_all(asked).await;
    let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.problem(), (409, "key_already_rotated".into()));
        assert_eq!(refused.json()["successor_id"], made[0].json()["id"]);
    }
}

#[tokio::test]
async fn nobody_rotates_a_key_that_has_more_than_they() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let manager = app.api_key(&person, &workspace, &json!({"name": "m", "scopes": ["management"]})).await;
    let writer = app.api_key(&person, &workspace, &json!({"name": "w", "scopes": ["write"]})).await;
    let manager = manager["key"].as_str().unwrap();
    let refused = rotate(&app, &workspace, &writer["id"], manager, json!({})).await;
    assert_eq!(refused.problem(), (403, "beyond_own_authority".into()));
    let denied = rotate(&app, &workspace, &writer["id"], writer["key"].as_str().unwrap(), json!({})).await;
    assert_eq!(denied.problem(), (403, "forbidden".into()));
    assert_eq!(denied.json()["permission"], "keys.rotate");
    assert_eq!(get(&app, &workspace, &writer["id"], &person).await["successor_id"], Value::Null);
}

#[tokio::test]
async fn a_key_with_an_end_gets_a_successor_that_lasts_as_long() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let ends = (Clock::system().now() + Duration::days(3)).format(&Rfc3339).unwrap();
    let old = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"], "expires_at": ends})).await;
    app.advance(Duration::days(2));
    let person = app.sign_in("ada@example.com").await;
    let body = json!({"overlap_seconds": 30 * 24 * 3600});
    let new = rotate(&app, &workspace, &old["id"], &person.access_token, body).await.json();
    let lasts = |key: &Value| moment(&key["expires_at"]) - moment(&key["created_at"]);
    assert_eq!(lasts(&new).whole_seconds(), lasts(&old).whole_seconds());
    let seen = get(&app, &workspace, &old["id"], &person).await;
    assert_eq!(moment(&seen["expires_at"]), moment(&old["expires_at"]), "an overlap never makes a life longer");
}
