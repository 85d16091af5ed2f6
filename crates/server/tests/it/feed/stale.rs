//! A node that does not hear from the database: it decides nothing by memory, says so, and heals by itself.

use reqwest::Method;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::ground::Ground;
use crate::harness::app::TestApp;
use crate::harness::cluster::options;
use crate::harness::process::until;

async fn owner(app: &TestApp) -> PgConnection {
    PgConnection::connect_with(&options(&app.database.urls.owner)).await.unwrap()
}

/// Takes a table away from everybody until the transaction ends.
async fn lock(connection: &mut PgConnection, table: &str) {
    let sql = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

async fn let_go(connection: &mut PgConnection) {
    sqlx::raw_sql("ROLLBACK").execute(connection).await.unwrap();
}

/// The check that keeps the node from being ready, if one does.
async fn not_ready(app: &TestApp) -> Option<String> {
    let answer = app.private(Method::GET, "/readyz").send().await;
    (answer.status != 200).then(|| answer.text_of("check"))
}

#[tokio::test]
async fn a_stale_node_asks_the_database_for_each_credential_and_heals() {
    let ground = Ground::new().await;
    let app = &ground.app;
    until(async || not_ready(app).await.is_none()).await;
    let keys = ground.keys(2).await;
    ground.all_take(&[&app.url], &keys[0]).await;
    ground.all_take(&[&app.url], &keys[1]).await;

    // The node cannot tell that it lives; what it reads would still be right, and it cannot know that.
    let mut holder = owner(app).await;
    lock(&mut holder, "feed_nodes").await;
    until(async || not_ready(app).await.as_deref() == Some("feed")).await;
    ground.all_take(&[&app.url], &keys[1]).await;
    let id = keys[0].id.parse::<bailiwick_proof::id::ApiKeyId>().unwrap().uuid();
    sqlx::query("UPDATE api_keys SET revoked_at = now() WHERE id = $1")
        .bind(id)
        .execute(&app.database.owner)
        .await
        .unwrap();
    // Nobody waited for the node: what it had under way may have made it fresh once more, for a moment.
    until(async || ground.ask(&app.url, &keys[0]).await.0 == 401).await;
    assert_eq!(not_ready(app).await.as_deref(), Some("feed"));

    let_go(&mut holder).await;
    until(async || not_ready(app).await.is_none()).await;
    assert_eq!(ground.revoke(&app.url, &keys[0]).await.0, 204, "asked again, by somebody who waits");
    ground.none_takes(&[&app.url], &keys[0]).await;
    ground.all_take(&[&app.url], &keys[1]).await;
}

#[tokio::test]
async fn who_cannot_tell_takes_nothing() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let key = ground.keys(1).await.remove(0);
    let (mut nodes, mut keys) = (owner(app).await, owner(app).await);
    lock(&mut nodes, "feed_nodes").await;
    until(async || not_ready(app).await.as_deref() == Some("feed")).await;
    lock(&mut keys, "api_keys").await;
    assert_eq!(ground.ask(&app.url, &key).await, (503, "unavailable".to_owned()));
    let_go(&mut keys).await;
    let_go(&mut nodes).await;
    until(async || not_ready(app).await.is_none()).await;
    ground.all_take(&[&app.url], &key).await;
}

#[tokio::test]
async fn an_unconfirmed_revocation_is_committed_says_so_and_is_confirmed_by_asking_again() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let key = ground.keys(1).await.remove(0);
    ground.all_take(&[&app.url], &key).await;
    let mut holder = owner(app).await;
    lock(&mut holder, "feed_nodes").await;
    let (status, code, _) = ground.revoke(&app.url, &key).await;
    assert_eq!((status, code.as_str()), (503, "revocation_unconfirmed"));
    ground.none_takes(&[&app.url], &key).await;
    let (status, code, _) = ground.revoke(&app.url, &key).await;
    assert_eq!((status, code.as_str()), (503, "revocation_unconfirmed"), "asking again waits again");
    let_go(&mut holder).await;
    assert_eq!(ground.revoke(&app.url, &key).await.0, 204);
    ground.none_takes(&[&app.url], &key).await;
    let workspace = ground.workspace.as_str();
    let actions = app.actions(Some(workspace)).await;
    let revoked = actions.iter().filter(|action| *action == "api_key.revoked").count();
    assert_eq!(revoked, 1, "one entry, however often it is asked for");
}
