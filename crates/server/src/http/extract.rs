//! What a handler asks for by its arguments.

use std::collections::HashMap;
use std::str::FromStr;

use axum::extract::{FromRef, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bailiwick_proof::environment::Environment;
use serde::de::DeserializeOwned;

use super::edge::Edge;
use super::operation::Access;
use super::problem::{Code, Problem};
use super::route::{Route, Surface};
use super::standing;
use crate::authn::cookie::Cookie;
use crate::authn::{self, AccessTokens, KeyRefusal, SessionRefusal};
use crate::authz::may::Needs;
use crate::authz::{self, Audience, Denied, Granted, KeyHolder, Memberships, Principal, SignedIn};
use crate::context::RequestContext;
use crate::feed::Feed;

const ENVIRONMENT_HEADER: &str = "bailiwick-environment";

/// The environment that a request chose, if it did: by header in the API, by the path in the console.
#[derive(Clone, Copy, Debug)]
pub struct ChosenEnvironment(pub Option<Environment>);

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(Code::Internal))
    }
}

/// A path parameter that names a thing; what cannot be its id is not found.
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_params(parts, state).await?.remove("id").unwrap_or_default();
        text.parse().map(Self).map_err(|_| Problem::new(Code::NotFound))
    }
}

/// The query string, strictly: unknown and doubled parameters are refused.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        serde_html_form::from_str(parts.uri.query().unwrap_or_default())
            .map(Self)
            .map_err(|_| Problem::new(Code::InvalidParameter))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ChosenEnvironment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if let Some(word) = path_params(parts, state).await?.remove("environment") {
            return word.parse().map(|chosen| Self(Some(chosen))).map_err(|_| Problem::new(Code::NotFound));
        }
        let mut sent = parts.headers.get_all(ENVIRONMENT_HEADER).iter();
        match (sent.next(), sent.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(value), None) => {
                value.to_str().ok().and_then(|word| word.parse().ok()).map(|chosen| Self(Some(chosen)))
            }
            _ => None,
        }
        .ok_or_else(|| Problem::new(Code::InvalidHeader).detail("Bailiwick-Environment is live or test."))
    }
}

impl<S> FromRequestParts<S> for Principal
where
    S: Send + Sync,
    Feed: FromRef<S>,
    AccessTokens: FromRef<S>,
    Edge: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (feed, tokens, context) = (Feed::from_ref(state), AccessTokens::from_ref(state), context(parts)?);
        let console = Route::of(parts).is_some_and(|route| route.surface == Surface::Console);
        let credential = if console {
            Edge::from_ref(state).cookies.get(&parts.headers, Cookie::Access)
        } else {
            bearer(&parts.headers)?.map(str::to_owned)
        }
        .ok_or_else(unauthenticated)?;
        if credential.starts_with("bw_") && !console {
            let key = authn::authenticate_key(&feed, &credential, context.received_at, context.client_ip).await;
            let key = key.map_err(refused_key)?;
            if !key.key().audiences.admit(Some(&Audience::own())) {
                return Err(Problem::new(Code::WrongAudience));
            }
            return Ok(Self::Key(key));
        }
        let person =
            authn::authenticate_session(&feed, &tokens, &credential, &context).await.map_err(refused_session)?;
        Ok(Self::Session(person))
    }
}

impl<S> FromRequestParts<S> for SignedIn
where
    S: Send + Sync + 'static,
    Principal: FromRequestParts<S, Rejection = Problem>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        demand_declared(parts, Access::SignedIn)?;
        standing::let_in::<Self, S>(parts);
        match Principal::from_request_parts(parts, state).await? {
            Principal::Session(person) => Ok(person),
            Principal::Key(_) => {
                Err(Problem::new(Code::Forbidden).detail("This is for people: use a session's access token."))
            }
        }
    }
}

impl<S> FromRequestParts<S> for KeyHolder
where
    S: Send + Sync + 'static,
    Principal: FromRequestParts<S, Rejection = Problem>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        demand_declared(parts, Access::AnyKey)?;
        standing::let_in::<Self, S>(parts);
        let ChosenEnvironment(chosen) = ChosenEnvironment::from_request_parts(parts, state).await?;
        match Principal::from_request_parts(parts, state).await? {
            Principal::Key(holder) if chosen.is_some_and(|chosen| chosen != holder.key().environment) => {
                Err(Denied::OtherEnvironment(holder.key().environment).into())
            }
            Principal::Key(holder) => Ok(holder),
            Principal::Session(_) => {
                Err(Problem::new(Code::Forbidden).detail("This is for API keys: a session has none."))
            }
        }
    }
}

impl<S, P: Needs> FromRequestParts<S> for Granted<P>
where
    S: Send + Sync + 'static,
    Feed: FromRef<S>,
    Principal: FromRequestParts<S, Rejection = Problem>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        demand_declared(parts, Access::Permission(P::PERMISSION))?;
        standing::let_in::<Self, S>(parts);
        let principal = Principal::from_request_parts(parts, state).await?;
        let ChosenEnvironment(environment) = ChosenEnvironment::from_request_parts(parts, state).await?;
        let workspace = path_params(parts, state).await?.remove("workspace").unwrap_or_default();
        let context = context(parts)?;
        let request = authz::Request { workspace: &workspace, environment, context: &context };
        let memberships = match &principal {
            Principal::Session(person) => Feed::from_ref(state).memberships(person, &workspace).await?,
            Principal::Key(_) => Memberships::default(),
        };
        Ok(authz::grant(principal, &memberships, request)?)
    }
}

/// The route table says what a route needs, and its handler asks for it: they must agree.
fn demand_declared(parts: &Parts, asked: Access) -> Result<(), Problem> {
    let declared = Route::of(parts).map(|route| route.access);
    if declared == Some(asked) {
        return Ok(());
    }
    tracing::error!(event = "route_declares_another_access", ?asked, ?declared);
    Err(Problem::new(Code::Internal))
}

fn context(parts: &Parts) -> Result<RequestContext, Problem> {
    parts.extensions.get::<RequestContext>().cloned().ok_or_else(|| Problem::new(Code::Internal))
}

async fn path_params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<HashMap<String, String>, Problem> {
    // Only undecodable UTF-8 is refused here, and that names nothing.
    let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::new(Code::NotFound))?;
    Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// The bearer credential, if one was sent (RFC 6750, 2.1; the scheme's case does not matter).
///
/// # Errors
/// `invalid_header` when two were sent.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Ok(value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        })),
        _ => Err(Problem::new(Code::InvalidHeader).detail("Authorization was sent twice.")),
    }
}

/// Nobody whom we know.
pub(super) fn unauthenticated() -> Problem {
    with_challenge(Problem::new(Code::Unauthenticated))
}

/// RFC 9110, 11.6.1: a 401 says how to authenticate.
fn with_challenge(problem: Problem) -> Problem {
    problem.header(header::WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"))
}

fn refused_key(refusal: KeyRefusal) -> Problem {
    with_challenge(match refusal {
        KeyRefusal::Malformed | KeyRefusal::Unknown => Problem::new(Code::Unauthenticated),
        KeyRefusal::Revoked => Problem::new(Code::KeyRevoked),
        KeyRefusal::Expired => Problem::new(Code::KeyExpired),
        KeyRefusal::Address => return Problem::new(Code::AddressNotAllowed),
        KeyRefusal::Db(error) => return error.into(),
    })
}

fn refused_session(refusal: SessionRefusal) -> Problem {
    with_challenge(match refusal {
        SessionRefusal::Invalid => Problem::new(Code::Unauthenticated),
        SessionRefusal::Expired => Problem::new(Code::TokenExpired),
        SessionRefusal::Ended => Problem::new(Code::SessionEnded),
        SessionRefusal::Db(error) => return error.into(),
    })
}
