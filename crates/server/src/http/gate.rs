//! What every request and every answer passes, on both listeners.
//!
//! A request gets its identity; it must be for us; its handler has a deadline, and may panic. Its answer gets the last word
//! on errors, its headers, its line in the log, and is counted. All of that is one service around the router and no stack
//! of layers: axum copies what stands inside a layer anew for each request, and layers within it again.

use std::any::Any;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::{self, HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use bailiwick_proof::entry::TraceId;
use bailiwick_proof::id::Id;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tower_service::Service;

use super::client_address;
use super::edge::Edge;
use super::json;
use super::problem::{Code, Problem, of_status};
use super::route::Reached;
use super::shortcut::{Before, MOST_BODY_BYTES, Shortcut};
use super::standing::AT_ONCE;
use super::traffic::Traffic;
use crate::context::RequestContext;
use crate::telemetry::in_request;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// A listener's routes, and what stands before them.
#[derive(Clone)]
pub struct Gate {
    edge: Arc<Edge>,
    router: Router,
    /// What came to no route.
    astray: Arc<Traffic>,
    shortcut: Option<Arc<Before>>,
}

impl Gate {
    /// Before these routes; what none of them takes is not found.
    #[must_use]
    pub fn new(edge: Edge, router: Router) -> Self {
        let router = router.fallback(async || Problem::new(Code::NotFound));
        Self { edge: Arc::new(edge), router, astray: Arc::new(Traffic::of("none")), shortcut: None }
    }

    /// With a shortcut before one of the routes: a `POST` of JSON that declares nothing else.
    #[must_use]
    pub fn with_shortcut(self, path: &'static str, shortcut: Arc<dyn Shortcut>) -> Self {
        Self { shortcut: Some(Arc::new(Before::new(path, shortcut))), ..self }
    }

    /// By the shortcut if it answers, else by the router.
    async fn pass_by<B>(self, before: Arc<Before>, request: http::Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let started = Instant::now();
        let (context, span_id) = identify(&request, &self.edge);
        let is_ours = self.edge.admit(&request).is_ok();
        let Some(answering) = is_ours.then(|| before.admit(request.headers(), &context)).flatten() else {
            return Box::pin(self.pass(request.map(Body::new))).await;
        };
        let (parts, body) = request.into_parts();
        let read = json::collect(body, MOST_BODY_BYTES).await;
        let answered = match &read {
            Ok(body) if started.elapsed() <= AT_ONCE => {
                in_request(context.id, async { catch_unwind(AssertUnwindSafe(|| answering(body))) }).await
            }
            _ => Ok(None),
        };
        let answer = match (answered, read) {
            (Ok(Some(body)), _) => json::answered(body),
            (Ok(None), Ok(body)) => return Box::pin(self.pass(Request::from_parts(parts, Body::from(body)))).await,
            (Ok(None), Err(problem)) => problem.into_response(),
            (Err(panic), _) => panicked(panic),
        };
        self.send(answer, &Of { context, span_id, method: parts.method, started }, &before.traffic)
    }

    async fn pass(mut self, mut request: Request) -> Response {
        let started = Instant::now();
        let (context, span_id) = identify(&request, &self.edge);
        let (method, reached) = (request.method().clone(), Reached::default());
        let answer = match self.edge.admit(&request) {
            Ok(()) => {
                request.extensions_mut().insert(context.clone());
                request.extensions_mut().insert(reached.clone());
                in_request(context.id, answer(&mut self.router, request)).await
            }
            Err(problem) => problem.into_response(),
        };
        let traffic = reached.route().map_or(&*self.astray, |route| &route.traffic);
        self.send(answer, &Of { context, span_id, method, started }, traffic)
    }

    /// What every answer gets last.
    fn send(&self, answer: Response, of: &Of, traffic: &Traffic) -> Response {
        let Of { context, span_id, method, started } = of;
        let mut response = with_problem(answer, context);
        name(response.headers_mut(), context, *span_id);
        self.edge.protect(response.headers_mut());

        let (status, duration) = (response.status(), started.elapsed());
        // What services ask the whole day long is counted; only what goes wrong there is worth a line.
        if self.edge.for_browsers || status.as_u16() >= 400 {
            tracing::info!(
                event = "request",
                request_id = %context.id,
                trace_id = %context.trace_id,
                external_request_id = context.external_id.as_deref(),
                method = %method,
                route = traffic.route(),
                status = status.as_u16(),
                code = response.extensions().get::<Problem>().map_or("", |problem| problem.code().as_str()),
                duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            );
        }
        traffic.count(method, status, duration);
        response
    }
}

/// Of which request an answer is.
struct Of {
    context: RequestContext,
    span_id: u64,
    method: Method,
    started: Instant,
}

impl<B> Service<http::Request<B>> for Gate
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let most_bytes = request.body().size_hint().upper();
        match self.shortcut.clone().filter(|before| before.is_for(&request, most_bytes)) {
            Some(before) => self.clone().pass_by(before, request).map(Ok).boxed(),
            None => self.clone().pass(request.map(Body::new)).map(Ok).boxed(),
        }
    }
}

/// The handler's answer, or one in its place when it takes too long or panics.
async fn answer(router: &mut Router, request: Request) -> Response {
    let handled = AssertUnwindSafe(async { router.call(request).await }).catch_unwind();
    match tokio::time::timeout(REQUEST_DEADLINE, handled).await {
        Ok(Ok(Ok(response))) => response,
        // The hook has logged where (see `telemetry`).
        Ok(Err(panic)) => panicked(panic),
        Err(_) => {
            Problem::new(Code::Unavailable).header(header::RETRY_AFTER, HeaderValue::from_static("1")).into_response()
        }
    }
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::new(Code::Internal).into_response()
}

/// Renders the problem once more with the request's id; makes one of an error that a library answered.
fn with_problem(mut response: Response, context: &RequestContext) -> Response {
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let html = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/html");
    if !is_error || response.headers().get(header::CONTENT_TYPE).is_some_and(html) {
        return response;
    }
    let known = response.extensions_mut().remove::<Problem>();
    let problem = known.unwrap_or_else(|| of_status(response.status()));
    let mut rendered = problem.render(Some(context.id));
    for name in [header::ALLOW, header::SET_COOKIE] {
        for value in response.headers().get_all(&name) {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    rendered
}

/// Says which request an answer belongs to.
fn name(headers: &mut HeaderMap, context: &RequestContext, span_id: u64) {
    for (name, value) in
        [(X_REQUEST_ID, context.id.to_string()), (TRACEPARENT, format!("00-{}-{span_id:016x}-01", context.trace_id))]
    {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// The request's identity, and the id of our part in its trace.
fn identify<B>(request: &http::Request<B>, edge: &Edge) -> (RequestContext, u64) {
    let received_at = edge.clock.now();
    let header = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let external_id =
        header(&X_REQUEST_ID).filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
    let (id, trace, span) = edge.entropy.request_ids(received_at);
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let context = RequestContext {
        id: Id::from_uuid(id),
        trace_id: header(&TRACEPARENT).and_then(trace_of).unwrap_or(TraceId::new(trace)),
        external_id: external_id.map(Into::into),
        client_ip: client_address::of(peer, request.headers(), &edge.proxies),
        received_at,
    };
    (context, u64::from_be_bytes(span))
}

/// W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zero.
fn trace_of(traceparent: &str) -> Option<TraceId> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zero = |text: &str| text.bytes().all(|b| b == b'0');
    let good = version == "00" && hex(span, 16) && hex(flags, 2) && parts.next().is_none();
    if good && !zero(trace) && !zero(span) { trace.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_is_taken_or_left() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace_of(good).map(|trace| trace.to_string()).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(trace_of(bad), None, "{bad}");
        }
    }
}
