//! Is it alive, is it ready, how is it doing: for the operator's own listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use serde_json::json;

use super::json::Json;
use super::problem::{Code, Problem};
use crate::db::{Db, SchemaState, schema_state};
use crate::feed::Feed;

/// Turned once, when the server begins to stop: balancers look elsewhere while requests drain.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Set while entries of the audit log wait too long for their numbers.
#[derive(Clone, Debug, Default)]
pub struct Overdue(Arc<AtomicBool>);

impl Overdue {
    /// From now on, until the next word.
    pub fn set(&self, is_overdue: bool) {
        self.0.store(is_overdue, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// `{"status": …}`
#[derive(Serialize, utoipa::ToSchema)]
pub struct Health {
    status: &'static str,
}

/// The process runs; asks nobody else.
pub async fn livez() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// The database answers and is migrated, the feed is followed, entries get their numbers, and we are not about to stop. `check` names what is not so.
///
/// # Errors
/// `unavailable` otherwise.
pub async fn readyz(
    State(db): State<Db>,
    State(feed): State<Feed>,
    State(overdue): State<Overdue>,
    State(draining): State<Draining>,
) -> Result<Json<Health>, Problem> {
    if draining.has_begun() {
        return Err(not_ready("draining", "The server is stopping."));
    }
    // Asked of memory: also when the database does not answer in time, the reason is the right one.
    if !feed.is_fresh() {
        return Err(not_ready("feed", "The feed is stale: credentials are asked of the database, one by one."));
    }
    if overdue.is_set() {
        return Err(not_ready("ledger", "Entries of the audit log wait for their numbers for more than a minute."));
    }
    match schema_state(&db).await? {
        SchemaState::Current => Ok(Json(Health { status: "ready" })),
        SchemaState::Behind => Err(not_ready("schema", "The database lacks migrations.")),
        SchemaState::Ahead => Err(not_ready("schema", "The database is newer than this server.")),
    }
}

fn not_ready(check: &'static str, detail: &'static str) -> Problem {
    Problem::new(Code::Unavailable).detail(detail).member("check", json!(check))
}

/// Prometheus' text format.
pub async fn metrics(State(handle): State<PrometheusHandle>, State(feed): State<Feed>) -> impl IntoResponse {
    feed.measure();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render())
}
