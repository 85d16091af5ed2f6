//! `POST /auth/request`, `POST /auth/verify`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::model::{CHALLENGE_TTL, EmailAddress, SignInRefusal};
use super::ops::{self, Door, Entered, Proof, SigningIn};
use super::refusals::Refused;
use crate::authn::cookie::Cookie;
use crate::context::RequestContext;
use crate::factors::SECOND_STEP_LIVES;
use crate::http::{Code, Edge, Json, Problem};
use crate::limits::Allowance;
use crate::sessions::{self, Seen};

/// `{"email": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
}

/// `{"challenge": …}`
#[derive(Serialize, utoipa::ToSchema)]
pub struct Challenge {
    /// Opaque; for `POST /auth/verify` together with the mail's code.
    challenge: String,
}

/// The link's token (in the browser that asked), or a challenge and its code.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    token: Option<String>,
    challenge: Option<String>,
    code: Option<String>,
}

/// Sends a link and a code to the address, whether anybody has it or not.
///
/// # Errors
/// `invalid_body`, `rate_limited`, `unavailable`.
pub async fn request(
    context: RequestContext,
    State(door): State<Door>,
    State(edge): State<Edge>,
    Json(body): Json<SignInRequest>,
) -> Result<Response, Problem> {
    let asked = door.limits.ask(&context, &body.email.key());
    let allowed = door.refusals.noting(Refused::RequestLimited, &context, asked)?;
    let asked = ops::request(&door, &context, &body.email).await?;
    let cookie = edge.cookies.set(Cookie::Challenge, &asked.challenge, CHALLENGE_TTL);
    let body = Json(Challenge { challenge: asked.challenge });
    let cookie = AppendHeaders([(header::SET_COOKIE, cookie)]);
    Ok((StatusCode::ACCEPTED, allowed.headers(), cookie, body).into_response())
}

/// Signs in by link or code; answers the tokens and sets the cookies.
///
/// # Errors
/// `sign_in_failed`, `other_browser`, `factor_required`, `invalid_body`, `rate_limited`.
pub async fn verify(
    context: RequestContext,
    headers: HeaderMap,
    State(door): State<Door>,
    State(edge): State<Edge>,
    Json(body): Json<VerifyRequest>,
) -> Result<Response, Problem> {
    let cookie = edge.cookies.get(&headers, Cookie::Challenge);
    let proof = match &body {
        VerifyRequest { token: Some(token), challenge: None, code: None } => {
            Proof::Link { token, challenge: cookie.as_deref() }
        }
        VerifyRequest { token: None, challenge: Some(challenge), code: Some(code) } => Proof::Code { challenge, code },
        _ => return Err(Problem::field("", "invalid", "Send either token, or challenge and code.")),
    };
    let allowed = door.refusals.noting(Refused::ProofLimited, &context, door.limits.redeem(&context))?;
    let seen = &Seen::of(&headers, context.client_ip);
    let with = SigningIn { door: &door, seen, context: &context };
    let entered = ops::redeem(with, proof).await.map_err(|refusal| allowed.on(refusal))?;
    let gone = AppendHeaders([(header::SET_COOKIE, edge.cookies.clear(Cookie::Challenge))]);
    let pair = match entered {
        Entered::Session(pair) => pair,
        Entered::SecondStep(token) => return Ok((gone, owing(&edge, allowed, &token)).into_response()),
    };
    Ok((allowed.headers(), gone, sessions::http::set_cookies(edge.cookies, &pair), Json(pair)).into_response())
}

/// The factor that is owed: the token for a program, and the cookie for a browser.
fn owing(edge: &Edge, allowed: Allowance, token: &str) -> Response {
    let cookie = edge.cookies.set(Cookie::Factor, token, SECOND_STEP_LIVES);
    let problem = Problem::new(Code::FactorRequired).member("factor_token", token.into());
    (AppendHeaders([(header::SET_COOKIE, cookie)]), allowed.on(problem)).into_response()
}

impl From<SignInRefusal> for Problem {
    fn from(refusal: SignInRefusal) -> Self {
        match refusal {
            SignInRefusal::Failed => Self::new(Code::SignInFailed),
            SignInRefusal::OtherBrowser => Self::new(Code::OtherBrowser),
            SignInRefusal::Limited(limited) => limited.into(),
            SignInRefusal::Db(error) => error.into(),
            SignInRefusal::Sign(error) => Self::internal("sign access token", &error),
        }
    }
}
