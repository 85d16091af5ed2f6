//! `POST /auth/refresh`, `POST /auth/sign-out`, and the session's cookies.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Deserialize;

use super::model::{ABSOLUTE_LIFETIME, RefreshRefusal, TokenPair};
use super::ops::{self, Ended, Refreshing};
use crate::authn::cookie::{Cookie, CookieStyle};
use crate::authn::{ACCESS_TOKEN_TTL, AccessTokens};
use crate::context::RequestContext;
use crate::http::{Changes, Code, Edge, Json, NoBody, Problem, bearer};

/// `{"refresh_token": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    refresh_token: String,
}

/// Exchanges a refresh token for its successor.
///
/// # Errors
/// `refresh_token_invalid`.
pub async fn refresh(
    context: RequestContext,
    State(changes): State<Changes>,
    State(tokens): State<AccessTokens>,
    State(edge): State<Edge>,
    Json(body): Json<RefreshRequest>,
) -> Result<Response, Problem> {
    let pair = ops::refresh(Refreshing::new(&changes, &tokens, &context), &body.refresh_token).await?;
    Ok((set_cookies(edge.cookies, &pair), Json(pair)).into_response())
}

/// Ends the session of the access token or of the cookies, and removes the cookies. Always 204.
///
/// # Errors
/// `invalid_request` for a body, `revocation_unconfirmed`, `unavailable`.
pub async fn sign_out(
    context: RequestContext,
    headers: HeaderMap,
    State(changes): State<Changes>,
    State(tokens): State<AccessTokens>,
    State(edge): State<Edge>,
    _: NoBody,
) -> Result<Response, Problem> {
    let with = Ending { changes: &changes, tokens: &tokens, edge: &edge };
    end_session(with, &context, &headers).await?;
    Ok((StatusCode::NO_CONTENT, clear_cookies(edge.cookies)).into_response())
}

/// Everything that the end of a session needs besides the request.
pub struct Ending<'a> {
    /// Makes the change, and knows when it has reached every node.
    pub changes: &'a Changes,
    /// Reads which session an access token names.
    pub tokens: &'a AccessTokens,
    /// Reads cookies.
    pub edge: &'a Edge,
}

/// Ends the session that the request's credentials name, and resolves when no node takes its tokens any more; for the
/// API and the console.
///
/// # Errors
/// `revocation_unconfirmed`, `unavailable`.
pub async fn end_session(with: Ending<'_>, context: &RequestContext, headers: &HeaderMap) -> Result<(), Problem> {
    let Ending { changes: Changes { db, notary, entropy, feed, .. }, tokens, edge } = with;
    let sent = bearer(headers)?.or_else(|| edge.cookies.get(headers, Cookie::Access));
    // Whoever holds a token of the session may end it, also when the token's five minutes are over.
    let access = sent.and_then(|token| tokens.session_named(&token, context.received_at));
    let refresh = edge.cookies.get(headers, Cookie::Refresh);
    let changed = match ops::end_by_tokens(db, notary, entropy, context, access, refresh.as_deref()).await? {
        Ended::Now(changed) => Some(changed),
        Ended::Before => None,
        Ended::Nothing => return Ok(()),
    };
    Ok(feed.barrier(changed).await?)
}

/// Both cookies of a session.
pub fn set_cookies(
    style: CookieStyle,
    pair: &TokenPair,
) -> AppendHeaders<[(header::HeaderName, header::HeaderValue); 2]> {
    AppendHeaders([
        (header::SET_COOKIE, style.set(Cookie::Access, &pair.access_token, ACCESS_TOKEN_TTL)),
        (header::SET_COOKIE, style.set(Cookie::Refresh, &pair.refresh_token, ABSOLUTE_LIFETIME)),
    ])
}

/// Removes both.
pub fn clear_cookies(style: CookieStyle) -> AppendHeaders<[(header::HeaderName, header::HeaderValue); 2]> {
    AppendHeaders([
        (header::SET_COOKIE, style.clear(Cookie::Access)),
        (header::SET_COOKIE, style.clear(Cookie::Refresh)),
    ])
}

impl From<RefreshRefusal> for Problem {
    fn from(refusal: RefreshRefusal) -> Self {
        match refusal {
            RefreshRefusal::Invalid | RefreshRefusal::Reused => Self::new(Code::RefreshTokenInvalid),
            RefreshRefusal::Db(error) => error.into(),
            RefreshRefusal::Unconfirmed(unconfirmed) => unconfirmed.into(),
            RefreshRefusal::Vault(error) => error.into(),
            RefreshRefusal::Sign(error) => Self::internal("sign access token", &error),
        }
    }
}
