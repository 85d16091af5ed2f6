//! `/auth/factors` and below, `/auth/factor`, `/auth/step-up`.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use bailiwick_proof::id::AuthenticatorId;

use super::model::{
    AddAuthenticator, ConfirmAuthenticator, FactorError, Factors, PassFactor, RecoveryCodes, ShowFactor, Typed,
};
use super::ops::{self, Hands};
use super::second_step;
use crate::authn::AccessTokens;
use crate::authn::cookie::Cookie;
use crate::authz::SignedIn;
use crate::context::RequestContext;
use crate::http::{Changes, Code, Edge, Json, NoBody, PathId, Problem};
use crate::identity::{Door, Refused};
use crate::jobs::Queue;
use crate::limits::{Limited, Limits};
use crate::sessions::{self, Seen};

/// Everything that a change of factors needs besides the request.
#[derive(Clone)]
pub struct Toolbox {
    pub(super) changes: Changes,
    pub(super) tokens: AccessTokens,
    pub(super) queue: Queue,
    limits: Limits,
}

impl Toolbox {
    /// Put together once.
    #[must_use]
    pub const fn new(changes: Changes, tokens: AccessTokens, queue: Queue, limits: Limits) -> Self {
        Self { changes, tokens, queue, limits }
    }

    /// What changes factors, and is told by mail, is not done without an end.
    pub(super) fn allow(&self, person: &SignedIn, context: &RequestContext) -> Result<(), Limited> {
        self.limits.change(context, person.user()).map(drop)
    }

    /// For the request at hand.
    pub(super) const fn hands<'a>(&'a self, seen: &'a Seen, context: &'a RequestContext) -> Hands<'a> {
        Hands { changes: &self.changes, tokens: &self.tokens, queue: &self.queue, seen, context }
    }
}

/// What the caller proves themselves with beside the mail.
///
/// # Errors
/// Those of the database.
pub async fn list(person: SignedIn, State(tools): State<Toolbox>) -> Result<Json<Factors>, Problem> {
    Ok(Json(ops::list(&tools.changes, &person).await?))
}

/// Begins to add an authenticator; shows its secret, this once.
///
/// # Errors
/// `step_up_required`, `name_taken`, `invalid_body`, `rate_limited`.
pub async fn add(
    person: SignedIn,
    context: RequestContext,
    headers: HeaderMap,
    State(tools): State<Toolbox>,
    Json(body): Json<AddAuthenticator>,
) -> Result<Response, Problem> {
    tools.allow(&person, &context)?;
    let seen = Seen::of(&headers, context.client_ip);
    let new = ops::enrol(&tools.hands(&seen, &context), &person, &body.name).await?;
    Ok((StatusCode::CREATED, Json(new)).into_response())
}

/// Has an authenticator count that shows a good code.
///
/// # Errors
/// `factor_failed`, `step_up_required`, `not_found`, `rate_limited`, `revocation_unconfirmed`.
pub async fn confirm(
    person: SignedIn,
    PathId(id): PathId<AuthenticatorId>,
    context: RequestContext,
    headers: HeaderMap,
    State(tools): State<Toolbox>,
    State(edge): State<Edge>,
    Json(body): Json<ConfirmAuthenticator>,
) -> Result<Response, Problem> {
    tools.allow(&person, &context)?;
    let seen = Seen::of(&headers, context.client_ip);
    let confirmed = ops::confirm(&tools.hands(&seen, &context), &person, id, &body.code).await?;
    let cookies = confirmed.session.as_ref().map(|pair| sessions::http::set_cookies(edge.cookies, pair));
    let answer = Json(confirmed).into_response();
    Ok(match cookies {
        Some(cookies) => (cookies, answer).into_response(),
        None => answer,
    })
}

/// Takes an authenticator away.
///
/// # Errors
/// `step_up_required`, `last_factor`, `not_found`, `rate_limited`, `revocation_unconfirmed`.
pub async fn remove(
    person: SignedIn,
    PathId(id): PathId<AuthenticatorId>,
    context: RequestContext,
    headers: HeaderMap,
    State(tools): State<Toolbox>,
    _: NoBody,
) -> Result<StatusCode, Problem> {
    tools.allow(&person, &context)?;
    let seen = Seen::of(&headers, context.client_ip);
    ops::remove(&tools.hands(&seen, &context), &person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes ten new recovery codes in the place of any older ones; shows them, this once.
///
/// # Errors
/// `step_up_required`, `rate_limited`, `not_found` for whoever has no factor.
pub async fn renew_codes(
    person: SignedIn,
    context: RequestContext,
    headers: HeaderMap,
    State(tools): State<Toolbox>,
    _: NoBody,
) -> Result<Response, Problem> {
    tools.allow(&person, &context)?;
    let seen = Seen::of(&headers, context.client_ip);
    let recovery_codes = ops::renew_codes(&tools.hands(&seen, &context), &person).await?;
    Ok((StatusCode::CREATED, Json(RecoveryCodes { recovery_codes })).into_response())
}

/// The second step of a sign-in; answers the tokens and sets the cookies.
///
/// # Errors
/// `factor_failed`, `rate_limited`, `invalid_body`.
pub async fn pass(
    context: RequestContext,
    headers: HeaderMap,
    State(tools): State<Toolbox>,
    State(door): State<Door>,
    State(edge): State<Edge>,
    Json(body): Json<PassFactor>,
) -> Result<Response, Problem> {
    let typed = one_of(body.code.as_deref(), body.recovery_code.as_deref())?;
    let allowed = door.refusals.noting(Refused::ProofLimited, &context, door.limits.redeem(&context))?;
    let seen = Seen::of(&headers, context.client_ip);
    let entered = second_step::complete(&tools.hands(&seen, &context), &body.factor_token, &typed).await;
    if matches!(entered, Err(FactorError::Failed)) {
        door.refusals.note(Refused::Proof, &context);
    }
    let pair = entered.map_err(|error| allowed.on(error))?;
    let gone = AppendHeaders([(header::SET_COOKIE, edge.cookies.clear(Cookie::Factor))]);
    Ok((allowed.headers(), gone, sessions::http::set_cookies(edge.cookies, &pair), Json(pair)).into_response())
}

/// Puts another session in the place of the one at hand; answers the tokens and sets the cookies.
///
/// # Errors
/// `factor_failed`, `rate_limited`, `invalid_body`, `revocation_unconfirmed`.
pub async fn step_up(
    person: SignedIn,
    context: RequestContext,
    headers: HeaderMap,
    State(tools): State<Toolbox>,
    State(door): State<Door>,
    State(edge): State<Edge>,
    Json(body): Json<ShowFactor>,
) -> Result<Response, Problem> {
    let typed = one_of(body.code.as_deref(), body.recovery_code.as_deref())?;
    let allowed = door.refusals.noting(Refused::ProofLimited, &context, door.limits.redeem(&context))?;
    let seen = Seen::of(&headers, context.client_ip);
    let pair = ops::step_up(&tools.hands(&seen, &context), &person, &typed).await;
    let pair = pair.map_err(|error| allowed.on(error))?;
    Ok((allowed.headers(), sessions::http::set_cookies(edge.cookies, &pair), Json(pair)).into_response())
}

fn one_of(code: Option<&str>, recovery_code: Option<&str>) -> Result<Typed, Problem> {
    let unclear = || Problem::field("", "invalid", "Send either code or recovery_code.");
    Typed::of(code, recovery_code).ok_or_else(unclear)
}

impl From<FactorError> for Problem {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::Failed => Self::new(Code::FactorFailed),
            FactorError::Wait(wait) => {
                let seconds = wait.whole_seconds().max(0) + 1;
                let detail = "Several codes were wrong, so the next has to wait. Recovery codes and passkeys do not.";
                Self::new(Code::RateLimited).detail(detail).header(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
            FactorError::NotFound => Self::new(Code::NotFound),
            FactorError::NameTaken => Self::new(Code::NameTaken),
            FactorError::TooMany => {
                Self::field("/name", "too_many", "You have as many authenticators as you can have. Remove one first.")
            }
            FactorError::LastFactor => Self::new(Code::LastFactor),
            FactorError::Stale => Self::new(Code::StepUpRequired),
            FactorError::SessionOver => Self::new(Code::SessionEnded),
            FactorError::Db(error) => error.into(),
            FactorError::Vault(error) => error.into(),
            FactorError::Unconfirmed(unconfirmed) => unconfirmed.into(),
            FactorError::Sign(error) => Self::internal("sign access token", &error),
        }
    }
}
