//! The HTTP client: one request after another, retried where that is safe.
//!
//! Every request may be repeated: reading changes nothing, and a change carries its
//! `Idempotency-Key` ([`Once`]). It is repeated twice at most, when no answer came, for 502 and 503,
//! for 429 with a short `Retry-After`, and for 409 while the first attempt is still in flight.

use std::time::Duration;

use bailiwick_proof::environment::Environment;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::once::Once;
use crate::problem::Problem;
use crate::server_url::ServerUrl;
use crate::token::Token;

/// The waits before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// A server that asks for more patience than this is told as an error instead.
const MAX_PAUSE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// What must not be sent again later has no time to lose.
const ONCE_TIMEOUT: Duration = Duration::from_secs(3);
/// An export of a large log takes its time.
const STREAM_TIMEOUT: Duration = Duration::from_secs(6 * 60 * 60);
/// No answer of this API comes near; a server that never stops talking is cut off here.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Rows asked for at once.
const PAGE_ROWS: u32 = 100;
const JSON: &str = "application/json, application/problem+json";
const BYTES: &str = "application/octet-stream, application/problem+json";
const TEXT: &str = "text/plain, application/problem+json";

/// Speaks to one server as one principal.
pub(crate) struct Client {
    http: reqwest::Client,
    server: ServerUrl,
    token: Option<Token>,
    environment: Option<Environment>,
}

/// One request, as it is sent on every attempt.
struct Call<'a> {
    method: Method,
    url: Url,
    accept: &'static str,
    /// Whether the token goes along.
    signed_in: bool,
    body: Option<Value>,
    once: Option<&'a Once>,
    /// How long it may take, where that is less than usual.
    patience: Option<Duration>,
}

/// A request that was carried out at most once, and has not succeeded.
pub(crate) struct Unmade {
    pub(crate) failure: Failure,
    /// Whether the server may have carried it out all the same.
    pub(crate) in_doubt: bool,
}

impl Call<'_> {
    const fn get(url: Url) -> Self {
        Self { method: Method::GET, url, accept: JSON, signed_in: true, body: None, once: None, patience: None }
    }
}

/// A whole answer, whatever its status.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    next_cursor: Option<String>,
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Exit::Usage`] when the token would go over the network in the clear.
    pub(crate) fn new(server: ServerUrl, token: Token, global: &Global) -> Result<Self, Failure> {
        Self::build(server, Some(token), global)
    }

    /// One without a token, for what everybody may ask.
    ///
    /// # Errors
    /// [`Exit::Usage`] when what is answered would come over the network in the clear.
    pub(crate) fn anonymous(server: ServerUrl, global: &Global) -> Result<Self, Failure> {
        Self::build(server, None, global)
    }

    fn build(server: ServerUrl, token: Option<Token>, global: &Global) -> Result<Self, Failure> {
        if !server.is_private() && !global.insecure_http {
            let message = format!("{server} is not encrypted: everybody on the way could read the token");
            return Err(Failure::usage(message).hint("use https, or --insecure-http on a network that you trust"));
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("bailiwick/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT);
        if server.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|err| Failure::local("the HTTP client did not start", &err))?;
        Ok(Self { http, server, token, environment: global.environment })
    }

    /// Reads one resource.
    ///
    /// # Errors
    /// The server's problem, or that it could not be reached.
    pub(crate) async fn get(&self, path: &[&str]) -> Result<Value, Failure> {
        let url = self.server.join(path.iter().copied());
        self.call(&Call::get(url)).await?.json(&self.server)
    }

    /// Reads one resource that everybody may read; the token stays here.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(crate) async fn get_public(&self, path: &[&str]) -> Result<Value, Failure> {
        let url = self.server.join(path.iter().copied());
        self.call(&Call { signed_in: false, ..Call::get(url) }).await?.json(&self.server)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(crate) async fn get_text(&self, path: &[&str], query: &[(&str, String)]) -> Result<String, Failure> {
        let mut url = self.server.join(path.iter().copied());
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer = self.call(&Call { accept: TEXT, ..Call::get(url) }).await?;
        String::from_utf8(answer.body)
            .map_err(|err| Failure::local(format!("the answer from {} is no text", self.server), &err))
    }

    /// Asks for something that is too much for one answer, and hands it on as it comes. It is asked for once: what has been
    /// handed on cannot be taken back.
    ///
    /// # Errors
    /// As for [`Self::get`]; when the answer was cut off, or `take` failed.
    pub(crate) async fn stream(
        &self,
        path: &[&str],
        body: &impl Serialize,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let url = self.server.join(path.iter().copied());
        let mut request = self.http.post(url).timeout(STREAM_TIMEOUT).json(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        if let Some(environment) = self.environment {
            request = request.header("bailiwick-environment", environment.as_str());
        }
        let lost = |err: reqwest::Error| {
            Failure::local(format!("the answer from {} was cut off", self.server), &err.without_url())
                .hint("what was written is a part alone: ask again")
        };
        let mut response = request
            .send()
            .await
            .map_err(|err| Failure::local(format!("no answer from {}", self.server), &err.without_url()))?;
        if !response.status().is_success() {
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.bytes().await.map_err(lost)?.to_vec();
            return Err(Failure::from(Answer { status, headers, body }.problem()));
        }
        let mut taken = 0;
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            take(&chunk)?;
            taken += u64::try_from(chunk.len()).unwrap_or_default();
        }
        Ok(taken)
    }

    /// Reads bytes as they are.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(crate) async fn get_bytes(&self, path: &[&str]) -> Result<Vec<u8>, Failure> {
        let url = self.server.join(path.iter().copied());
        Ok(self.call(&Call { accept: BYTES, ..Call::get(url) }).await?.body)
    }

    /// The environment that was named for this run.
    pub(crate) const fn environment(&self) -> Option<Environment> {
        self.environment
    }

    /// Reads a list, following its cursors to the end or to `limit` rows.
    ///
    /// # Errors
    /// As for [`Self::get`], and when a cursor leads nowhere.
    pub(crate) async fn list(&self, path: &[&str], limit: Option<u32>) -> Result<Vec<Value>, Failure> {
        self.search(path, &[], limit).await
    }

    /// Reads those rows of a list that `filters` let through, as [`Self::list`] does.
    ///
    /// # Errors
    /// As for [`Self::list`].
    pub(crate) async fn search(
        &self,
        path: &[&str],
        filters: &[(&str, String)],
        limit: Option<u32>,
    ) -> Result<Vec<Value>, Failure> {
        let mut rows = Vec::new();
        let mut missing = limit.unwrap_or(u32::MAX);
        let mut cursor: Option<String> = None;
        loop {
            let page = self.page(path, filters, missing.min(PAGE_ROWS), cursor.as_deref()).await?;
            let taken = page.data.into_iter().take(usize::try_from(missing).unwrap_or(usize::MAX));
            let before = rows.len();
            rows.extend(taken);
            missing = missing.saturating_sub(u32::try_from(rows.len() - before).unwrap_or(u32::MAX));
            match page.next_cursor {
                Some(next) if missing > 0 && cursor.as_ref() == Some(&next) => {
                    return Err(Failure::new(
                        Exit::Failure,
                        "the server's list does not end: it gave one cursor twice",
                    ));
                }
                Some(next) if missing > 0 => cursor = Some(next),
                _ => return Ok(rows),
            }
        }
    }

    async fn page(
        &self,
        path: &[&str],
        filters: &[(&str, String)],
        rows: u32,
        cursor: Option<&str>,
    ) -> Result<Page, Failure> {
        let mut url = self.server.join(path.iter().copied());
        url.query_pairs_mut()
            .extend_pairs(filters)
            .append_pair("limit", &rows.to_string())
            .extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
        let answer = self.call(&Call::get(url)).await?;
        serde_json::from_value(answer.json(&self.server)?)
            .map_err(|err| Failure::local("the server's list is no list", &err))
    }

    /// Makes something.
    ///
    /// # Errors
    /// As for [`Self::get`]; when it is not known whether the change was made, it says how to find out.
    pub(crate) async fn post(&self, path: &[&str], body: &impl Serialize, once: &Once) -> Result<Value, Failure> {
        self.send(Method::POST, path, body, once).await
    }

    /// Sets something as a whole.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub(crate) async fn put(&self, path: &[&str], body: &impl Serialize, once: &Once) -> Result<Value, Failure> {
        self.send(Method::PUT, path, body, once).await
    }

    /// Changes parts of something.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub(crate) async fn patch(&self, path: &[&str], body: &impl Serialize, once: &Once) -> Result<Value, Failure> {
        self.send(Method::PATCH, path, body, once).await
    }

    async fn send(&self, method: Method, path: &[&str], body: &impl Serialize, once: &Once) -> Result<Value, Failure> {
        let url = self.server.join(path.iter().copied());
        let body = serde_json::to_value(body).map_err(|err| Failure::local("the request is no JSON", &err))?;
        let answer = self.call(&Call { method, body: Some(body), once: Some(once), ..Call::get(url) }).await?;
        answer.json(&self.server).map_err(|failure| failure.hint(once.advice()))
    }

    /// Brings something on that takes no body.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub(crate) async fn post_nothing(&self, path: &[&str], once: &Once) -> Result<Value, Failure> {
        let url = self.server.join(path.iter().copied());
        let answer = self.call(&Call { method: Method::POST, once: Some(once), ..Call::get(url) }).await?;
        answer.json(&self.server).map_err(|failure| failure.hint(once.advice()))
    }

    /// Asks for something that takes no token, and is safe to ask for again.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(crate) async fn post_public(&self, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        let url = self.server.join(path.iter().copied());
        let call = Call { method: Method::POST, signed_in: false, body: body.cloned(), ..Call::get(url) };
        self.call(&call).await?.json(&self.server)
    }

    /// Sends what must not be sent again later: twice at most, within seconds.
    ///
    /// # Errors
    /// [`Unmade`] says whether the server may have carried it out all the same.
    pub(crate) async fn post_once(&self, path: &[&str], body: &Value) -> Result<Value, Unmade> {
        let url = self.server.join(path.iter().copied());
        let (body, patience) = (Some(body.clone()), Some(ONCE_TIMEOUT));
        let call = Call { method: Method::POST, signed_in: false, body, patience, ..Call::get(url) };
        let mut in_doubt = false;
        let mut outcome = self.attempt(&call).await;
        if outcome.is_err() {
            in_doubt = outcome.as_ref().is_err_and(|err| !err.is_connect());
            outcome = self.attempt(&call).await;
        }
        in_doubt |= outcome.as_ref().map_or_else(|err| !err.is_connect(), Answer::leaves_doubt);
        let answer = self.conclude(outcome, None).map_err(|failure| Unmade { failure, in_doubt })?;
        answer.json(&self.server).map_err(|failure| Unmade { failure, in_doubt: true })
    }

    /// Does what takes no body and answers none.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(crate) async fn post_quietly(&self, path: &[&str]) -> Result<(), Failure> {
        let url = self.server.join(path.iter().copied());
        self.call(&Call { method: Method::POST, ..Call::get(url) }).await?;
        Ok(())
    }

    /// Removes or revokes something.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub(crate) async fn delete(&self, path: &[&str], once: &Once) -> Result<(), Failure> {
        let url = self.server.join(path.iter().copied());
        self.call(&Call { method: Method::DELETE, once: Some(once), ..Call::get(url) }).await?;
        Ok(())
    }

    /// Sends a request until it has an answer worth telling.
    async fn call(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let mut pauses = PAUSES.into_iter();
        let mut maybe_done = false;
        loop {
            let outcome = self.attempt(call).await;
            maybe_done |= outcome.as_ref().map_or_else(|err| !err.is_connect(), Answer::leaves_doubt);
            let pause = pauses.next().and_then(|usual| pause_before_next(&outcome, usual));
            let Some(pause) = pause else {
                let once = call.once.filter(|_| maybe_done);
                return self.conclude(outcome, once);
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .header(ACCEPT, HeaderValue::from_static(call.accept));
        if let Some(token) = self.token.as_ref().filter(|_| call.signed_in) {
            request = request.bearer_auth(token.reveal());
        }
        if let Some(patience) = call.patience {
            request = request.timeout(patience);
        }
        if let Some(environment) = self.environment.filter(|_| call.signed_in) {
            request = request.header("bailiwick-environment", environment.as_str());
        }
        if let Some(once) = call.once {
            request = request.header("idempotency-key", once.key());
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let mut response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                body.clear();
                break;
            }
        }
        Ok(Answer { status, headers, body })
    }

    fn conclude(&self, outcome: Result<Answer, reqwest::Error>, once: Option<&Once>) -> Result<Answer, Failure> {
        let failure = match outcome {
            Ok(answer) if answer.status.is_success() => return Ok(answer),
            Ok(answer) => Failure::from(answer.problem()),
            Err(err) => Failure::local(format!("no answer from {}", self.server), &err.without_url())
                .hint("is the server running, and is its address right?"),
        };
        Err(match once {
            Some(once) => failure.hint(once.advice()),
            None => failure,
        })
    }
}

impl Answer {
    fn json(&self, server: &ServerUrl) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|err| {
            Failure::local(format!("the answer from {server} is not JSON"), &err)
                .hint("is there a Bailiwick server at that address?")
        })
    }

    fn problem(&self) -> Problem {
        let reason = self.status.canonical_reason().unwrap_or("Unexpected answer");
        let request_id = self.headers.get("x-request-id").and_then(|id| id.to_str().ok());
        Problem::from_answer(self.status.as_u16(), reason, request_id, &self.body)
    }

    /// Whether the change may have been made although the answer is no success.
    fn leaves_doubt(&self) -> bool {
        self.status.is_server_error() || self.is_in_flight()
    }

    /// Whether an earlier attempt of the same change is still being worked on.
    fn is_in_flight(&self) -> bool {
        self.status == StatusCode::CONFLICT && self.problem().code().ends_with("in_flight")
    }

    fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// How long to wait before the next attempt; `None` when another one would not help.
fn pause_before_next(outcome: &Result<Answer, reqwest::Error>, usual: Duration) -> Option<Duration> {
    let pause = match outcome {
        Err(err) if err.is_builder() => return None,
        Err(_) => usual,
        Ok(answer) => match answer.status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => answer.retry_after().unwrap_or(usual),
            StatusCode::TOO_MANY_REQUESTS => answer.retry_after()?,
            StatusCode::CONFLICT if answer.is_in_flight() => answer.retry_after().unwrap_or(usual),
            _ => return None,
        },
    };
    (pause <= MAX_PAUSE).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(status: u16, retry_after: Option<&'static str>, body: &str) -> Option<Duration> {
        let headers = retry_after.map(|value| (RETRY_AFTER, HeaderValue::from_static(value))).into_iter().collect();
        let status = StatusCode::from_u16(status).unwrap();
        pause_before_next(&Ok(Answer { status, headers, body: body.into() }), PAUSES[0])
    }

    #[test]
    fn only_what_another_attempt_can_help_is_retried() {
        for status in [200, 204, 301, 400, 401, 403, 404, 409, 422, 500] {
            assert_eq!(pause(status, None, ""), None, "{status}");
        }
        assert_eq!(pause(502, None, ""), Some(PAUSES[0]));
        assert_eq!(pause(503, Some("2"), ""), Some(Duration::from_secs(2)));
        assert_eq!(pause(503, Some("3600"), ""), None);
        assert_eq!(pause(429, None, ""), None);
        assert_eq!(pause(429, Some("1"), ""), Some(Duration::from_secs(1)));
        assert_eq!(pause(409, None, r#"{"title":"t","code":"slug_taken"}"#), None);
        assert_eq!(pause(409, None, r#"{"title":"t","code":"idempotency_key_in_flight"}"#), Some(PAUSES[0]));
    }
}
