//! Is it alive, is it ready, how is it doing: for the operator's own listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

use super::json::Json;
use super::problem::{Code, Problem};
use crate::db::{Db, SchemaState, schema_state};

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

/// `{"status": …}`
#[derive(Serialize, utoipa::ToSchema)]
pub struct Health {
    status: &'static str,
}

/// The process runs; asks nobody else.
pub async fn livez() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// The database answers and is migrated, and we are not about to stop.
///
/// # Errors
/// `unavailable` otherwise.
pub async fn readyz(State(db): State<Db>, State(draining): State<Draining>) -> Result<Json<Health>, Problem> {
    if draining.has_begun() {
        return Err(Problem::new(Code::Unavailable).detail("The server is stopping."));
    }
    match schema_state(&db).await? {
        SchemaState::Current => Ok(Json(Health { status: "ready" })),
        SchemaState::Behind => Err(Problem::new(Code::Unavailable).detail("The database lacks migrations.")),
        SchemaState::Ahead => Err(Problem::new(Code::Unavailable).detail("The database is newer than this server.")),
    }
}

/// Prometheus' text format.
pub async fn metrics(State(handle): State<PrometheusHandle>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render())
}
