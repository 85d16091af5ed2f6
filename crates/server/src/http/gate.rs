//! What every request and every answer passes, on both listeners.
//!
//! A request gets its identity; it must be for us; its handler has a deadline, and may panic. Its answer gets the last word
//! on errors, its headers, its line in the log, and is counted. All of that is one service around the router and no stack
//! of layers: axum copies what stands inside a layer anew for each request, and layers within it again.

use std::any::Any;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::request::Parts;
use axum::http::{self, HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use bailiwick_proof::entry::TraceId;
use bailiwick_proof::id::Id;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tower_service::Service as _;

use super::client_address;
use super::edge::Edge;
use super::json;
use super::problem::{Code, Problem, of_status};
use super::route::Reached;
use super::shortcut::{Before, MOST_BODY_BYTES, Shortcut};
use super::standing::AT_ONCE;
use super::traffic::Traffic;
use crate::authn::Service;
use crate::context::RequestContext;
use crate::telemetry::{at_once_in_request, in_request};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// A listener's routes, and what stands before them. Cheap to clone: each connection has its own.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
    /// The connection's other end; where nobody says it here, the request does.
    peer: Option<SocketAddr>,
}

struct Inner {
    edge: Edge,
    router: Router,
    /// What came to no route.
    astray: Traffic,
    shortcut: Option<Before>,
}

/// Gives each connection the gate with its other end.
#[derive(Clone)]
pub struct ForEachPeer(Gate);

impl Gate {
    /// Before these routes; what none of them takes is not found.
    #[must_use]
    pub fn new(edge: Edge, router: Router) -> Self {
        Self::before(edge, router, None)
    }

    /// The same with a shortcut before one of the routes: a `POST` of JSON that declares nothing else.
    #[must_use]
    pub fn with_shortcut(edge: Edge, router: Router, path: &'static str, shortcut: impl Shortcut + 'static) -> Self {
        Self::before(edge, router, Some(Before::new(path, Box::new(shortcut))))
    }

    fn before(edge: Edge, router: Router, shortcut: Option<Before>) -> Self {
        let router = router.fallback(async || Problem::new(Code::NotFound));
        Self { inner: Arc::new(Inner { edge, router, astray: Traffic::of("none"), shortcut }), peer: None }
    }

    /// As a server of connections wants it.
    #[must_use]
    pub const fn for_each_peer(self) -> ForEachPeer {
        ForEachPeer(self)
    }

    /// Answers by the shortcut if it can, else by the router. What is waited with for the body stands aside, so that this is small
    /// enough for an allocator to have a place for it at hand.
    async fn take<B>(self, admitted: Box<Admitted>, body: B) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let read = json::collect(body, MOST_BODY_BYTES).await;
        let Some(before) = &self.inner.shortcut else { return Problem::new(Code::Internal).into_response() };
        let of = &admitted.of;
        let answer = match read {
            Err(problem) => problem.into_response(),
            Ok(body) => {
                let answering = || before.shortcut.answer(&admitted.service, of.context.received_at, &body);
                match at_once_in_request(of.context.id, || catch_unwind(AssertUnwindSafe(answering))) {
                    Ok(Some(json)) if of.started.elapsed() <= AT_ONCE => json::answered(json),
                    Err(panic) => panicked(panic),
                    Ok(_) => {
                        let request = Request::from_parts(admitted.parts, Body::from(body));
                        return Box::pin(self.pass(request)).await;
                    }
                }
            }
        };
        self.inner.send(answer, of, &before.traffic)
    }

    async fn pass(self, mut request: Request) -> Response {
        let Self { inner, peer } = self;
        let (of, reached) = (Of::new(&request, &inner.edge, peer), Reached::default());
        let answer = match inner.edge.admit(&request) {
            Ok(()) => {
                request.extensions_mut().insert(of.context.clone());
                request.extensions_mut().insert(reached.clone());
                in_request(of.context.id, answer(inner.router.clone(), request)).await
            }
            Err(problem) => problem.into_response(),
        };
        let traffic = reached.route().map_or(&inner.astray, |route| &route.traffic);
        inner.send(answer, &of, traffic)
    }
}

impl Inner {
    /// Whose request it is, if the shortcut is for it and knows them.
    fn admit<B: HttpBody>(&self, request: &http::Request<B>, peer: Option<SocketAddr>) -> Option<(Of, Service)> {
        let before = self.shortcut.as_ref().filter(|before| before.is_for(request))?;
        self.edge.admit(request).ok()?;
        let of = Of::new(request, &self.edge, peer);
        let service = before.shortcut.admit(request.headers(), &of.context)?;
        Some((of, service))
    }

    /// What every answer gets last.
    fn send(&self, answer: Response, of: &Of, traffic: &Traffic) -> Response {
        let Of { context, method, started, .. } = of;
        let mut response = with_problem(answer, context);
        name(response.headers_mut(), of);
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
    /// The id of our part in the request's trace.
    span_id: u64,
    method: Method,
    started: Instant,
}

/// A request that the shortcut may answer, whose it is, and what the router is asked with otherwise.
struct Admitted {
    of: Of,
    service: Service,
    parts: Parts,
}

impl<B> tower_service::Service<http::Request<B>> for Gate
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
        let gate = self.clone();
        match self.inner.admit(&request, self.peer) {
            Some((of, service)) => {
                let (parts, body) = request.into_parts();
                gate.take(Box::new(Admitted { of, service, parts }), body).map(Ok).boxed()
            }
            None => gate.pass(request.map(Body::new)).map(Ok).boxed(),
        }
    }
}

impl tower_service::Service<SocketAddr> for ForEachPeer {
    type Response = Gate;
    type Error = Infallible;
    type Future = Ready<Result<Gate, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, peer: SocketAddr) -> Self::Future {
        ready(Ok(Gate { peer: Some(peer), ..self.0.clone() }))
    }
}

/// The handler's answer, or one in its place when it takes too long or panics.
async fn answer(mut router: Router, request: Request) -> Response {
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
fn name(headers: &mut HeaderMap, of: &Of) {
    let traceparent = format!("00-{}-{:016x}-01", of.context.trace_id, of.span_id);
    for (name, value) in [(X_REQUEST_ID, of.context.id.to_string()), (TRACEPARENT, traceparent)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

impl Of {
    fn new<B>(request: &http::Request<B>, edge: &Edge, peer: Option<SocketAddr>) -> Self {
        let (started, received_at) = (Instant::now(), edge.clock.now());
        let header = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let external_id = header(&X_REQUEST_ID)
            .filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
        let (id, trace, span) = edge.entropy.request_ids(received_at);
        let peer =
            peer.or_else(|| request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer));
        let context = RequestContext {
            id: Id::from_uuid(id),
            trace_id: header(&TRACEPARENT).and_then(trace_of).unwrap_or(TraceId::new(trace)),
            external_id: external_id.map(Into::into),
            client_ip: client_address::of(peer.map(|peer| peer.ip()), request.headers(), &edge.proxies),
            received_at,
        };
        Self { context, span_id: u64::from_be_bytes(span), method: request.method().clone(), started }
    }
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
    use hyper::body::Incoming;

    use super::*;

    /// glibc keeps at hand, for each thread, what is no larger; more is looked for, and what was freed put together, each time.
    const AT_HAND: usize = 1_032;

    /// Of what such a function answers.
    const fn size_of_answer<A, B, C, F>(_: &impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_the_shortcut_waits_with_is_at_hand() {
        let sizes = [size_of::<Admitted>(), size_of_answer(&Gate::take::<Incoming>)];

        assert!(sizes.iter().all(|size| *size <= AT_HAND), "{sizes:?}");
    }

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
