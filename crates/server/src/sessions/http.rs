//! `/auth/refresh`, `/auth/sessions`, `/auth/sign-out` and its kin; the key set; and the session's cookies.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use bailiwick_proof::id::SessionId;
use serde::Deserialize;

use super::model::{ABSOLUTE_LIFETIME, EndedSessions, RefreshRefusal, Session, TokenPair};
use super::ops::{self, Ended, Refreshing};
use crate::authn::cookie::{Cookie, CookieStyle};
use crate::authn::{ACCESS_TOKEN_TTL, AccessTokens};
use crate::authz::{Notary, SignedIn};
use crate::context::RequestContext;
use crate::db::Db;
use crate::http::{Changes, Code, Edge, Json, ListQuery, NoBody, Page, PathId, Problem, Query, bearer};
use crate::jobs::Queue;

/// Tells this list's cursors from others'.
const LIST: u8 = 31;
/// A key is in the set for longer than this before it signs (`server_rotation::LEAD`): whoever keeps the set for so long has it.
const KEYS_KEPT: HeaderValue = HeaderValue::from_static("public, max-age=30");

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
    State(queue): State<Queue>,
    State(edge): State<Edge>,
    Json(body): Json<RefreshRequest>,
) -> Result<Response, Problem> {
    let pair = ops::refresh(Refreshing::new(&changes, &tokens, &queue, &context), &body.refresh_token).await?;
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

/// The caller's sessions, the newest first.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    person: SignedIn,
    context: RequestContext,
    State(db): State<Db>,
    State(notary): State<Notary>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Session>>, Problem> {
    page(&person, &context, &db, &notary, &query).await.map(Json)
}

/// A page of them; for the API and the console.
///
/// # Errors
/// As [`list`].
pub(super) async fn page(
    person: &SignedIn,
    context: &RequestContext,
    db: &Db,
    notary: &Notary,
    query: &ListQuery,
) -> Result<Page<Session>, Problem> {
    let (limit, after) = (query.limit()?, query.after(LIST)?);
    let wanted = (after, i64::from(limit) + 1);
    let rows = ops::list(db, notary, person, wanted, context.received_at).await?;
    let mut page = Page::cut(rows, limit, LIST, |(session, _)| session.id.uuid());
    page.data.retain(|(_, vouched)| *vouched);
    Ok(page.map(|(session, _)| session))
}

/// Ends one of the caller's sessions. When this is answered, no node takes its tokens.
///
/// # Errors
/// `not_found` for what is no session of theirs, `revocation_unconfirmed`.
pub async fn end(
    person: SignedIn,
    PathId(session): PathId<SessionId>,
    context: RequestContext,
    State(changes): State<Changes>,
    _: NoBody,
) -> Result<StatusCode, Problem> {
    end_one(&changes, &context, &person, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one; for the API and the console. One that has ended before is no error.
///
/// # Errors
/// As [`end`].
pub(super) async fn end_one(
    changes: &Changes,
    context: &RequestContext,
    person: &SignedIn,
    session: SessionId,
) -> Result<(), Problem> {
    let changed = match ops::end_own(changes, context, person, session).await? {
        Ended::Now(changed) => Some(changed),
        Ended::Before => None,
        Ended::Nothing => return Err(Problem::new(Code::NotFound)),
    };
    Ok(changes.feed.barrier(changed).await?)
}

/// Ends all of the caller's sessions but this one. When this is answered, no node takes their tokens.
///
/// # Errors
/// `session_ended`, `revocation_unconfirmed`.
pub async fn sign_out_others(
    person: SignedIn,
    context: RequestContext,
    State(changes): State<Changes>,
    _: NoBody,
) -> Result<Json<EndedSessions>, Problem> {
    end_many(&changes, &context, &person, true).await.map(Json)
}

/// Ends all of the caller's sessions, this one too. When this is answered, no node takes their tokens.
///
/// # Errors
/// `session_ended`, `revocation_unconfirmed`.
pub async fn sign_out_everywhere(
    person: SignedIn,
    context: RequestContext,
    State(changes): State<Changes>,
    State(edge): State<Edge>,
    _: NoBody,
) -> Result<Response, Problem> {
    let ended = end_many(&changes, &context, &person, false).await?;
    Ok((clear_cookies(edge.cookies), Json(ended)).into_response())
}

/// Ends several; for the API and the console.
///
/// # Errors
/// `session_ended`, `revocation_unconfirmed`.
pub(super) async fn end_many(
    changes: &Changes,
    context: &RequestContext,
    person: &SignedIn,
    but_this: bool,
) -> Result<EndedSessions, Problem> {
    let ended = ops::end_all(changes, context, person, but_this).await?;
    let (sessions_ended, changed) = ended.ok_or_else(|| Problem::new(Code::SessionEnded))?;
    changes.feed.barrier(Some(changed)).await?;
    Ok(EndedSessions { sessions_ended })
}

/// The public keys that sign tokens, for everybody: those that do, that are about to, and that did a moment ago.
///
/// # Errors
/// None.
pub async fn keys(context: RequestContext, State(tokens): State<AccessTokens>) -> Response {
    let mut response = Json(tokens.published(context.received_at)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    response.headers_mut().insert(header::CACHE_CONTROL, KEYS_KEPT);
    response
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
    let sent = bearer(headers)?.map(str::to_owned).or_else(|| edge.cookies.get(headers, Cookie::Access));
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
