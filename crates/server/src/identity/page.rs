//! The door of the console: ask for a mail, type its code or press its link, leave.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::model::{CHALLENGE_BYTES, CHALLENGE_TTL, EmailAddress, Opaque, SignInRefusal, TOKEN_BYTES};
use super::ops::{self, Door, Entered, Proof, SigningIn};
use super::refusals::Refused;
use crate::authn::AccessTokens;
use crate::authn::cookie::Cookie;
use crate::console::{Field, Flash, Visit, WayBack};
use crate::factors::SECOND_STEP_LIVES;
use crate::http::{Changes, Edge, Form, Problem, Query};
use crate::limits::Limited;
use crate::mail::Mailer;
use crate::sessions::{self, Seen};

/// `/sign-in`.
#[derive(Template)]
#[template(path = "identity/sign_in.html")]
struct SignInPage {
    email: Field,
    /// It was asked for too often, and what was asked for before is still good.
    limited: bool,
    /// There can be passkeys.
    passkeys: bool,
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

/// Whatever is wrong with it.
const NO_SUCH_CODE: &str = "That code does not sign in. It has eight letters and digits, is good for 15 minutes and for five tries, and \
     belongs to the last mail that this browser asked for; to the newest that you have, if none came after you asked.";

/// What can be told of a link without using it up.
enum SignInLink {
    /// This browser asked for it.
    Ready { token: String },
    /// The same, and there were too many tries just now: it is as good again in so long.
    Later { token: String, wait: String },
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
pub async fn sign_in(visit: Visit, State(door): State<Door>) -> Result<Response, Problem> {
    let (email, flash) = (Field::default(), visit.flash());
    visit.page(&SignInPage { email, limited: false, passkeys: door.knows_passkeys(), flash })
}

/// `POST /sign-in`: sends the mail, whoever the address belongs to.
///
/// # Errors
/// `unavailable`.
pub async fn ask(visit: Visit, State(door): State<Door>, Form(form): Form<AskForm>) -> Result<Response, Problem> {
    let passkeys = door.knows_passkeys();
    let Ok(email) = form.email.parse::<EmailAddress>() else {
        let fault = "That is not an e-mail address. It has a name, an @ and a host, as in ada@example.com.";
        let email = Field::typed(form.email).with_fault(fault);
        return visit.form_again(&SignInPage { email, limited: false, passkeys, flash: None });
    };
    let asked = door.limits.ask(visit.context(), &email.key());
    if let Err(limited) = door.refusals.noting(Refused::RequestLimited, visit.context(), asked) {
        let fault = format!("This address was asked for too often from here. Try again in {}.", limited.in_words());
        let email = Field::typed(form.email).with_fault(fault);
        return too_often(&visit, limited, &SignInPage { email, limited: true, passkeys, flash: None });
    }
    let asked = ops::request(&door, visit.context(), &email).await?;
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
    State(door): State<Door>,
    State(mailer): State<Mailer>,
    Form(form): Form<CodeForm>,
) -> Result<Response, Problem> {
    let again =
        |fault: String| SentPage { code: Field::default().with_fault(fault), mailbox: mailer.mailbox().is_some() };
    let Some(challenge) = visit.cookie(Cookie::Challenge) else {
        return visit.form_again(&again("This browser waits for no code. Ask for a mail in it first.".to_owned()));
    };
    match redeem(&visit, &door, Proof::Code { challenge: &challenge, code: &form.code }).await {
        Ok(signed_in) => Ok(signed_in),
        Err(SignInRefusal::Failed | SignInRefusal::OtherBrowser) => visit.form_again(&again(NO_SUCH_CODE.to_owned())),
        Err(SignInRefusal::Limited(limited)) => {
            let fault = format!(
                "Too many codes and links were tried from here, so this one was not. It stays good: type it again in {}.",
                limited.in_words()
            );
            too_often(&visit, limited, &again(fault))
        }
        Err(refusal) => Err(refusal.into()),
    }
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
    State(door): State<Door>,
    Form(LinkToken { token }): Form<LinkToken>,
) -> Result<Response, Problem> {
    let challenge = visit.cookie(Cookie::Challenge);
    let proof = Proof::Link { token: &token, challenge: challenge.as_deref() };
    let link = match redeem(&visit, &door, proof).await {
        Ok(signed_in) => return Ok(signed_in),
        Err(SignInRefusal::Failed) => SignInLink::Spent,
        Err(SignInRefusal::OtherBrowser) => SignInLink::OtherBrowser,
        Err(SignInRefusal::Limited(limited)) => {
            let link = SignInLink::Later { token, wait: limited.in_words() };
            return too_often(&visit, limited, &LinkPage { link });
        }
        Err(refusal) => return Err(refusal.into()),
    };
    visit.page_with(StatusCode::UNAUTHORIZED, &LinkPage { link })
}

/// The page again, which says when to try once more.
fn too_often(visit: &Visit, limited: Limited, page: &impl Template) -> Result<Response, Problem> {
    let page = visit.page_with(StatusCode::TOO_MANY_REQUESTS, page)?;
    Ok((AppendHeaders(limited.headers()), page).into_response())
}

async fn redeem(visit: &Visit, door: &Door, proof: Proof<'_>) -> Result<Response, SignInRefusal> {
    let context = visit.context();
    door.refusals.noting(Refused::ProofLimited, context, door.limits.redeem(context))?;
    let seen = &Seen::of(visit.headers(), context.client_ip);
    let gone = AppendHeaders([(header::SET_COOKIE, visit.cookies().clear(Cookie::Challenge))]);
    let pair = match ops::redeem(SigningIn { door, seen, context }, proof).await? {
        Entered::Session(pair) => pair,
        Entered::SecondStep(token) => {
            let owed = visit.cookies().set(Cookie::Factor, &token, SECOND_STEP_LIVES);
            let owed = AppendHeaders([(header::SET_COOKIE, owed)]);
            return Ok((gone, owed, Redirect::to("/sign-in/factor")).into_response());
        }
    };
    let session = sessions::http::set_cookies(visit.cookies(), &pair);
    let forgotten = AppendHeaders([(header::SET_COOKIE, WayBack::forgotten(visit))]);
    let next = WayBack::after_sign_in(visit);
    Ok((gone, forgotten, session, visit.done(next.as_str(), Flash::SignedIn)).into_response())
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
