//! Row-level security is forced on the owner too, and yet the owner can do an owner's work: change data, validate a
//! foreign key, dump.

use std::process::{Command, Stdio};

use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

use super::generated::seed;
use crate::harness::cluster::{TestDatabase, options};
use crate::harness::programs::pg_dump;

/// Takes away what lets the owner see: the trap that the tests below are about.
const BLIND: &str = "DROP POLICY owner_all ON projects";

async fn owner(database: &TestDatabase) -> PgConnection {
    PgConnection::connect_with(&options(&database.urls.owner)).await.unwrap()
}

#[tokio::test]
async fn a_data_migration_touches_every_row() {
    let database = TestDatabase::create().await;
    seed(&database).await;
    let mut owner = owner(&database).await;
    let superuser = database.superuser();
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM projects").fetch_one(&superuser).await.unwrap();
    let rename = "UPDATE projects SET name = 'renamed ' || name";
    let touched = sqlx::query(rename).execute(&mut owner).await.unwrap().rows_affected();
    assert!(all > 0 && touched == all.unsigned_abs(), "{touched} of {all}");
    let renamed = "SELECT count(*) FROM projects WHERE name LIKE 'renamed %'";
    assert_eq!(sqlx::query_scalar::<_, i64>(renamed).fetch_one(&superuser).await.unwrap(), all);

    sqlx::raw_sql(BLIND).execute(&mut owner).await.unwrap();
    let touched = sqlx::query(rename).execute(&mut owner).await.unwrap().rows_affected();
    assert_eq!(touched, 0, "without its policy the owner changes nothing, and nobody says so");
}

#[tokio::test]
async fn a_foreign_key_is_validated_against_every_row() {
    let database = TestDatabase::create().await;
    seed(&database).await;
    let mut owner = owner(&database).await;
    let orphan = "ALTER TABLE api_keys DROP CONSTRAINT api_keys_project;
        UPDATE api_keys SET project_id = '00000000-0000-0000-0000-0000000000ff' WHERE project_id IS NOT NULL";
    sqlx::raw_sql(orphan).execute(&mut owner).await.unwrap();
    let add = "ALTER TABLE api_keys ADD CONSTRAINT api_keys_project FOREIGN KEY (workspace_id, environment, project_id)
        REFERENCES projects (workspace_id, environment, id)";
    let refused = sqlx::raw_sql(add).execute(&mut owner).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().constraint(), Some("api_keys_project"), "{refused}");
    sqlx::raw_sql("UPDATE api_keys SET project_id = NULL").execute(&mut owner).await.unwrap();
    sqlx::raw_sql(add).execute(&mut owner).await.unwrap();
}

#[tokio::test]
async fn a_dump_by_the_owner_holds_every_row() {
    let database = TestDatabase::create().await;
    seed(&database).await;
    let ids: Vec<String> =
        sqlx::query_scalar("SELECT id::text FROM projects").fetch_all(&database.superuser()).await.unwrap();
    let held = |dump: &str| ids.iter().filter(|id| dump.contains(&format!("'{id}'"))).count();
    let dump = dump_by_owner(&database, &["--table=projects", "--inserts"]);
    assert!(dump.is_err_and(|why| why.contains("row-level security")), "a dump is whole or fails");
    let dump = dump_by_owner(&database, &["--enable-row-security", "--inserts"]).unwrap();
    assert!(!ids.is_empty() && held(&dump) == ids.len(), "{} of {}", held(&dump), ids.len());

    sqlx::raw_sql(BLIND).execute(&database.owner).await.unwrap();
    let dump = dump_by_owner(&database, &["--enable-row-security", "--table=projects", "--inserts"]).unwrap();
    assert_eq!(held(&dump), 0, "without its policy the owner dumps nothing, and nobody says so");
}

fn dump_by_owner(database: &TestDatabase, arguments: &[&str]) -> Result<String, String> {
    let url = database.urls.owner.expose_secret();
    let done = Command::new(pg_dump()).args(arguments).arg(url).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if done.status.success() { Ok(text(done.stdout)) } else { Err(text(done.stderr)) }
}
