//! What whoever has the database has of a secret: bytes that open at one place alone, and nothing once it is deleted.

use std::process::Stdio;

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::ExposeSecret as _;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::process::Command;

use super::{VALUE, World};
use crate::harness::cluster::options;
use crate::harness::process::until;
use crate::harness::programs::pg_dump;

async fn dump(world: &World) -> String {
    let dump = Command::new(pg_dump())
        .args(["--inserts", world.app.database.superuser_url.expose_secret()])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    String::from_utf8(dump.stdout).unwrap()
}

#[tokio::test]
async fn a_dump_holds_no_value_nor_anything_to_guess_one_by() {
    let world = World::found().await;
    let body = json!({"name": "token", "kind": "generic", "value": VALUE});
    let path = world.path("");
    let call = world.app.post(&path, &body).bearer(&world.ada.access_token).header("idempotency-key", "one-of-mine");
    let made = call.send().await;
    world.reveal(&made.text_of("id"), json!({})).await;
    let dump = dump(&world).await;
    assert!(dump.contains("secret_versions") && dump.contains("secret.revealed"), "the dump is one of this database");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sha256 = |text: &str| digest(&SHA256, text.as_bytes()).as_ref().to_vec();
    // A body can be guessed by whoever knows all of it but a short password, so its bare digest is not kept.
    let request = format!("POST {path}\0{body}");
    for known in [VALUE.to_owned(), hex(VALUE.as_bytes()), hex(&sha256(VALUE)), hex(&sha256(&request))] {
        assert!(!dump.contains(&known), "{known}");
    }
}

#[tokio::test]
async fn what_was_moved_or_changed_opens_nothing() {
    let world = World::found().await;
    let (token, other) = (world.secret("token").await, world.secret("other").await);
    world.add_version(&token, "the second value").await;
    let (workspace, of_token) = world.uuids(&token);
    let (_, of_other) = world.uuids(&other);
    let stands = async || -> Vec<u8> {
        let sql = "SELECT value_sealed FROM secret_versions WHERE workspace_id = $1 AND secret_id = $2 AND version = 1";
        sqlx::query_scalar(sql).bind(workspace).bind(of_token).fetch_one(&world.app.database.owner).await.unwrap()
    };
    let good = stands().await;
    let from = async |secret: uuid::Uuid, version: i32| -> Vec<u8> {
        let sql =
            "SELECT value_sealed FROM secret_versions WHERE workspace_id = $1 AND secret_id = $2 AND version = $3";
        let query = sqlx::query_scalar(sql).bind(workspace).bind(secret).bind(version);
        query.fetch_one(&world.app.database.owner).await.unwrap()
    };
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let bad = [
        ("another version's", from(of_token, 2).await),
        ("another secret's", from(of_other, 1).await),
        ("a changed byte", flipped),
        ("cut", good[..20].to_vec()),
        ("in the clear", b"a value that nobody entrusted".to_vec()),
        ("nothing", vec![]),
    ];
    let put = async |sealed: &[u8]| {
        let sql = "UPDATE secret_versions SET value_sealed = $3
                   WHERE workspace_id = $1 AND secret_id = $2 AND version = 1";
        let query = sqlx::query(sql).bind(workspace).bind(of_token).bind(sealed);
        query.execute(&world.app.database.owner).await.unwrap();
    };
    for (what, sealed) in bad {
        put(&sealed).await;
        let refused = world.reveal(&token, json!({"version": 1})).await;
        assert_eq!(refused.problem(), (409, "secret_damaged".to_owned()), "{what}");
        assert!(!refused.text.contains(VALUE) && !refused.text.contains("second"), "{what}: {}", refused.text);
    }
    put(&good).await;
    assert_eq!(world.reveal(&token, json!({"version": 1})).await.text_of("value"), VALUE);
    let told = world.actions().await;
    assert_eq!(told.iter().filter(|action| *action == "secret.revealed").count(), 1, "nothing was read but that");
}

#[tokio::test]
async fn another_workspaces_row_opens_nothing() {
    let world = World::found().await;
    let id = world.secret("token").await;
    let (bob, bobs) = world.app.founder("bob@example.com", "bobs").await;
    let path = format!("/v1/workspaces/{bobs}/secrets");
    let body = json!({"name": "mine", "kind": "generic", "value": "bob's own value"});
    let own = world.app.post(&path, &body).bearer(&bob.access_token).send().await.text_of("id");
    let ((workspace, of_token), (_, of_own)) = (world.uuids(&id), world.uuids(&own));
    let sql =
        "UPDATE secret_versions SET value_sealed = (SELECT value_sealed FROM secret_versions WHERE workspace_id = $1
                   AND secret_id = $2) WHERE secret_id = $3";
    let moved = sqlx::query(sql).bind(workspace).bind(of_token).bind(of_own);
    assert_eq!(moved.execute(&world.app.database.owner).await.unwrap().rows_affected(), 1);
    let refused = world.app.post(&format!("{path}/{own}/reveal"), &json!({})).bearer(&bob.access_token).send().await;
    assert_eq!(refused.problem(), (409, "secret_damaged".to_owned()));
}

#[tokio::test]
async fn what_was_moved_behind_other_walls_is_not_read() {
    let world = World::found().await;
    let (of_live, of_all) = (world.secret("live").await, world.secret("all").await);
    let projects = format!("/v1/workspaces/{}/projects", world.workspace);
    let made = world.app.post(&projects, &json!({"name": "p"})).bearer(&world.ada.access_token).send().await;
    assert_eq!(made.status, 201, "{}", made.text);
    let mut intruder = PgConnection::connect_with(&options(&world.app.database.superuser_url)).await.unwrap();
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut intruder).await.unwrap();
    for (secret, set) in [(&of_live, "environment = 'test'"), (&of_all, "project_id = (SELECT id FROM projects)")] {
        for (table, id) in [("secrets", "id"), ("secret_versions", "secret_id")] {
            let sql = AssertSqlSafe(format!("UPDATE {table} SET {set} WHERE {id} = $1"));
            sqlx::query(sql).bind(world.uuids(secret).1).execute(&mut intruder).await.unwrap();
        }
    }
    let in_test = world.app.post(&world.path(&format!("/{of_live}/reveal")), &json!({}));
    let in_test = in_test.bearer(&world.ada.access_token).header("bailiwick-environment", "test");
    let asked = in_test.send().await;
    assert_eq!(asked.problem(), (409, "secret_damaged".to_owned()), "{}", asked.text);
    let asked = world.reveal(&of_all, json!({})).await;
    assert_eq!(asked.problem(), (409, "secret_damaged".to_owned()), "{}", asked.text);
    let told = "SELECT count(*) FROM alerts WHERE of_what = 'secret/v2'";
    until(async || sqlx::query_scalar::<_, i64>(told).fetch_one(&world.app.database.owner).await.unwrap() == 2).await;
}
