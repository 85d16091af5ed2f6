//! `/internal/v1/forward-auth`: may this request go on?
//!
//! For a proxy that asks before it passes a request on (nginx `auth_request` and its like). The request's own key stands
//! in `Authorization`, where its sender put it, the proxy's credential in `Bailiwick-Internal-Key`, and the sender's
//! address in `Bailiwick-Client-Ip`, if the proxy knows it. What else the request carries is not looked at: identity
//! headers in it are whatever its sender made up.
//!
//! 200 goes on, 401 and 403 do not; 503 means that nobody can tell. No answer is for any other credential, so none may be
//! kept.

use std::net::IpAddr;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bailiwick_proof::environment::Environment;
use serde::Deserialize;
use serde_json::json;

use super::judge::{Demands, Refusal, judge};
use crate::authz::{Audience, Denied, KeyFacts, Permission, Scope};
use crate::context::RequestContext;
use crate::feed::Feed;
use crate::http::{Code, InternalCaller, Problem, Query, bearer};

const CLIENT_IP: HeaderName = HeaderName::from_static("bailiwick-client-ip");
/// What the answer depends on besides the address of the operation.
const VARY: HeaderValue = HeaderValue::from_static("Authorization, Bailiwick-Internal-Key, Bailiwick-Client-Ip");

/// `?audience=&scope=&permission=&environment=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardQuery {
    audience: Option<Audience>,
    scope: Option<Scope>,
    permission: Option<Permission>,
    environment: Option<Environment>,
}

/// Answers for the request that is held.
///
/// # Errors
/// 401 `unauthenticated`, `key_revoked`, `key_expired`; 403 `address_not_allowed`, `wrong_audience`,
/// `insufficient_scope`, `forbidden`, `environment_mismatch`; 503 `unavailable`.
pub async fn forward_auth(
    caller: Result<InternalCaller, Problem>,
    query: Result<Query<ForwardQuery>, Problem>,
    context: RequestContext,
    State(feed): State<Feed>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let answer = async {
        let (caller, Query(query)) = (caller?, query?);
        let demands = Demands {
            environment: query.environment,
            audience: caller.audience(query.audience, "audience")?,
            from: client_ip(&headers),
            scope: query.scope,
            permission: query.permission,
        };
        // Two credentials are none: which of them the service behind would read, nobody knows.
        let key = bearer(&headers).ok().flatten().ok_or_else(|| challenged(Problem::new(Code::Unauthenticated)))?;
        match judge(&feed, key, &demands, context.received_at).await? {
            Ok(holder) => Ok(identity(holder.key())),
            Err(refusal) => Err(challenged(Problem::from(refusal))),
        }
    };
    answer.await.map_err(|problem: Problem| problem.header(header::VARY, VARY))
}

/// The address that the proxy names. One that cannot be read, or two, is none, and then no list of networks has it.
fn client_ip(headers: &HeaderMap) -> Option<IpAddr> {
    let mut sent = headers.get_all(CLIENT_IP).iter();
    match (sent.next(), sent.next()) {
        (Some(value), None) => value.to_str().ok()?.trim().parse().ok(),
        _ => None,
    }
}

/// Who asks, for the service behind the proxy.
fn identity(key: &KeyFacts) -> Response {
    let scopes: Vec<&str> = key.scopes.iter().map(Scope::as_str).collect();
    let told = [
        ("bailiwick-key-id", Some(key.id.to_string())),
        ("bailiwick-workspace-id", Some(key.workspace.to_string())),
        ("bailiwick-environment", Some(key.environment.to_string())),
        ("bailiwick-project-id", key.project.project().map(|id| id.to_string())),
        ("bailiwick-scopes", Some(scopes.join(" "))),
    ];
    let mut response = ([(header::CACHE_CONTROL, "no-store")], [(header::VARY, VARY)]).into_response();
    for (name, value) in told {
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// RFC 9110, 11.6.1: a 401 says how to authenticate; the proxy passes that on.
fn challenged(problem: Problem) -> Problem {
    if problem.code().status() == axum::http::StatusCode::UNAUTHORIZED {
        problem.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    } else {
        problem
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed | Refusal::Unknown => Self::new(Code::Unauthenticated),
            Refusal::Revoked => Self::new(Code::KeyRevoked),
            Refusal::Expired => Self::new(Code::KeyExpired),
            Refusal::Address => Self::new(Code::AddressNotAllowed),
            Refusal::Audience => Self::new(Code::WrongAudience),
            Refusal::Scope(scope) => Self::new(Code::InsufficientScope).member("scope", json!(scope.as_str())),
            Refusal::OtherEnvironment(own) => Denied::OtherEnvironment(own).into(),
            Refusal::Permission(permission) => Denied::Forbidden(permission).into(),
        }
    }
}
