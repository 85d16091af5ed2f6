//! What every request and every answer passes, on both listeners.
//!
//! From the outside in: the request's identity, the last word on errors, headers, log and metrics;
//! panics; the Host; the origin of unsafe requests; a deadline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bailiwick_proof::id::Id;
use metrics::Label;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::problem::{Code, Problem, of_status};
use crate::authn::cookie::CookieStyle;
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::entropy::Entropy;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const PERMISSIONS_POLICY: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
     magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// The `Host` headers that a listener answers to, lower case, with the port where it is not the scheme's.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<[String]>);

impl Hosts {
    /// Exactly these.
    #[must_use]
    pub fn of(hosts: impl IntoIterator<Item = String>) -> Self {
        Self(hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    fn knows(&self, host: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// What the layers need to know of the server's place in the world.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Where the time comes from.
    pub clock: Clock,
    /// Where ids come from.
    pub entropy: Entropy,
    /// Who we are called.
    pub hosts: Hosts,
    /// What cookies look like; secure behind https.
    pub cookies: CookieStyle,
    /// Whether browsers come here with a session's cookie, which pages of others must not make use of.
    pub for_browsers: bool,
}

/// Wraps a router, its fallbacks included.
pub fn apply<S: Clone + Send + Sync + 'static>(router: Router<S>, edge: &Edge) -> Router<S> {
    router
        .fallback(|| async { Problem::new(Code::NotFound) })
        .layer(from_fn(deadline))
        .layer(from_fn_with_state(edge.clone(), same_origin))
        .layer(from_fn_with_state(edge.clone(), known_host))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            // The hook has logged where (see `telemetry`).
            Problem::new(Code::Internal).into_response()
        }))
        .layer(from_fn_with_state(edge.clone(), identify))
}

/// Gives the request its identity, and the answer its last form.
async fn identify(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let context = context_of(&request, &edge);
    let method = request.method().clone();
    let route: Arc<str> = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).into();
    request.extensions_mut().insert(context.clone());

    // Whatever is logged on the way, a fault's cause too, is found by the id that the answer carries.
    let span = tracing::info_span!("request", request_id = %context.id);
    let mut response = with_problem(next.run(request).instrument(span).await, &context);
    finish_headers(response.headers_mut(), &edge, &context);

    let (status, duration) = (response.status().as_u16(), started.elapsed());
    let code = response.extensions().get::<Problem>().map_or("", |problem| problem.code().as_str());
    // What services ask the whole day long is counted; only what goes wrong there is worth a line.
    if edge.for_browsers || status >= 400 {
        tracing::info!(
            event = "request",
            request_id = %context.id,
            trace_id = context.trace_id,
            external_request_id = context.external_id,
            method = %method,
            route = &*route,
            status,
            code,
            duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        );
    }
    let labels = [
        Label::from_static_parts("method", label_of(&method)),
        Label::new("route", route),
        Label::new("status", status.to_string()),
    ];
    metrics::counter!("bailiwick_http_requests_total", labels.iter()).increment(1);
    metrics::histogram!("bailiwick_http_request_seconds", labels.iter()).record(duration.as_secs_f64());
    response
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

/// Renders the problem once more with the request's id; makes one of an error that a library answered.
fn with_problem(mut response: Response, context: &RequestContext) -> Response {
    let html =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if html || !is_error {
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

fn finish_headers(headers: &mut HeaderMap, edge: &Edge, context: &RequestContext) {
    let span = u64::from_be_bytes(edge.entropy.bytes());
    for (name, value) in
        [(X_REQUEST_ID, context.id.to_string()), (TRACEPARENT, format!("00-{}-{span:016x}-01", context.trace_id))]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !edge.for_browsers {
        return;
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        // Not `no-referrer`: under that, a form's own POST would carry `Origin: null`.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if edge.cookies.secure {
        let hsts = HeaderValue::from_static("max-age=63072000; includeSubDomains; preload");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    }
}

async fn known_host(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    match host_of(&request) {
        Some(host) if edge.hosts.knows(&host) => next.run(request).await,
        _ => Problem::new(Code::MisdirectedRequest).into_response(),
    }
}

/// The one Host that a request names: the authority of HTTP/2, or the header of HTTP/1.1.
fn host_of(request: &Request) -> Option<String> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str().to_owned());
    }
    let mut sent = request.headers().get_all(header::HOST).iter();
    match (sent.next(), sent.next()) {
        (Some(host), None) => host.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

/// Unsafe requests that a browser sends come from our own pages. Programs send neither header.
async fn same_origin(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    // Elsewhere no cookie counts, and a forwarded request carries the headers of somebody else's.
    if !edge.for_browsers || matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let scheme = if edge.cookies.secure { "https" } else { "http" };
    let own = host_of(&request).map(|host| format!("{scheme}://{host}"));
    let origins = request.headers().get_all(header::ORIGIN);
    let foreign_origin = origins.iter().any(|origin| origin.to_str().ok() != own.as_deref());
    let sites = request.headers().get_all("sec-fetch-site");
    let foreign_site = sites.iter().any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    if foreign_origin || foreign_site {
        Problem::new(Code::CrossOrigin).into_response()
    } else {
        next.run(request).await
    }
}

async fn deadline(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_DEADLINE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(Code::Unavailable).header(header::RETRY_AFTER, HeaderValue::from_static("1")).into_response()
        }
    }
}

fn context_of(request: &Request, edge: &Edge) -> RequestContext {
    let received_at = edge.clock.now();
    let header = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let external_id =
        header(&X_REQUEST_ID).filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
    RequestContext {
        id: Id::from_uuid(edge.entropy.uuid_v7(received_at)),
        trace_id: header(&TRACEPARENT)
            .and_then(trace_id)
            .unwrap_or_else(|| format!("{:032x}", u128::from_be_bytes(edge.entropy.bytes()))),
        external_id: external_id.map(str::to_owned),
        client_ip: request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip().to_canonical()),
        received_at,
    }
}

/// W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zero.
fn trace_id(traceparent: &str) -> Option<String> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zero = |text: &str| text.bytes().all(|b| b == b'0');
    let good = version == "00" && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && parts.next().is_none();
    (good && !zero(trace) && !zero(span)).then(|| trace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_is_taken_or_left() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace_id(good).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
