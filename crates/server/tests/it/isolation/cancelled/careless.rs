//! How it would be without `db`: a pool of sqlx's own and its `begin_with`. For comparison.

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Executor, PgPool};
use uuid::Uuid;

use super::visit::Tenant;
use crate::harness::cluster::{TestDatabase, options};

/// One connection, there already, lent to one borrower after the other.
pub async fn pool(database: &TestDatabase) -> PgPool {
    let one = PgPoolOptions::new().max_connections(1).test_before_acquire(false);
    one.connect_with(options(&database.urls.runtime)).await.unwrap()
}

/// A tenant's transaction as sqlx's documentation begins one.
#[expect(clippy::disallowed_methods, reason = "shows why it is disallowed")]
pub async fn visit(pool: &PgPool, tenant: &Tenant) {
    let begin = format!("BEGIN; SET LOCAL app.workspace_id = '{}'", tenant.uuid);
    let mut tx = pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
    sqlx::query("SELECT FROM workspaces").fetch_all(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// As whom a statement runs that sets nothing.
pub async fn next_borrower(pool: &PgPool) -> Uuid {
    sqlx::query_scalar("SELECT workspace_id FROM workspaces").fetch_one(pool).await.unwrap()
}

/// Gives a connection back with its transaction open.
pub async fn leave_open(pool: &PgPool) {
    pool.execute("BEGIN").await.unwrap();
}
