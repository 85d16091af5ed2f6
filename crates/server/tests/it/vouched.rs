//! Whoever owns the database grants nothing: rows that are forged, altered, put back or deleted.

mod forged;
mod hidden;
mod log;
mod put_back;
mod quiet;

use std::time::Duration;

use bailiwick_server::authz::Notary;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::reconciliation::Reconciler;
use bailiwick_server::vault::Alerts;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::harness::app::TestApp;
use crate::harness::cluster::options;
use crate::harness::{process, vault};

/// Whatever is found is found within this.
const FOUND_WITHIN: Duration = Duration::from_secs(60);

/// Somebody with all rights in the database, of whose doing no trigger tells.
struct Intruder(PgConnection);

impl Intruder {
    async fn enter(app: &TestApp) -> Self {
        let mut connection = PgConnection::connect_with(&options(&app.database.superuser_url)).await.unwrap();
        sqlx::raw_sql("SET session_replication_role = replica").execute(&mut connection).await.unwrap();
        Self(connection)
    }

    /// Does something, and answers how many rows that met.
    async fn does(&mut self, sql: &str) -> u64 {
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut self.0).await;
        done.unwrap_or_else(|error| panic!("{error}: {sql}")).rows_affected()
    }

    /// Nodes do hear of what was done.
    async fn lets_triggers_run(&mut self) {
        sqlx::raw_sql("SET session_replication_role = DEFAULT").execute(&mut self.0).await.unwrap();
    }
}

/// How many findings there are of something.
async fn found(app: &TestApp, what: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM alerts WHERE what = $1")
        .bind(what)
        .fetch_one(&app.database.owner)
        .await
        .unwrap()
}

/// Waits until there are so many.
async fn until_found(app: &TestApp, what: &str, count: i64) {
    let all = process::until(async || found(app, what).await >= count);
    let in_time = tokio::time::timeout(FOUND_WITHIN, all).await;
    assert!(in_time.is_ok(), "{what}: {} of {count}", found(app, what).await);
}

/// One that looks when it is asked to, beside the server's own; and what it raises.
async fn reconciler(app: &TestApp) -> (Reconciler, Alerts) {
    let (vault, ledger) = (app.vault().await, vault::ledger(&app.database, &app.db).await.unwrap());
    let (notary, alerts) = (Notary::open(&vault).await.unwrap(), vault.alerts().clone());
    let (clock, entropy) = (Clock::system(), Entropy::system());
    (Reconciler::new(app.db.clone(), notary, ledger, alerts.clone(), clock, entropy), alerts)
}

/// What was raised and nobody has taken yet: of what, and what.
async fn raised(alerts: &Alerts) -> Vec<(&'static str, &'static str)> {
    let taken = tokio::time::timeout(Duration::from_millis(20), alerts.take()).await.unwrap_or_default();
    let mut raised: Vec<_> = taken.iter().map(|alert| (alert.of, alert.what)).collect();
    raised.sort_unstable();
    raised
}
