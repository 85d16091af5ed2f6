//! The same revocations with something in the way.

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use super::ground::{Ground, tell};
use crate::harness::cluster::{TestDatabase, options};
use crate::harness::pooler::Pooler;
use crate::harness::process::until;

const REVOCATIONS: usize = 20;

/// Three nodes with these settings, and the revocations.
async fn revoke_at_three_nodes(ground: &Ground, what: &str, settings: &[(&str, &str)]) {
    let nodes = ground.three_nodes(settings).await;
    let urls: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
    tell(what, ground.revocations(&urls, REVOCATIONS).await);
}

/// A transaction that has written and goes on.
async fn long_writer(database: &TestDatabase) -> PgConnection {
    let mut connection = PgConnection::connect_with(&options(&database.urls.owner)).await.unwrap();
    sqlx::raw_sql("BEGIN; CREATE TABLE IF NOT EXISTS long_writer (n int); INSERT INTO long_writer VALUES (1)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

/// The writer's transaction.
async fn xid(writer: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint").fetch_one(writer).await.unwrap()
}

/// Whether snapshots of now still do not see the end of this transaction or of an older one.
async fn holds_back(xid: i64, owner: &PgPool) -> bool {
    let held = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint <= $1";
    sqlx::query_scalar(held).bind(xid).fetch_one(owner).await.unwrap()
}

#[tokio::test]
async fn without_calls_to_wake_anybody() {
    let ground = Ground::new().await;
    revoke_at_three_nodes(&ground, "nobody listens", &[("BAILIWICK_DATABASE_POOLER", "transaction")]).await;
}

#[tokio::test]
async fn through_a_pooler_in_transaction_mode() {
    let ground = Ground::new().await;
    let pooler = Pooler::before(&ground.app.database, 8).await;
    let settings = [
        ("BAILIWICK_DATABASE_POOLER", "transaction"),
        ("BAILIWICK_DATABASE_RUNTIME_URL", pooler.runtime_url.as_str()),
        ("BAILIWICK_DATABASE_SYSTEM_URL", pooler.system_url.as_str()),
    ];
    revoke_at_three_nodes(&ground, "through PgBouncer", &settings).await;
}

#[tokio::test]
async fn while_the_listening_connections_are_killed_again_and_again() {
    let ground = Ground::new().await;
    let killing = async {
        let superuser = ground.app.database.superuser();
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        let mut killed = 0;
        loop {
            killed += sqlx::query_scalar::<_, i64>(kill).fetch_one(&superuser).await.unwrap();
            if killed > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    };
    tokio::select! {
        () = killing => {}
        () = revoke_at_three_nodes(&ground, "listeners killed", &[]) => {}
    }
}

#[tokio::test]
async fn while_a_transaction_in_the_same_database_goes_on_writing() {
    let ground = Ground::new().await;
    let mut writer = long_writer(&ground.app.database).await;
    let held = xid(&mut writer).await;
    revoke_at_three_nodes(&ground, "a long writer", &[]).await;
    assert!(holds_back(held, &ground.app.database.owner).await, "the watermark stood still all the time");
}

#[tokio::test]
async fn while_a_transaction_in_another_database_goes_on_writing() {
    let ground = Ground::new().await;
    let mut writer = long_writer(&TestDatabase::create().await).await;
    let held = xid(&mut writer).await;
    revoke_at_three_nodes(&ground, "a long writer elsewhere", &[]).await;
    assert!(holds_back(held, &ground.app.database.owner).await, "the watermark stood still all the time");
}

#[tokio::test]
async fn while_a_transaction_is_prepared() {
    let ground = Ground::new().await;
    let mut writer = long_writer(&ground.app.database).await;
    let held = xid(&mut writer).await;
    // Of this test alone: the cluster is everybody's.
    let name = format!("feed-{}", std::process::id());
    sqlx::raw_sql(AssertSqlSafe(format!("PREPARE TRANSACTION '{name}'"))).execute(&mut writer).await.unwrap();
    revoke_at_three_nodes(&ground, "a prepared transaction", &[]).await;
    assert!(holds_back(held, &ground.app.database.owner).await, "the watermark stood still all the time");
    sqlx::raw_sql(AssertSqlSafe(format!("ROLLBACK PREPARED '{name}'"))).execute(&mut writer).await.unwrap();
}

/// A change whose transaction began long before, and was overtaken by others.
#[tokio::test]
async fn a_change_that_commits_late_is_not_missed() {
    let ground = Ground::new().await;
    let nodes = ground.three_nodes(&[]).await;
    let urls: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
    let keys = ground.keys(3).await;
    let mut late = PgConnection::connect_with(&options(&ground.app.database.urls.owner)).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT pg_current_xact_id()").execute(&mut late).await.unwrap();
    for key in &keys[..2] {
        ground.all_take(&urls, key).await;
        assert_eq!(ground.revoke(urls[0], key).await.0, 204);
    }
    ground.all_take(&urls, &keys[2]).await;
    let id = keys[2].id.parse::<bailiwick_proof::id::ApiKeyId>().unwrap().uuid();
    sqlx::query("UPDATE api_keys SET revoked_at = now() WHERE id = $1").bind(id).execute(&mut late).await.unwrap();
    ground.all_take(&urls, &keys[2]).await;
    sqlx::raw_sql("COMMIT").execute(&mut late).await.unwrap();
    // Nobody vouches for a row that was changed by hand: it is as if it were not there.
    for url in &urls {
        until(async || ground.ask(url, &keys[2]).await == (401, "unauthenticated".to_owned())).await;
    }
    // Whoever revokes it all the same gets the answer when it is true, and from then on somebody vouches for that.
    assert_eq!(ground.revoke(urls[1], &keys[2]).await.0, 204);
    for url in &urls {
        assert_eq!(ground.ask(url, &keys[2]).await, (401, "key_revoked".to_owned()), "{url}");
    }
}
