//! Bodies, read strictly and within bounds of size and time.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::BoxError;
use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::poll;
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};
use super::route::Route;
use super::{Edge, Idempotency, standing, strict_json};

/// The most bytes that are read of a body, unless the route says otherwise.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;
/// What most bodies that we send fit in.
const USUAL_BODY_BYTES: usize = 512;
/// Room for the headers of an answer, with those that the gate adds: a map of more is grown to twice the size.
const HEADERS: usize = 6;
/// How long a whole body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// A JSON body that was read strictly into a type that parses; as an answer, JSON that nobody caches.
pub struct Json<T>(pub T);

impl<S, T> FromRequest<S> for Json<T>
where
    S: Send + Sync + 'static,
    Edge: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        demand_media_type(request.headers(), "application/json")?;
        let (_, bytes) = read_body(request, state).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        written(&self.0).map_or_else(|error| Problem::internal("json", &error).into_response(), answered)
    }
}

/// The JSON of an answer.
///
/// # Errors
/// What cannot be written as JSON, which is a fault of ours.
pub fn written<T: Serialize>(answer: &T) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(USUAL_BODY_BYTES);
    serde_json::to_writer(&mut json, answer)?;
    Ok(json)
}

/// A 200 of JSON that nobody caches.
pub(super) fn answered(json: Vec<u8>) -> Response {
    let mut response = Response::new(json.into());
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The body of a change, together with what makes it safe to send twice.
pub struct Mutation<T> {
    /// The body.
    pub body: T,
    /// The key, if one came, bound to this very request.
    pub idempotency: Idempotency,
}

/// No body at all.
#[derive(Debug)]
pub struct Nothing;

impl<S, T> FromRequest<S> for Mutation<T>
where
    S: Send + Sync + 'static,
    Edge: FromRef<S>,
    T: MutationBody,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, bytes) = read_body(request, state).await?;
        let target = format!("{} {}", parts.method, parts.uri.path());
        let idempotency = Idempotency::from_headers(&parts.headers, &target, &bytes)?;
        Ok(Self { body: T::read(&parts.headers, &bytes)?, idempotency })
    }
}

/// The body of a change that nobody has read yet: for a handler that first decides whether it wants to.
pub struct Unread<T> {
    most_bytes: usize,
    reading: BoxFuture<'static, Result<Mutation<T>, Problem>>,
}

impl<T> Unread<T> {
    /// How many bytes it has at most: as many as it declares, or as the route reads.
    #[must_use]
    pub const fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// Reads it.
    ///
    /// # Errors
    /// As every body's.
    pub async fn read(self) -> Result<Mutation<T>, Problem> {
        self.reading.await
    }
}

impl<S, T> FromRequest<S> for Unread<T>
where
    S: Clone + Send + Sync + 'static,
    Edge: FromRef<S>,
    T: MutationBody + 'static,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let state = state.clone();
        let room = request.extensions().get::<Arc<Route>>().map_or(MAX_BODY_BYTES, |route| route.most_body_bytes);
        let declared = request.body().size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok());
        let most_bytes = declared.unwrap_or(room).min(room);
        Ok(Self { most_bytes, reading: Box::pin(async move { Mutation::from_request(request, &state).await }) })
    }
}

/// What the body of a change can be: JSON, or [`Nothing`].
pub trait MutationBody: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// The problem to answer with.
    fn read(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Problem>;
}

impl MutationBody for Nothing {
    fn read(_headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Problem> {
        if bytes.is_empty() {
            Ok(Self)
        } else {
            Err(Problem::new(Code::InvalidRequest).detail("This request takes no body."))
        }
    }
}

impl<T: DeserializeOwned> MutationBody for T {
    fn read(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Problem> {
        demand_media_type(headers, "application/json")?;
        parse(bytes)
    }
}

/// For a request that takes no body: one that was sent is refused, not ignored.
pub struct NoBody(());

impl<S> FromRequest<S> for NoBody
where
    S: Send + Sync + 'static,
    Edge: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, bytes) = read_body(request, state).await?;
        Nothing::read(&parts.headers, &bytes).map(|Nothing| Self(()))
    }
}

/// A form of the console, read as strictly as JSON: unknown and doubled fields are refused.
pub struct Form<T>(pub T);

impl<S, T> FromRequest<S> for Form<T>
where
    S: Send + Sync + 'static,
    Edge: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        demand_media_type(request.headers(), "application/x-www-form-urlencoded")?;
        let (_, bytes) = read_body(request, state).await?;
        if !is_text(&bytes) {
            return Err(Problem::new(Code::InvalidRequest).detail("The form is not UTF-8 without NUL."));
        }
        // The message names a field of ours or a position, never what was typed.
        serde_html_form::from_bytes(&bytes).map(Self).map_err(|error| {
            Problem::new(Code::InvalidRequest).detail(format!("The form is not one of this page's: {error}."))
        })
    }
}

/// Is it, once the percent signs are decoded, UTF-8 without NUL? The form's reader would put U+FFFD in place of what
/// is not.
fn is_text(form: &[u8]) -> bool {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(form.len());
    let mut rest = form;
    while let [first, others @ ..] = rest {
        rest = others;
        decoded.push(match (first, others) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high * 16 + low
                }
                _ => b'%',
            },
            (byte, _) => *byte,
        });
    }
    !decoded.contains(&0) && std::str::from_utf8(&decoded).is_ok()
}

fn demand_media_type(headers: &HeaderMap, wanted: &str) -> Result<(), Problem> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        Err(Problem::new(Code::UnsupportedMediaType).detail(format!("Send Content-Type: {wanted}.")))
    }
}

/// Reads a body within the route's limit and [`BODY_DEADLINE`], and judges anew whoever took their time.
async fn read_body<S>(request: Request, state: &S) -> Result<(Parts, Bytes), Problem>
where
    S: Send + Sync + 'static,
    Edge: FromRef<S>,
{
    let (mut parts, body) = request.into_parts();
    let most_bytes = Route::of(&parts).map_or(MAX_BODY_BYTES, |route| route.most_body_bytes);
    let bytes = collect(body, u64::try_from(most_bytes).unwrap_or(u64::MAX)).await?;
    standing::still_holds(&mut parts, state).await?;
    Ok((parts, bytes))
}

/// All of a body, within a limit and [`BODY_DEADLINE`].
pub(super) async fn collect<B>(body: B, most_bytes: u64) -> Result<Bytes, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut reading = pin!(whole(body, most_bytes));
    // Most bodies come with their headers, and nobody has to wait for them, nor for how long to be thought of.
    if let Poll::Ready(read) = poll!(reading.as_mut()) {
        return read;
    }
    let waiting = Box::pin(tokio::time::timeout(BODY_DEADLINE, reading));
    waiting.await.unwrap_or_else(|_| Err(Problem::new(Code::RequestTimeout)))
}

/// All of a body, within a limit. What comes in one piece is not copied.
async fn whole<B>(body: B, most_bytes: u64) -> Result<Bytes, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let broken = |_| Problem::new(Code::InvalidRequest).detail("The body broke off.");
        let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
        let length = first.len().max(all.len()) + piece.len();
        if u64::try_from(length).is_ok_and(|length| length > most_bytes) {
            return Err(Problem::new(Code::BodyTooLarge).detail(format!("Send at most {} KiB.", most_bytes / 1024)));
        }
        if first.is_empty() {
            first = piece;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

/// A JSON body, read strictly into a type that parses; nothing if it is anything else.
#[must_use]
pub fn strictly<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    parse(bytes).ok()
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Problem::new(Code::MalformedJson).detail("The body is not UTF-8."));
    }
    let kind = strict_json::check(bytes).map_err(|error| {
        let why = if error.is_data() {
            error.to_string()
        } else {
            format!("syntax, line {} column {}", error.line(), error.column())
        };
        Problem::new(Code::MalformedJson).detail(format!("The body is no JSON that is taken here: {why}."))
    })?;
    if kind != strict_json::Kind::Object {
        // serde would take an array for a struct, by the order of its fields.
        return Err(Problem::field("", "invalid", "The body is a JSON object."));
    }
    match serde_json::from_slice(bytes) {
        Ok(body) => Ok(body),
        // Read once more, along a path that names the member that is wrong.
        Err(error) => {
            let value: serde_json::Value =
                serde_json::from_slice(bytes).map_err(|_| Problem::internal("json", &error))?;
            serde_path_to_error::deserialize(value).map_err(|error| {
                let pointer = pointer(error.path());
                Problem::field(pointer, "invalid", error.into_inner().to_string())
            })
        }
    }
}

/// A JSON pointer (RFC 6901) from serde's path.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Unknown => pointer.push('?'),
        }
        pointer
    })
}

/// The digest by which a request with an idempotency key is recognised.
pub(super) fn request_digest(key: &[u8], target: &str, body: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(key);
    context.update(&[0]);
    context.update(target.as_bytes());
    context.update(&[0]);
    context.update(body);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}
