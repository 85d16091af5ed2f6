//! What one route answers nearly always, answered from memory before the router is asked.
//!
//! # Invariants
//! - A shortcut answers 200, or not at all. Whatever is not as it nearly always is (a long or slow body, a credential or a key that memory
//!   does not know, anything that is wrong) goes to the router with the body that came, and is answered as if there were no
//!   shortcut: there is one place that says what is wrong with a request.
//! - Nobody unknown makes the server wait for a body, and whoever takes their time over one is judged by the router, which judges anew.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, header};

use super::traffic::Traffic;
use crate::context::RequestContext;

/// The longest body that is waited for.
pub(super) const MOST_BODY_BYTES: u64 = 4 * 1024;

/// Makes of a body the JSON of a 200, if it can.
pub type Answering = Box<dyn FnOnce(&[u8]) -> Option<Vec<u8>> + Send>;

/// Answers a route's requests from memory.
pub trait Shortcut: Send + Sync {
    /// How the body of this request is answered, if memory knows whoever sent it.
    fn admit(&self, headers: &HeaderMap, context: &RequestContext) -> Option<Answering>;
}

/// A shortcut before a `POST` of JSON.
pub(super) struct Before {
    path: &'static str,
    shortcut: Arc<dyn Shortcut>,
    pub(super) traffic: Traffic,
}

impl Before {
    pub(super) fn new(path: &'static str, shortcut: Arc<dyn Shortcut>) -> Self {
        Self { path, shortcut, traffic: Traffic::of(path) }
    }

    /// Whether a request looks like those that are answered here; `most_bytes` is what it declares of its body.
    pub(super) fn is_for<B>(&self, request: &axum::http::Request<B>, most_bytes: Option<u64>) -> bool {
        let uri = request.uri();
        request.method() == Method::POST
            && uri.path() == self.path
            && uri.query().is_none()
            && most_bytes.is_some_and(|bytes| bytes <= MOST_BODY_BYTES)
            && request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
    }

    pub(super) fn admit(&self, headers: &HeaderMap, context: &RequestContext) -> Option<Answering> {
        self.shortcut.admit(headers, context)
    }
}
