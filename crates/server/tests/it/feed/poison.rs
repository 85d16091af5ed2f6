//! Rows that nobody can read, and changes that belong to another database.

use bailiwick_server::housekeeping::expire_changes;
use reqwest::Method;
use sqlx::AssertSqlSafe;

use super::ground::{Ground, Key};
use crate::harness::node::Node;
use crate::harness::process::until;

async fn sql(ground: &Ground, text: &str) -> Result<u64, sqlx::Error> {
    let done = sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&ground.app.database.owner).await?;
    Ok(done.rows_affected())
}

fn uuid(key: &Key) -> uuid::Uuid {
    key.id.parse::<bailiwick_proof::id::ApiKeyId>().unwrap().uuid()
}

#[tokio::test]
async fn no_moment_is_infinite() {
    let ground = Ground::new().await;
    ground.keys(1).await;
    for (table, column) in [
        ("api_keys", "created_at"),
        ("api_keys", "expires_at"),
        ("api_keys", "revoked_at"),
        ("sessions", "created_at"),
        ("sessions", "expires_at"),
        ("sessions", "revoked_at"),
        ("job_schedules", "next_run_at"),
        ("job_schedules", "last_run_at"),
    ] {
        for moment in ["infinity", "-infinity"] {
            let refused = sql(&ground, &format!("UPDATE {table} SET {column} = '{moment}'")).await.unwrap_err();
            let constraint = refused.as_database_error().and_then(|error| error.constraint().map(str::to_owned));
            assert_eq!(constraint, Some(format!("{table}_finite")), "{column}: {refused}");
        }
    }
}

#[tokio::test]
async fn a_row_that_nobody_can_read_stops_the_node_for_as_long_as_it_is_there() {
    let ground = Ground::new().await;
    let keys = ground.keys(2).await;
    let ready = async || ground.app.private(Method::GET, "/readyz").send().await.status == 200;
    until(ready).await;
    sql(&ground, "ALTER TABLE api_keys DROP CONSTRAINT api_keys_finite").await.unwrap();
    let poison = |to: &str| format!("UPDATE api_keys SET expires_at = {to} WHERE id = '{}'", uuid(&keys[0]));
    sql(&ground, &poison("'infinity'")).await.unwrap();
    until(async || ground.ask(&ground.app.url, &keys[0]).await.0 == 500).await;
    sql(&ground, &poison("NULL")).await.unwrap();
    ground.app.vouch().await;
    until(async || ready().await && ground.ask(&ground.app.url, &keys[0]).await.0 == 200).await;
    // And it follows: what is revoked is told to everybody.
    assert_eq!(ground.revoke(&ground.app.url, &keys[1]).await.0, 204);
    ground.none_takes(&[&ground.app.url], &keys[1]).await;
}

/// A copy made by `pg_dump` brings changes along that name transactions of the database it came from.
#[tokio::test]
async fn changes_of_transactions_that_have_not_begun_are_passed_over_and_go() {
    let ground = Ground::new().await;
    sql(
        &ground,
        "INSERT INTO feed_changes (workspace_id, xid, entity, entity_id, changed_at)
         SELECT gen_random_uuid(), '9000000000'::xid8, 'workspace', gen_random_uuid(), now() - interval '2 hours'
         FROM generate_series(1, 50)",
    )
    .await
    .unwrap();
    let node = Node::beside(&ground.app).await;
    let key = ground.keys(1).await.remove(0);
    assert_eq!(ground.revoke(&node.url, &key).await.0, 204);
    ground.none_takes(&[&ground.app.url, &node.url], &key).await;
    let applied = node.metric("bailiwick_feed_changes_total").await;
    assert!(applied < 50.0, "{applied} changes, of which it had to apply those of one key");
    expire_changes(&ground.app.db).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM feed_changes WHERE xid = '9000000000'::xid8")
        .fetch_one(&ground.app.database.owner)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
