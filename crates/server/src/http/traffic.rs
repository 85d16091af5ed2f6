//! How often a route answered how, and how long that took.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram, Label};

/// What a route is counted by. The series are looked up by their labels once and kept: that costs more than many an answer.
pub(super) struct Traffic {
    route: &'static str,
    series: RwLock<Vec<Series>>,
}

#[derive(Clone)]
struct Series {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    seconds: Histogram,
}

impl Traffic {
    pub(super) const fn of(route: &'static str) -> Self {
        Self { route, series: RwLock::new(Vec::new()) }
    }

    /// The path of the route, as it is written in the route table.
    pub(super) const fn route(&self) -> &'static str {
        self.route
    }

    /// One answer.
    pub(super) fn count(&self, method: &Method, status: StatusCode, took: Duration) {
        let method = label_of(method);
        let known = self.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.iter().find(|series| series.method == method && series.status == status) {
            return series.count(took);
        }
        drop(known);
        let series = Series::new(self.route, method, status);
        series.count(took);
        // Another request may have added the same: both are handles to one series.
        self.series.write().unwrap_or_else(PoisonError::into_inner).push(series);
    }
}

impl Series {
    fn new(route: &'static str, method: &'static str, status: StatusCode) -> Self {
        let labels = [
            Label::from_static_parts("method", method),
            Label::from_static_parts("route", route),
            Label::new("status", status.as_str().to_owned()),
        ];
        Self {
            method,
            status,
            requests: metrics::counter!("bailiwick_http_requests_total", labels.iter()),
            seconds: metrics::histogram!("bailiwick_http_request_seconds", labels.iter()),
        }
    }

    fn count(&self, took: Duration) {
        self.requests.increment(1);
        self.seconds.record(took.as_secs_f64());
    }
}

/// A method that nobody knows must not make a series of its own.
fn label_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
