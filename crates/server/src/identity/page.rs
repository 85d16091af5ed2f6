//! The door of the console: ask for a mail, type its code or press its link, leave.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::model::{CHALLENGE_BYTES, CHALLENGE_TTL, EmailAddress, Opaque, SignInRefusal, TOKEN_BYTES};
use super::ops::{self, Proof, SigningIn};
use crate::authn::AccessTokens;
use crate::authn::cookie::Cookie;
use crate::config::PublicUrl;
use crate::console::{Field, Flash, Visit};
use crate::db::Db;
use crate::http::{Changes, Edge, Form, Problem, Query};
use crate::jobs::Queue;
use crate::mail::Mailer;
use crate::sessions;

/// `/sign-in`.
#[derive(Template)]
#[template(path = "identity/sign_in.html")]
struct SignInPage {
    email: Field,
    flash: Option<Flash>,
}

/// `/sign-in/sent`.
#[derive(Template)]
#[template(path = "identity/sent.html")]
struct SentPage {
    code: Field,
    /// There is a mailbox page to point to.
    mailbox: bool,
}

/// `/auth/link`.
#[derive(Template)]
#[template(path = "identity/link.html")]
struct LinkPage {
    link: SignInLink,
}

/// What can be told of a link without using it up.
enum SignInLink {
    /// This browser asked for it.
    Ready { token: String },
    /// Another one did, or this one asked for another since.
    OtherBrowser,
    /// It no longer signs in, if it ever did.
    Spent,
}

impl SignInLink {
    /// Compares the rows that the link and the browser's cookie name; both stay as good as they are.
    fn look(token: String, challenge: Option<&str>) -> Self {
        let asked = challenge.and_then(Opaque::parse::<CHALLENGE_BYTES>);
        match Opaque::parse::<TOKEN_BYTES>(&token) {
            None => Self::Spent,
            Some(link) if asked.is_some_and(|asked| asked.row == link.row) => Self::Ready { token },
            Some(_) => Self::OtherBrowser,
        }
    }
}

/// The form of `/sign-in`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskForm {
    email: String,
}

/// The form of `/sign-in/sent`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeForm {
    code: String,
}

/// The query of a link, and the form behind its button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkToken {
    token: String,
}

/// `GET /`: the choice of workspaces, which sends on to the door whoever is not signed in.
pub async fn root() -> Redirect {
    Redirect::to("/workspaces")
}

/// `GET /sign-in`.
///
/// # Errors
/// `internal`.
pub async fn sign_in(visit: Visit) -> Result<Response, Problem> {
    visit.page(&SignInPage { email: Field::default(), flash: visit.flash() })
}

/// `POST /sign-in`: sends the mail, whoever the address belongs to.
///
/// # Errors
/// `unavailable`.
pub async fn ask(
    visit: Visit,
    State(db): State<Db>,
    State(edge): State<Edge>,
    State(queue): State<Queue>,
    State(public_url): State<PublicUrl>,
    Form(form): Form<AskForm>,
) -> Result<Response, Problem> {
    let Ok(email) = form.email.parse::<EmailAddress>() else {
        let fault = "That is not an e-mail address. It has a name, an @ and a host, as in ada@example.com.";
        return visit.form_again(&SignInPage { email: Field::typed(form.email).with_fault(fault), flash: None });
    };
    let asked = super::http::ask(visit.context(), &db, visit.notary(), &edge, &queue, &public_url, &email).await?;
    let cookie = visit.cookies().set(Cookie::Challenge, &asked.challenge, CHALLENGE_TTL);
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to("/sign-in/sent")).into_response())
}

/// `GET /sign-in/sent`.
///
/// # Errors
/// `internal`.
pub async fn sent(visit: Visit, State(mailer): State<Mailer>) -> Result<Response, Problem> {
    visit.page(&SentPage { code: Field::default(), mailbox: mailer.mailbox().is_some() })
}

/// `POST /sign-in/sent`: signs in by the mail's code, in whatever browser asked for it.
///
/// # Errors
/// `unavailable`.
pub async fn enter_code(
    visit: Visit,
    State(db): State<Db>,
    State(tokens): State<AccessTokens>,
    State(edge): State<Edge>,
    State(mailer): State<Mailer>,
    Form(form): Form<CodeForm>,
) -> Result<Response, Problem> {
    let fault = match visit.cookie(Cookie::Challenge) {
        None => "This browser waits for no code. Ask for a mail in it first.",
        Some(challenge) => {
            match redeem(&visit, &db, &tokens, &edge, Proof::Code { challenge: &challenge, code: &form.code }).await {
                Ok(signed_in) => return Ok(signed_in),
                Err(SignInRefusal::Failed | SignInRefusal::OtherBrowser) => {
                    "That code does not sign in. It has eight letters and digits, is good for 15 minutes and for five \
                     tries, and belongs to the last mail that this browser asked for."
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
    };
    let code = Field::default().with_fault(fault);
    visit.form_again(&SentPage { code, mailbox: mailer.mailbox().is_some() })
}

/// `GET /auth/link?token=…`: a button. Looking at it, by HEAD or a mail scanner too, uses nothing up.
///
/// # Errors
/// `invalid_parameter`.
pub async fn link(visit: Visit, Query(LinkToken { token }): Query<LinkToken>) -> Result<Response, Problem> {
    let challenge = visit.cookie(Cookie::Challenge);
    visit.page(&LinkPage { link: SignInLink::look(token, challenge.as_deref()) })
}

/// `POST /auth/link`: the button.
///
/// # Errors
/// `unavailable`.
pub async fn follow_link(
    visit: Visit,
    State(db): State<Db>,
    State(tokens): State<AccessTokens>,
    State(edge): State<Edge>,
    Form(LinkToken { token }): Form<LinkToken>,
) -> Result<Response, Problem> {
    let challenge = visit.cookie(Cookie::Challenge);
    let proof = Proof::Link { token: &token, challenge: challenge.as_deref() };
    let link = match redeem(&visit, &db, &tokens, &edge, proof).await {
        Ok(signed_in) => return Ok(signed_in),
        Err(SignInRefusal::Failed) => SignInLink::Spent,
        Err(SignInRefusal::OtherBrowser) => SignInLink::OtherBrowser,
        Err(refusal) => return Err(refusal.into()),
    };
    visit.page_with(StatusCode::UNAUTHORIZED, &LinkPage { link })
}

async fn redeem(
    visit: &Visit,
    db: &Db,
    tokens: &AccessTokens,
    edge: &Edge,
    proof: Proof<'_>,
) -> Result<Response, SignInRefusal> {
    let with = SigningIn { db, notary: visit.notary(), tokens, entropy: &edge.entropy, context: visit.context() };
    let pair = ops::redeem(with, proof).await?;
    let gone = AppendHeaders([(header::SET_COOKIE, visit.cookies().clear(Cookie::Challenge))]);
    let session = sessions::http::set_cookies(visit.cookies(), &pair);
    Ok((gone, session, visit.done("/workspaces", Flash::SignedIn)).into_response())
}

/// `POST /sign-out`.
///
/// # Errors
/// `revocation_unconfirmed`, `unavailable`.
pub async fn sign_out(
    visit: Visit,
    State(changes): State<Changes>,
    State(tokens): State<AccessTokens>,
    State(edge): State<Edge>,
) -> Result<Response, Problem> {
    let with = sessions::http::Ending { changes: &changes, tokens: &tokens, edge: &edge };
    sessions::http::end_session(with, visit.context(), visit.headers()).await?;
    Ok((sessions::http::clear_cookies(visit.cookies()), visit.done("/sign-in", Flash::SignedOut)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    #[test]
    fn a_link_is_ready_only_beside_the_challenge_that_it_came_with() {
        let entropy = Entropy::system();
        let row = |n| uuid::Uuid::from_u128(n);
        let token = Opaque::new::<TOKEN_BYTES>(row(1), &entropy).text;
        let own = Opaque::new::<CHALLENGE_BYTES>(row(1), &entropy).text;
        let later = Opaque::new::<CHALLENGE_BYTES>(row(2), &entropy).text;
        let look = |token: &str, challenge: Option<&str>| SignInLink::look(token.to_owned(), challenge);
        assert!(matches!(look(&token, Some(&own)), SignInLink::Ready { .. }));
        assert!(matches!(look(&token, Some(&later)), SignInLink::OtherBrowser));
        assert!(matches!(look(&token, None), SignInLink::OtherBrowser));
        assert!(matches!(look("nothing", Some(&own)), SignInLink::Spent));
    }
}
