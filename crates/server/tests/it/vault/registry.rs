//! Each sealed column of the schema stands in the registry that rotation walks, as it is.

use std::collections::BTreeSet;

use bailiwick_server::vault::{COLUMNS, OwnedBy};
use sqlx::PgPool;

use crate::harness::cluster::TestDatabase;

/// What of the schema the registry says otherwise.
async fn faults(pool: &PgPool) -> Vec<String> {
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let type_of = |table: &str, column: &str| {
        columns.iter().find(|(t, c, _)| (t.as_str(), c.as_str()) == (table, column)).map(|(.., of)| of.as_str())
    };
    let mut faults = Vec::new();
    let mut registered = BTreeSet::new();
    for stand in COLUMNS.iter().filter_map(|column| column.stand.as_ref()) {
        let name = format!("{}.{}", stand.table, stand.column);
        if !stand.column.ends_with("_sealed") || type_of(stand.table, stand.column) != Some("bytea") {
            faults.push(format!("{name} is no sealed column"));
        }
        let key: Vec<(String, String)> = sqlx::query_as(
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_index i
             CROSS JOIN unnest(i.indkey) WITH ORDINALITY k (attnum, at)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE i.indisprimary AND i.indrelid = to_regclass($1) ORDER BY k.at",
        )
        .bind(stand.table)
        .fetch_all(pool)
        .await
        .unwrap();
        if !key.iter().map(|(name, of)| (name.as_str(), of.as_str())).eq(stand.key.iter().copied()) {
            faults.push(format!("{name}: the primary key is {key:?}"));
        }
        if stand.owner == OwnedBy::Workspace && type_of(stand.table, "workspace_id") != Some("uuid") {
            faults.push(format!("{name}: no workspace_id says whose it is"));
        }
        if stand.subject.is_some_and(|subject| type_of(stand.table, subject) != Some("bigint")) {
            faults.push(format!("{name}: no column says who can be erased"));
        }
        if stand.index.as_ref().is_some_and(|index| type_of(stand.table, index.column) != Some("bytea")) {
            faults.push(format!("{name}: no column has its index"));
        }
        if !registered.insert(name.clone()) {
            faults.push(format!("{name} stands there twice"));
        }
    }
    let sealed = columns.iter().filter(|(_, column, _)| column.ends_with("_sealed"));
    let sealed = sealed.map(|(table, column, _)| format!("{table}.{column}"));
    faults.extend(sealed.filter(|name| !registered.contains(name)).map(|name| format!("{name} is not registered")));
    faults
}

#[tokio::test]
async fn every_sealed_column_is_registered_as_it_stands() {
    let database = TestDatabase::create().await;
    let owner = database.superuser();
    assert_eq!(faults(&owner).await, [""; 0]);
    for (change, fault) in [
        ("CREATE TABLE hidden (id uuid PRIMARY KEY, note_sealed bytea)", "hidden.note_sealed is not registered"),
        (
            "ALTER TABLE job_payloads RENAME payload_sealed TO payload",
            "job_payloads.payload_sealed is no sealed column",
        ),
        (
            "ALTER TABLE ledger_openings RENAME actor_index TO other",
            "ledger_openings.actor_sealed: no column has its index",
        ),
        (
            "ALTER TABLE refresh_tokens DROP CONSTRAINT refresh_tokens_pkey CASCADE, ADD PRIMARY KEY (session_id, digest)",
            "refresh_tokens.successor_sealed: the primary key is",
        ),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(change.to_owned()))
            .execute(&owner)
            .await
            .unwrap_or_else(|e| panic!("{change}: {e}"));
        let found = faults(&owner).await;
        assert!(found.iter().any(|found| found.starts_with(fault)), "{change}: {found:?}");
    }
}
