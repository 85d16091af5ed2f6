//! A row from yesterday, put back: what was revoked or deleted since does not open again.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

use super::{VALUE, World};
use crate::harness::process::until;

/// Keeps a secret's rows as they are, as a backup would.
async fn keep(world: &World, secret: &str) {
    for (table, id) in [("secrets", "id"), ("secret_versions", "secret_id")] {
        // A statement that makes a table takes no parameter.
        let secret = world.uuids(secret).1;
        let sql = format!("CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {id} = '{secret}'");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&world.app.database.owner).await.unwrap();
    }
}

/// Waits until the keys of so many versions are gone.
async fn forgotten(owner: &PgPool, versions: i64) {
    let sql = "SELECT count(*) FROM vault_subjects WHERE erased_at IS NOT NULL";
    until(async || sqlx::query_scalar::<_, i64>(sql).fetch_one(owner).await.unwrap() == versions).await;
}

async fn told(owner: &PgPool) {
    let sql = "SELECT count(*) FROM alerts WHERE what = 'secret_put_back' AND row_name LIKE '%/1'";
    until(async || sqlx::query_scalar::<_, i64>(sql).fetch_one(owner).await.unwrap() == 1).await;
}

#[tokio::test]
async fn a_revoked_version_stays_revoked() {
    let world = World::found().await;
    let owner = &world.app.database.owner;
    let (id, other) = (world.secret("token").await, world.secret("other").await);
    keep(&world, &id).await;
    let rotation = world.open_rotation(&id, 60).await;
    world.ready(&rotation).await;
    world.reaches(&rotation, "watching").await;
    forgotten(owner, 1).await;
    let back = "UPDATE secret_versions v SET value_sealed = k.value_sealed, revoked_at = NULL
                FROM kept_secret_versions k WHERE (v.secret_id, v.version) = (k.secret_id, k.version)";
    assert_eq!(sqlx::raw_sql(back).execute(owner).await.unwrap().rows_affected(), 1);
    let asked = world.reveal(&id, json!({"version": 1})).await;
    assert_eq!(asked.problem(), (409, "secret_version_gone".to_owned()), "{}", asked.text);
    assert!(!asked.text.contains(VALUE));
    told(owner).await;
    assert!(world.actions().await.iter().any(|action| action == "secret.reveal_refused"));
    // The version after it and the secret beside it are what they were.
    assert_eq!(world.reveal(&id, json!({})).await.status, 200);
    assert_eq!(world.reveal(&other, json!({})).await.text_of("value"), VALUE);
}

#[tokio::test]
async fn a_deleted_secret_stays_deleted() {
    let world = World::found().await;
    let owner = &world.app.database.owner;
    let id = world.secret("token").await;
    world.add_version(&id, "the second value").await;
    keep(&world, &id).await;
    world.send(reqwest::Method::DELETE, &format!("/{id}"), None).await;
    forgotten(owner, 2).await;
    for table in ["secrets", "secret_versions"] {
        let columns = "string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position)";
        let sql = format!("SELECT {columns} FROM information_schema.columns WHERE table_name = '{table}'");
        let columns: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(owner).await.unwrap();
        let sql = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM kept_{table}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(owner).await.unwrap();
    }
    for version in [1, 2] {
        let asked = world.reveal(&id, json!({"version": version})).await;
        assert_eq!(asked.problem(), (409, "secret_version_gone".to_owned()), "{}", asked.text);
    }
    told(owner).await;
}
