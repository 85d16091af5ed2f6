//! Where somebody proves who they are: the second step of a sign-in, and again for what takes a fresh one.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::authn::cookie::Cookie;
use crate::authz::SignedIn;
use crate::console::{Account, AccountPage, Field, Flash, Visit, WayBack};
use crate::factors::http::Toolbox;
use crate::factors::model::{FactorError, Typed};
use crate::factors::{ops, second_step as steps};
use crate::http::{Form, Problem, Query};
use crate::identity::{Door, Refused};
use crate::limits::Limited;
use crate::sessions::{self, Seen, TokenPair};

const WRONG: &str = "That code is not good. An authenticator's code is good once, for half a minute; a recovery code once. After ten minutes or \
     five tries you begin again from the sign-in page.";

/// `/sign-in/factor`.
#[derive(Template)]
#[template(path = "factors/second_step.html")]
struct SecondStepPage {
    code: Field,
}

/// `/account/step-up`.
#[derive(Template)]
#[template(path = "factors/step_up.html")]
struct StepUpPage {
    desk: Account,
    back: String,
    code: Field,
    has_codes: bool,
    passkeys: usize,
}

/// What is typed: either kind of code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeInput {
    code: String,
}

/// `GET /sign-in/factor`.
///
/// # Errors
/// `internal`.
pub async fn ask_second_step(visit: Visit) -> Result<Response, Problem> {
    if visit.cookie(Cookie::Factor).is_none() {
        return Ok(Redirect::to("/sign-in").into_response());
    }
    visit.page(&SecondStepPage { code: Field::default() })
}

/// `POST /sign-in/factor`.
///
/// # Errors
/// `unavailable`.
pub async fn second_step(
    visit: Visit,
    State(tools): State<Toolbox>,
    State(door): State<Door>,
    Form(input): Form<CodeInput>,
) -> Result<Response, Problem> {
    let Some(token) = visit.cookie(Cookie::Factor) else { return Ok(Redirect::to("/sign-in").into_response()) };
    let page = |fault: String| SecondStepPage { code: Field::default().with_fault(fault) };
    if let Err(limited) =
        door.refusals.noting(Refused::ProofLimited, visit.context(), door.limits.redeem(visit.context()))
    {
        return too_often(&visit, limited, &page(limited_words(limited)));
    }
    let seen = Seen::of(visit.headers(), visit.context().client_ip);
    let entered = steps::complete(&tools.hands(&seen, visit.context()), &token, &Typed::either(&input.code)).await;
    if matches!(entered, Err(FactorError::Failed)) {
        door.refusals.note(Refused::Proof, visit.context());
    }
    match refused(entered)? {
        Ok(pair) => Ok(signed_in(&visit, &pair)),
        Err(fault) => visit.form_again(&page(fault)),
    }
}

/// The way that every sign-in ends.
fn signed_in(visit: &Visit, pair: &TokenPair) -> Response {
    let next = WayBack::after_sign_in(visit);
    let gone =
        [(header::SET_COOKIE, visit.cookies().clear(Cookie::Factor)), (header::SET_COOKIE, WayBack::forgotten(visit))];
    let cookies = sessions::http::set_cookies(visit.cookies(), pair);
    (AppendHeaders(gone), cookies, visit.done(next.as_str(), Flash::SignedIn)).into_response()
}

/// Inside, what is told beside the field.
fn refused<T>(outcome: Result<T, FactorError>) -> Result<Result<T, String>, Problem> {
    match outcome {
        Ok(done) => Ok(Ok(done)),
        Err(FactorError::Failed) => Ok(Err(WRONG.to_owned())),
        Err(FactorError::Wait(wait)) => {
            let minutes = wait.whole_minutes() + 1;
            Ok(Err(format!(
                "Several codes were wrong, so the next has to wait, for {minutes} minutes at most. A recovery code and a passkey do not."
            )))
        }
        Err(error) => Err(error.into()),
    }
}

fn limited_words(limited: Limited) -> String {
    format!(
        "Too many codes and links were tried from here, so this one was not. Type it again in {}.",
        limited.in_words()
    )
}

fn too_often(visit: &Visit, limited: Limited, page: &impl Template) -> Result<Response, Problem> {
    let page = visit.page_with(StatusCode::TOO_MANY_REQUESTS, page)?;
    Ok((AppendHeaders(limited.headers()), page).into_response())
}

/// Where to go afterwards: nowhere but here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Back {
    back: Option<String>,
}

fn way_back(text: Option<&str>) -> WayBack {
    text.and_then(WayBack::parse).unwrap_or_else(WayBack::home)
}

async fn step_up_page(
    visit: &Visit,
    person: &SignedIn,
    tools: &Toolbox,
    (back, code): (&WayBack, Field),
) -> Result<StepUpPage, Problem> {
    let factors = ops::list(&tools.changes, person).await?;
    Ok(StepUpPage {
        desk: Account::of(person, visit, AccountPage::Factors),
        back: back.as_str().to_owned(),
        code,
        has_codes: !factors.authenticators.is_empty() || factors.recovery_codes_left > 0,
        passkeys: factors.passkeys,
    })
}

/// `GET /account/step-up?back=…`. Who has no factor signs in again; the browser remembers where they were.
///
/// # Errors
/// Those of the database.
pub async fn ask_step_up(
    person: SignedIn,
    visit: Visit,
    State(tools): State<Toolbox>,
    Query(Back { back }): Query<Back>,
) -> Result<Response, Problem> {
    let back = way_back(back.as_deref());
    let page = step_up_page(&visit, &person, &tools, (&back, Field::default())).await?;
    let cookie = AppendHeaders([(header::SET_COOKIE, back.cookie(&visit))]);
    Ok((cookie, visit.page(&page)?).into_response())
}

/// The form of the page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepUpInput {
    back: String,
    code: String,
}

/// `POST /account/step-up`.
///
/// # Errors
/// Those of the database, `revocation_unconfirmed`.
pub async fn step_up(
    person: SignedIn,
    visit: Visit,
    State(tools): State<Toolbox>,
    State(door): State<Door>,
    Form(input): Form<StepUpInput>,
) -> Result<Response, Problem> {
    let back = way_back(Some(&input.back));
    let page =
        async |fault: String| step_up_page(&visit, &person, &tools, (&back, Field::default().with_fault(fault))).await;
    if let Err(limited) =
        door.refusals.noting(Refused::ProofLimited, visit.context(), door.limits.redeem(visit.context()))
    {
        return too_often(&visit, limited, &page(limited_words(limited)).await?);
    }
    let seen = Seen::of(visit.headers(), visit.context().client_ip);
    let hands = tools.hands(&seen, visit.context());
    match refused(ops::step_up(&hands, &person, &Typed::either(&input.code)).await)? {
        Ok(pair) => {
            let gone = AppendHeaders([(header::SET_COOKIE, WayBack::forgotten(&visit))]);
            let cookies = sessions::http::set_cookies(visit.cookies(), &pair);
            Ok((gone, cookies, visit.done(back.as_str(), Flash::SteppedUp)).into_response())
        }
        Err(fault) => visit.form_again(&page(fault).await?),
    }
}
