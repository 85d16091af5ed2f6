//! `POST /auth/request`, `POST /auth/verify`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::model::{CHALLENGE_TTL, EmailAddress, SignInRefusal};
use super::ops::{self, Asked, Asking, Proof, SigningIn};
use crate::authn::AccessTokens;
use crate::authn::cookie::Cookie;
use crate::authz::Notary;
use crate::config::PublicUrl;
use crate::context::RequestContext;
use crate::db::Db;
use crate::http::{Code, Edge, Json, Problem};
use crate::jobs::Queue;
use crate::sessions;

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
/// `invalid_body`, `unavailable`.
pub async fn request(
    context: RequestContext,
    State(db): State<Db>,
    State(notary): State<Notary>,
    State(edge): State<Edge>,
    State(queue): State<Queue>,
    State(public_url): State<PublicUrl>,
    Json(body): Json<SignInRequest>,
) -> Result<Response, Problem> {
    let asked = ask(&context, &db, &notary, &edge, &queue, &public_url, &body.email).await?;
    let cookie = edge.cookies.set(Cookie::Challenge, &asked.challenge, CHALLENGE_TTL);
    let body = Json(Challenge { challenge: asked.challenge });
    Ok((StatusCode::ACCEPTED, AppendHeaders([(header::SET_COOKIE, cookie)]), body).into_response())
}

/// Makes the challenge and enqueues the mail; for the API and the console.
///
/// # Errors
/// `unavailable`.
pub async fn ask(
    context: &RequestContext,
    db: &Db,
    notary: &Notary,
    edge: &Edge,
    queue: &Queue,
    public_url: &PublicUrl,
    email: &EmailAddress,
) -> Result<Asked, Problem> {
    let with = Asking { db, notary, queue, entropy: &edge.entropy, public_url, context };
    Ok(ops::request(with, email).await?)
}

/// Signs in by link or code; answers the tokens and sets the cookies.
///
/// # Errors
/// `sign_in_failed`, `other_browser`, `invalid_body`.
pub async fn verify(
    context: RequestContext,
    headers: HeaderMap,
    State(db): State<Db>,
    State(notary): State<Notary>,
    State(tokens): State<AccessTokens>,
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
    let with = SigningIn { db: &db, notary: &notary, tokens: &tokens, entropy: &edge.entropy, context: &context };
    let pair = ops::redeem(with, proof).await?;
    let gone = AppendHeaders([(header::SET_COOKIE, edge.cookies.clear(Cookie::Challenge))]);
    Ok((gone, sessions::http::set_cookies(edge.cookies, &pair), Json(pair)).into_response())
}

impl From<SignInRefusal> for Problem {
    fn from(refusal: SignInRefusal) -> Self {
        match refusal {
            SignInRefusal::Failed => Self::new(Code::SignInFailed),
            SignInRefusal::OtherBrowser => Self::new(Code::OtherBrowser),
            SignInRefusal::Db(error) => error.into(),
            SignInRefusal::Sign(error) => Self::internal("sign access token", &error),
        }
    }
}
