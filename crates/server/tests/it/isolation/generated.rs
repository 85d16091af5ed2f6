//! Attempts on every wall, made from the catalog: each table, each statement, each setting.
//!
//! Two tenants with rows in every environment and project are the ground. [`breaches`] says in words what got through,
//! and also what did not that should have, so that a schema which shows nobody anything is no sound one. Grants are
//! widened to everything before the attempts on the walls: it is the policies that have to hold.

mod rows;
mod session;
mod system_side;
mod table;
mod tenant_side;

use sqlx::AssertSqlSafe;

use crate::harness::cluster::TestDatabase;

use self::table::Table;

/// Two tenants' rows in a database, and the tables to try.
struct Ground<'a> {
    database: &'a TestDatabase,
    tables: Vec<Table>,
    only: Option<&'a str>,
}

/// What gets through the walls of this database, which must be empty; at one table, if one is named.
pub async fn breaches(database: &TestDatabase, only: Option<&str>) -> Vec<String> {
    let tables = seed(database).await;
    let ground = Ground { database, tables, only };
    let mut breaches = tenant_side::hindrances(&ground).await;
    let widen =
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO bailiwick_runtime, bailiwick_system";
    sqlx::query(widen).execute(&database.owner).await.unwrap();
    breaches.extend(tenant_side::breaches(&ground).await);
    breaches.extend(tenant_side::account_breaches(&ground).await);
    breaches.extend(system_side::breaches(&ground).await);
    breaches
}

/// Puts the two tenants' rows into an empty database.
pub async fn seed(database: &TestDatabase) -> Vec<Table> {
    let tables = table::all(&database.owner).await;
    rows::seed(&database.owner, &tables).await;
    tables
}

impl Ground<'_> {
    /// The tables to try.
    fn tried(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().filter(|table| self.only.is_none_or(|only| table.name == only))
    }

    /// Those among them that belong to tenants.
    fn tenant_tables(&self) -> impl Iterator<Item = &Table> {
        self.tried().filter(|table| table.is_tenant)
    }

    /// Every row of every table, as the owner sees them.
    async fn dump(&self) -> String {
        let rows = |table: &Table| {
            let name = &table.name;
            format!("SELECT '{name}' AS tab, string_agg(t::text, E'\\n' ORDER BY t::text) AS rows FROM {name} t")
        };
        let all: Vec<String> = self.tables.iter().filter(|table| !table.is_partition).map(rows).collect();
        let sql =
            format!("SELECT string_agg(concat(tab, E'\\n', rows), E'\\n') FROM ({}) AS t", all.join(" UNION ALL "));
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.database.owner).await.unwrap()
    }
}

#[tokio::test]
async fn nothing_gets_through_and_nobody_is_locked_out() {
    let database = TestDatabase::create().await;
    assert_eq!(breaches(&database, None).await, [""; 0]);
}

#[tokio::test]
async fn a_table_without_a_row_maker_is_named() {
    let database = TestDatabase::create().await;
    sqlx::query("CREATE TABLE forgotten (workspace_id uuid PRIMARY KEY)").execute(&database.owner).await.unwrap();
    let tables = table::all(&database.owner).await;
    let forgotten = |table: &&Table| !rows::knows(&table.root);
    let forgotten: Vec<&str> = tables.iter().filter(forgotten).map(|table| table.name.as_str()).collect();
    assert_eq!(forgotten, ["forgotten"]);
}
