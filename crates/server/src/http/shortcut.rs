//! What one route answers nearly always, answered from memory before the router is asked.
//!
//! # Invariants
//! - A shortcut answers 200, or not at all. Whatever is not as it nearly always is (a long or slow body, a credential or a key that memory
//!   does not know, anything that is wrong) goes to the router with the body that came, and is answered as if there were no
//!   shortcut: there is one place that says what is wrong with a request.
//! - Nobody unknown makes the server wait for a body, and whoever takes their time over one is judged by the router, which judges anew.

use axum::body::HttpBody;
use axum::http::{HeaderMap, Method, Request, header};
use time::OffsetDateTime;

use super::traffic::Traffic;
use crate::authn::Service;
use crate::context::RequestContext;

/// The longest body that is waited for.
pub(super) const MOST_BODY_BYTES: u64 = 4 * 1024;

/// Answers a route's requests from memory.
pub trait Shortcut: Send + Sync {
    /// Whoever sent this request, if memory knows them.
    fn admit(&self, headers: &HeaderMap, context: &RequestContext) -> Option<Service>;

    /// The JSON of a 200 for this body, which came at that moment, if memory has it.
    fn answer(&self, service: &Service, received_at: OffsetDateTime, body: &[u8]) -> Option<Vec<u8>>;
}

/// A shortcut before a `POST` of JSON.
pub(super) struct Before {
    path: &'static str,
    pub(super) shortcut: Box<dyn Shortcut>,
    pub(super) traffic: Traffic,
}

impl Before {
    pub(super) const fn new(path: &'static str, shortcut: Box<dyn Shortcut>) -> Self {
        Self { path, shortcut, traffic: Traffic::of(path) }
    }

    /// Whether a request looks like those that are answered here.
    pub(super) fn is_for<B: HttpBody>(&self, request: &Request<B>) -> bool {
        let uri = request.uri();
        request.method() == Method::POST
            && uri.path() == self.path
            && uri.query().is_none()
            && request.body().size_hint().upper().is_some_and(|bytes| bytes <= MOST_BODY_BYTES)
            && request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
    }
}
