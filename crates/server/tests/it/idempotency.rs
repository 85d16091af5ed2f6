//! `Idempotency-Key`: sent twice, done once, answered alike.

use serde_json::{Value, json};

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::process::until;

async fn make(app: &TestApp, person: &Person, key: &str, body: &Value) -> Answer {
    app.post("/v1/workspaces/acme/api-keys", body)
        .bearer(&person.access_token)
        .header("idempotency-key", key)
        .send()
        .await
}

async fn count(app: &TestApp, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&app.database.owner).await.unwrap()
}

#[tokio::test]
async fn a_retry_is_answered_as_before_the_secret_included() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let body = json!({"name": "k", "scopes": ["read"]});
    let first = make(&app, &ada, "one", &body).await;
    let again = make(&app, &ada, "one", &body).await;
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(first.headers["location"], again.headers["location"]);
    assert!(!first.headers.contains_key("idempotent-replayed") && again.headers["idempotent-replayed"] == "true");
    assert_eq!((count(&app, "api_keys").await, app.actions(Some(&workspace)).await.len()), (1, 2));

    let other = make(&app, &ada, "one", &json!({"name": "other", "scopes": ["read"]})).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".into()));
    let elsewhere =
        app.post("/v1/workspaces/acme/projects", &body).bearer(&ada.access_token).header("idempotency-key", "one");
    assert_eq!(elsewhere.send().await.problem().0, 422, "the same key on another path");
    // The kept answer is sealed: the row gives nothing away.
    let kept: Vec<u8> = sqlx::query_scalar("SELECT reply_sealed FROM idempotency_records")
        .fetch_one(&app.database.owner)
        .await
        .unwrap();
    let secret = first.text_of("key");
    assert!(!kept.windows(secret.len()).any(|window| window == secret.as_bytes()));
}

#[tokio::test]
async fn a_hundred_at_once_have_one_effect_and_one_answer() {
    let app = TestApp::start().await;
    let (ada, _) = app.founder("ada@example.com", "acme").await;
    let body = json!({"name": "k", "scopes": ["read"]});
    let answers = futures_util::future::join_all((0..100).map(|_| make(&app, &ada, "storm", &body))).await;
    let done: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(done.len() > 1 && done.iter().all(|answer| answer.text == done[0].text));
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.problem(), (409, "idempotency_in_flight".into()));
    }
    assert_eq!(count(&app, "api_keys").await, 1);
}

#[tokio::test]
async fn founding_a_workspace_is_retried_as_well() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada@example.com").await;
    let found = || {
        app.post("/v1/workspaces", &json!({"name": "Acme", "slug": "acme"}))
            .bearer(&ada.access_token)
            .header("idempotency-key", "found")
            .send()
    };
    let answers = futures_util::future::join_all((0..20).map(|_| found())).await;
    let ids: Vec<String> =
        answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.text_of("id")).collect();
    assert!(ids.len() > 1 && ids.iter().all(|id| *id == ids[0]));
    assert_eq!(count(&app, "workspaces").await, 1);
    // Another person's key of the same text is another key.
    let bob = app.sign_in("bob@example.com").await;
    let other = app
        .post("/v1/workspaces", &json!({"name": "Acme", "slug": "acme"}))
        .bearer(&bob.access_token)
        .header("idempotency-key", "found")
        .send()
        .await;
    assert_eq!(other.status, 201);
    assert_ne!(other.text_of("id"), ids[0]);
}

#[tokio::test]
async fn a_refusal_is_not_kept_and_a_replay_is_authorized_again() {
    let app = TestApp::start().await;
    let (_, workspace) = app.founder("ada@example.com", "acme").await;
    let admin = app.join(&workspace, "admin@example.com", "admin").await;
    let bad = make(&app, &admin, "k", &json!({"name": "k", "scopes": []})).await;
    assert_eq!(bad.problem().0, 422);
    let good = make(&app, &admin, "k", &json!({"name": "k", "scopes": ["read"]})).await;
    assert_eq!(good.status, 201, "a refused request leaves its key free: {}", good.text);
    sqlx::query("UPDATE memberships SET role = 'viewer' WHERE role = 'admin'")
        .execute(&app.database.owner)
        .await
        .unwrap();
    app.vouch().await;
    // The server was not asked, and sees it with its next look.
    let replay = async || make(&app, &admin, "k", &json!({"name": "k", "scopes": ["read"]})).await;
    until(async || replay().await.status != 201).await;
    assert_eq!(replay().await.problem(), (403, "forbidden".into()));
}

#[tokio::test]
async fn the_same_key_of_somebody_else_is_another_key() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let admin = app.join(&workspace, "admin@example.com", "admin").await;
    let body = json!({"name": "k", "scopes": ["read"]});
    let by_ada = make(&app, &ada, "same", &body).await;
    let by_admin = make(&app, &admin, "same", &body).await;
    assert!(by_ada.status == 201 && by_admin.status == 201, "{}", by_admin.text);
    assert!(!by_admin.headers.contains_key("idempotent-replayed"), "{}", by_admin.text);
    assert_ne!(by_ada.text_of("key"), by_admin.text_of("key"));
    // Each goes on being answered with their own.
    assert_eq!(make(&app, &ada, "same", &body).await.text, by_ada.text);
    assert_eq!(make(&app, &admin, "same", &body).await.text, by_admin.text);
    assert_eq!(count(&app, "api_keys").await, 2);
}

/// Whoever owns the database points one person's kept answer at another.
#[tokio::test]
async fn a_kept_answer_opens_for_nobody_else() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let admin = app.join(&workspace, "admin@example.com", "admin").await;
    let body = json!({"name": "k", "scopes": ["read"]});
    let by_ada = make(&app, &ada, "same", &body).await;
    let moved = sqlx::query(
        "UPDATE idempotency_records SET principal_id = (SELECT id FROM users WHERE email_key = 'admin@example.com')",
    );
    assert_eq!(moved.execute(&app.database.owner).await.unwrap().rows_affected(), 1);
    let refused = make(&app, &admin, "same", &body).await;
    assert_eq!(refused.problem().0, 500, "{}", refused.text);
    assert!(!refused.text.contains(&by_ada.text_of("key")));
}

#[tokio::test]
async fn keys_have_a_form() {
    let app = TestApp::start().await;
    let (ada, _) = app.founder("ada@example.com", "acme").await;
    let body = json!({"name": "k", "scopes": ["read"]});
    for key in ["", "with space", &"x".repeat(256)] {
        assert_eq!(make(&app, &ada, key, &body).await.problem(), (400, "invalid_header".into()), "{key:.20}");
    }
    assert_eq!(make(&app, &ada, &"x".repeat(255), &body).await.status, 201);
}
