//! `/auth/passkeys`: sign in, step up, add, list, rename, remove.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use bailiwick_proof::id::PasskeyId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::Duration;
use uuid::Uuid;

use super::model::{
    Passkey, PasskeyChallenge, PasskeyRefusal, Passkeys, RegisterPasskey, RegisteredPasskey, RenamePasskey, ShowPasskey,
};
use super::ops::{self, Begun, Bench, With};
use super::register;
use crate::authn::cookie::Cookie;
use crate::authz::SignedIn;
use crate::context::RequestContext;
use crate::entropy::Entropy;
use crate::http::{Edge, Json, NoBody, PathId, Problem};
use crate::identity::Refused;
use crate::limits::Limits;
use crate::sessions::{self, Seen};

/// A browser that has waited on the page for so long asks anew.
const BROWSER_LIVES: Duration = Duration::hours(1);
/// Random bytes of what a browser is known by while it signs in.
const BROWSER_BYTES: usize = 32;

/// Asks for a passkey, whoever's; nobody has named an address, so nothing tells which there are.
///
/// # Errors
/// `passkeys_unavailable`, `rate_limited`, `unavailable`.
pub async fn begin_sign_in(
    context: RequestContext,
    headers: HeaderMap,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    State(edge): State<Edge>,
    _: NoBody,
) -> Result<Response, Problem> {
    known(&bench)?;
    let allowed = bench.refusals.noting(Refused::PasskeyLimited, &context, limits.challenge(&context))?;
    let sent = edge.cookies.get(&headers, Cookie::Passkey).filter(|sent| is_made_here(sent));
    let browser = sent.unwrap_or_else(|| new_browser(&edge.entropy));
    let begun = ops::begin_sign_in(&bench, &context, &browser).await?;
    let cookie = AppendHeaders([(header::SET_COOKIE, edge.cookies.set(Cookie::Passkey, &browser, BROWSER_LIVES))]);
    Ok((allowed.headers(), cookie, Json(challenge(begun))).into_response())
}

/// Signs in by a passkey; answers the tokens and sets the cookies.
///
/// # Errors
/// `passkey_failed`, `passkeys_unavailable`, `invalid_body`, `rate_limited`.
pub async fn sign_in(
    context: RequestContext,
    headers: HeaderMap,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    State(edge): State<Edge>,
    Json(body): Json<ShowPasskey>,
) -> Result<Response, Problem> {
    known(&bench)?;
    let allowed = bench.refusals.noting(Refused::ProofLimited, &context, limits.redeem(&context))?;
    let seen = &Seen::of(&headers, context.client_ip);
    let cookie = edge.cookies.get(&headers, Cookie::Passkey);
    let with = With { bench: &bench, context: &context, seen };
    let pair = ops::sign_in(with, cookie.as_deref(), &body).await.map_err(|refusal| allowed.on(refusal))?;
    let gone = AppendHeaders([(header::SET_COOKIE, edge.cookies.clear(Cookie::Passkey))]);
    Ok((allowed.headers(), gone, sessions::http::set_cookies(edge.cookies, &pair), Json(pair)).into_response())
}

/// Asks for one of the caller's own passkeys.
///
/// # Errors
/// `passkeys_unavailable`, `rate_limited`, `unavailable`.
pub async fn begin_step_up(
    person: SignedIn,
    context: RequestContext,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    _: NoBody,
) -> Result<Json<PasskeyChallenge>, Problem> {
    known(&bench)?;
    limits.change(&context, person.user())?;
    Ok(Json(challenge(ops::begin_step_up(&bench, &context, &person).await?)))
}

/// Puts a session that begins now in the place of the caller's. When this is answered, no node takes the old one.
///
/// # Errors
/// `passkey_failed`, `passkeys_unavailable`, `invalid_body`, `rate_limited`, `revocation_unconfirmed`.
pub async fn step_up(
    person: SignedIn,
    context: RequestContext,
    headers: HeaderMap,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    State(edge): State<Edge>,
    Json(body): Json<ShowPasskey>,
) -> Result<Response, Problem> {
    known(&bench)?;
    let allowed = bench.refusals.noting(Refused::ProofLimited, &context, limits.redeem(&context))?;
    let seen = &Seen::of(&headers, context.client_ip);
    let with = With { bench: &bench, context: &context, seen };
    let pair = ops::step_up(with, &person, &body).await.map_err(|refusal| allowed.on(refusal))?;
    Ok((allowed.headers(), sessions::http::set_cookies(edge.cookies, &pair), Json(pair)).into_response())
}

/// Asks the caller's authenticator for a new passkey.
///
/// # Errors
/// `passkeys_unavailable`, `step_up_required`, `invalid_body` for one too many, `rate_limited`.
pub async fn begin_registration(
    person: SignedIn,
    context: RequestContext,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    _: NoBody,
) -> Result<Json<PasskeyChallenge>, Problem> {
    known(&bench)?;
    limits.change(&context, person.user())?;
    Ok(Json(challenge(register::begin(&bench, &context, &person).await?)))
}

/// Adds a passkey. The first factor of a person changes their sessions: see [`RegisteredPasskey`].
///
/// # Errors
/// `passkey_failed`, `passkeys_unavailable`, `step_up_required`, `invalid_body`, `rate_limited`, `revocation_unconfirmed`.
pub async fn register(
    person: SignedIn,
    context: RequestContext,
    headers: HeaderMap,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    State(edge): State<Edge>,
    Json(body): Json<RegisterPasskey>,
) -> Result<Response, Problem> {
    known(&bench)?;
    limits.change(&context, person.user())?;
    let seen = &Seen::of(&headers, context.client_ip);
    let with = With { bench: &bench, context: &context, seen };
    let registered: RegisteredPasskey = register::register(with, &person, &body).await?;
    let cookies = registered.tokens.as_ref().map(|pair| sessions::http::set_cookies(edge.cookies, pair));
    let answer = (StatusCode::CREATED, Json(registered));
    Ok(match cookies {
        Some(cookies) => (cookies, answer).into_response(),
        None => answer.into_response(),
    })
}

/// The caller's passkeys, the oldest first.
///
/// # Errors
/// `unavailable`.
pub async fn list(person: SignedIn, State(bench): State<Bench>) -> Result<Json<Passkeys>, Problem> {
    Ok(Json(Passkeys { data: register::list(&bench, &person).await? }))
}

/// Gives one another name.
///
/// # Errors
/// `not_found`, `invalid_body`, `rate_limited`.
pub async fn rename(
    person: SignedIn,
    PathId(id): PathId<PasskeyId>,
    context: RequestContext,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    Json(body): Json<RenamePasskey>,
) -> Result<Json<Passkey>, Problem> {
    limits.change(&context, person.user())?;
    Ok(Json(register::rename(&bench, &context, &person, id, &body.name).await?))
}

/// Removes one.
///
/// # Errors
/// `not_found`, `step_up_required`, `last_factor`, `rate_limited`.
pub async fn remove(
    person: SignedIn,
    PathId(id): PathId<PasskeyId>,
    context: RequestContext,
    headers: HeaderMap,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    _: NoBody,
) -> Result<StatusCode, Problem> {
    limits.change(&context, person.user())?;
    let seen = &Seen::of(&headers, context.client_ip);
    register::remove(With { bench: &bench, context: &context, seen }, &person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where there can be no passkeys, nothing of this can be done.
pub(super) fn known(bench: &Bench) -> Result<(), PasskeyRefusal> {
    if bench.party.is_known() { Ok(()) } else { Err(PasskeyRefusal::Unavailable) }
}

pub(super) fn challenge(begun: Begun) -> PasskeyChallenge {
    let Begun { ceremony, options } = begun;
    PasskeyChallenge { ceremony: text(ceremony), options }
}

fn text(ceremony: Uuid) -> String {
    ceremony.simple().to_string()
}

fn new_browser(entropy: &Entropy) -> String {
    URL_SAFE_NO_PAD.encode(entropy.bytes::<BROWSER_BYTES>())
}

fn is_made_here(cookie: &str) -> bool {
    URL_SAFE_NO_PAD.decode(cookie).is_ok_and(|bytes| bytes.len() == BROWSER_BYTES)
}
