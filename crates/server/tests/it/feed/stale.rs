//! A node that does not hear from the database: it decides nothing by memory, says so, and heals by itself.

use bailiwick_server::config::DEV_MARK;
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::ground::Ground;
use crate::harness::app::TestApp;
use crate::harness::cluster::options;
use crate::harness::node::Node;
use crate::harness::process::until;
use crate::harness::wire::Wire;

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
    until(async || ground.ask(&app.url, &keys[0]).await == (401, "unauthenticated".to_owned())).await;
    assert_eq!(not_ready(app).await.as_deref(), Some("feed"));

    let_go(&mut holder).await;
    until(async || not_ready(app).await.is_none()).await;
    assert_eq!(ground.revoke(&app.url, &keys[0]).await.0, 204, "somebody revokes it, and waits");
    assert_eq!(ground.ask(&app.url, &keys[0]).await, (401, "key_revoked".to_owned()));
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

/// More than the private listener has places for ask a node whose database says nothing: they are told, and whoever asks
/// whether the node lives is answered.
#[tokio::test]
async fn questions_to_a_database_that_hangs_take_no_place_from_health() {
    let ground = Ground::new().await;
    let key = ground.keys(1).await.remove(0);
    let wire = Wire::to(&ground.app.database).await;
    let settings = [
        ("BAILIWICK_DATABASE_RUNTIME_URL", wire.runtime_url.as_str()),
        ("BAILIWICK_DATABASE_SYSTEM_URL", wire.system_url.as_str()),
    ];
    let node = Node::with(&ground.app, &settings).await;
    let address = node.private_url.strip_prefix("http://").unwrap().to_owned();
    let client = crate::harness::http::http_builder().pool_max_idle_per_host(0).build().unwrap();
    let health = async |path: &str| {
        client.get(format!("{}{path}", node.private_url)).send().await.ok().map(|answer| answer.status().as_u16())
    };
    until(async || health("/readyz").await == Some(200)).await;
    wire.cut();
    until(async || health("/readyz").await == Some(503)).await;

    let body = json!({"key": key.text}).to_string();
    let question = format!(
        "POST /internal/v1/keys/verify HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        // As nodes of their own processes have it.
        ground.app.internal_key.trim_start_matches(DEV_MARK),
        body.len()
    );
    let mut asking = Vec::new();
    for _ in 0..400 {
        // Refused at the door, if there is no place.
        let Ok(mut socket) = TcpStream::connect(&address).await else { continue };
        socket.write_all(question.as_bytes()).await.unwrap();
        asking.push(socket);
        if asking.len() % 8 == 0 {
            assert_eq!(health("/livez").await, Some(200), "after {} questions", asking.len());
        }
    }
    for mut socket in asking {
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    wire.mend();
    until(async || health("/readyz").await == Some(200)).await;
}
