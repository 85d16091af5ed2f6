//! `/device`: type the code, see what asks, say yes or no.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde::Deserialize;

use super::model::{Asking, DecideError};
use super::ops;
use crate::authz::SignedIn;
use crate::console::{Account, AccountPage, Field, Flash, Moment, Visit};
use crate::http::{Form, Problem};
use crate::identity::{Door, Refused};

const HERE: &str = "/device";
/// Whatever is wrong with it.
const NO_SUCH_CODE: &str = "No program waits under that code. It has eight letters and digits, is good for ten minutes, and is decided on once: \
     look at the program again, or start it again.";

/// `/device`.
#[derive(Template)]
#[template(path = "devices/enter.html")]
struct EnterPage {
    desk: Account,
    code: Field,
}

/// What asks.
#[derive(Template)]
#[template(path = "devices/decide.html")]
struct DecidePage {
    desk: Account,
    code: String,
    device: String,
    network: String,
    since: Moment,
    until: Moment,
    must_sign_in: bool,
}

/// The code, in each of the forms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeForm {
    code: String,
}

fn desk(person: &SignedIn, visit: &Visit) -> Account {
    Account::of(person, visit, AccountPage::Sessions)
}

/// The first page again, with why.
fn again(person: &SignedIn, visit: &Visit, typed: String) -> Result<Response, Problem> {
    let code = Field::typed(typed).with_fault(NO_SUCH_CODE);
    visit.form_again(&EnterPage { desk: desk(person, visit), code })
}

/// The second page.
fn decision(person: &SignedIn, visit: &Visit, code: String, asking: Asking) -> DecidePage {
    let Asking { device, network, since, until } = asking;
    DecidePage {
        desk: desk(person, visit),
        code,
        device,
        network: network.unwrap_or_else(|| "Not known".to_owned()),
        since: visit.moment(since),
        until: visit.moment(until),
        must_sign_in: !person.is_fresh(visit.now()),
    }
}

/// `GET /device`. No query is read: nobody can be sent here with a code filled in.
///
/// # Errors
/// `internal`.
pub async fn enter(person: SignedIn, visit: Visit) -> Result<Response, Problem> {
    visit.page(&EnterPage { desk: desk(&person, &visit), code: Field::default() })
}

/// `POST /device`: shows what asks under the code. Nothing is decided by it.
///
/// # Errors
/// `unavailable`.
pub async fn look(
    person: SignedIn,
    visit: Visit,
    State(door): State<Door>,
    Form(CodeForm { code }): Form<CodeForm>,
) -> Result<Response, Problem> {
    let context = visit.context();
    if let Err(limited) = door.refusals.noting(Refused::ProofLimited, context, door.limits.redeem(context)) {
        let fault = format!("Too many codes were tried from here. Try again in {}.", limited.in_words());
        let code = Field::typed(code).with_fault(fault);
        let page = EnterPage { desk: desk(&person, &visit), code };
        let page = visit.page_with(StatusCode::TOO_MANY_REQUESTS, &page)?;
        return Ok((AppendHeaders(limited.headers()), page).into_response());
    }
    match ops::look(&door, context, &code).await {
        Ok(asking) => visit.page(&decision(&person, &visit, code, asking)),
        Err(DecideError::Db(error)) => Err(error.into()),
        Err(DecideError::NoSuchCode | DecideError::NotFresh) => again(&person, &visit, code),
    }
}

/// `POST /device/approve`.
///
/// # Errors
/// `unavailable`.
pub async fn approve(
    person: SignedIn,
    visit: Visit,
    State(door): State<Door>,
    Form(CodeForm { code }): Form<CodeForm>,
) -> Result<Response, Problem> {
    decide(&person, &visit, &door, code, true).await
}

/// `POST /device/deny`.
///
/// # Errors
/// `unavailable`.
pub async fn deny(
    person: SignedIn,
    visit: Visit,
    State(door): State<Door>,
    Form(CodeForm { code }): Form<CodeForm>,
) -> Result<Response, Problem> {
    decide(&person, &visit, &door, code, false).await
}

async fn decide(
    person: &SignedIn,
    visit: &Visit,
    door: &Door,
    code: String,
    approved: bool,
) -> Result<Response, Problem> {
    let context = visit.context();
    door.refusals.noting(Refused::ProofLimited, context, door.limits.redeem(context))?;
    match ops::decide(door, context, person, (&code, approved)).await {
        Ok(()) => Ok(visit.done(HERE, if approved { Flash::DeviceApproved } else { Flash::DeviceDenied })),
        Err(DecideError::Db(error)) => Err(error.into()),
        Err(DecideError::NoSuchCode) => again(person, visit, code),
        Err(DecideError::NotFresh) => match ops::look(door, context, &code).await {
            Ok(asking) => visit.page_with(StatusCode::FORBIDDEN, &decision(person, visit, code, asking)),
            Err(_) => again(person, visit, code),
        },
    }
}
