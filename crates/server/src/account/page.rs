//! `/account/profile`: one's address, another one, and the end of the account.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::model::{AccountError, Confirmed, Waiting, With};
use super::{address, deletion};
use crate::authz::SignedIn;
use crate::console::{Account, AccountPage, Field, Flash, Moment, Visit};
use crate::http::{Changes, Form, Problem};
use crate::identity::{Door, EmailAddress};
use crate::jobs::Queue;
use crate::sessions;

const HERE: &str = "/account/profile";

/// `/account/profile`.
#[derive(Template)]
#[template(path = "account/profile.html")]
struct ProfilePage {
    desk: Account,
    waiting: Option<WaitingShown>,
    email: Field,
    code: Field,
    must_sign_in: bool,
}

/// A change that waits, in words.
struct WaitingShown {
    new_email: String,
    old: &'static str,
    new: &'static str,
    until: Moment,
}

/// `/account/delete`.
#[derive(Template)]
#[template(path = "account/delete.html")]
struct DeletePage {
    desk: Account,
    confirm: Field,
    /// Workspaces that would be without an owner.
    last_of: Vec<String>,
    must_sign_in: bool,
}

/// The form of another address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressForm {
    email: String,
}

/// The form of a code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeForm {
    code: String,
}

/// The form of the end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteForm {
    confirm: String,
}

fn with<'a>(visit: &'a Visit, changes: &'a Changes, queue: &'a Queue) -> With<'a> {
    With { changes, queue, context: visit.context() }
}

async fn profile(with: With<'_>, person: &SignedIn, visit: &Visit) -> Result<ProfilePage, Problem> {
    let waiting = address::waiting(with, person).await?;
    let state = |confirmed| if confirmed { "Confirmed" } else { "Its code is missing" };
    let waiting = waiting.map(|Waiting { new_email, old_confirmed, new_confirmed, expires_at }| WaitingShown {
        new_email,
        old: state(old_confirmed),
        new: state(new_confirmed),
        until: visit.moment(expires_at),
    });
    let must_sign_in = !person.is_fresh(visit.now());
    let desk = Account::of(person, visit, AccountPage::Profile);
    Ok(ProfilePage { desk, waiting, email: Field::default(), code: Field::default(), must_sign_in })
}

/// `GET /account/profile`.
///
/// # Errors
/// `unavailable`.
pub async fn show(
    person: SignedIn,
    visit: Visit,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
) -> Result<Response, Problem> {
    visit.page(&profile(with(&visit, &changes, &queue), &person, &visit).await?)
}

/// `POST /account/profile/address`: sends both codes.
///
/// # Errors
/// `rate_limited`, `unavailable`.
pub async fn ask(
    person: SignedIn,
    visit: Visit,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
    State(door): State<Door>,
    Form(AddressForm { email }): Form<AddressForm>,
) -> Result<Response, Problem> {
    let with = with(&visit, &changes, &queue);
    let again = async |fault: &str, status: StatusCode| {
        let mut page = profile(with, &person, &visit).await?;
        page.email = Field::typed(email.clone()).with_fault(fault);
        visit.page_with(status, &page)
    };
    let Ok(wanted) = email.parse::<EmailAddress>() else {
        let fault = "That is not an e-mail address. It has a name, an @ and a host, as in ada@example.com.";
        return again(fault, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    door.limits.ask(visit.context(), &wanted.key())?;
    match address::ask(with, &person, &wanted).await {
        Ok(()) => Ok(visit.done(HERE, Flash::AddressCodesSent)),
        Err(AccountError::SameAddress) => {
            again("That is the address that you have.", StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(AccountError::TooOften) => {
            let fault = "You asked for five changes within an hour. Type the codes of the newest, or wait.";
            again(fault, StatusCode::TOO_MANY_REQUESTS).await
        }
        Err(AccountError::NotFresh) => again("Prove first that it is you.", StatusCode::FORBIDDEN).await,
        Err(error) => Err(error.into_problem()),
    }
}

/// `POST /account/profile/confirm`: takes the code of one of both addresses.
///
/// # Errors
/// `rate_limited`, `revocation_unconfirmed`, `unavailable`.
pub async fn confirm(
    person: SignedIn,
    visit: Visit,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
    State(door): State<Door>,
    Form(CodeForm { code }): Form<CodeForm>,
) -> Result<Response, Problem> {
    door.limits.redeem(visit.context())?;
    let with = with(&visit, &changes, &queue);
    let fault = match address::confirm(with, &person, &code).await {
        Ok(Confirmed::One) => return Ok(visit.done(HERE, Flash::AddressConfirmed)),
        Ok(Confirmed::Both) => return Ok(visit.done(HERE, Flash::AddressChanged)),
        Err(AccountError::WrongCode) => {
            "That is the code of neither mail. Each has eight letters and digits, and is good for 15 minutes; ten may be wrong."
        }
        Err(AccountError::NothingWaits) => {
            "No change waits for a code: its time is over, or too many codes were wrong. Ask for it anew."
        }
        Err(AccountError::Taken) => {
            "Both addresses have confirmed, and the new one is somebody's meanwhile. Nothing was changed."
        }
        Err(error) => return Err(error.into_problem()),
    };
    let mut page = profile(with, &person, &visit).await?;
    let field = if page.waiting.is_some() { &mut page.code } else { &mut page.email };
    *field = Field::default().with_fault(fault);
    visit.form_again(&page)
}

fn deletion_page(person: &SignedIn, visit: &Visit) -> DeletePage {
    let desk = Account::of(person, visit, AccountPage::Profile);
    let must_sign_in = !person.is_fresh(visit.now());
    DeletePage { desk, confirm: Field::default(), last_of: Vec::new(), must_sign_in }
}

/// `GET /account/delete`.
///
/// # Errors
/// `internal`.
pub async fn ask_delete(person: SignedIn, visit: Visit) -> Result<Response, Problem> {
    visit.page(&deletion_page(&person, &visit))
}

/// `POST /account/delete`.
///
/// # Errors
/// `revocation_unconfirmed`, `unavailable`.
pub async fn delete(
    person: SignedIn,
    visit: Visit,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
    Form(DeleteForm { confirm }): Form<DeleteForm>,
) -> Result<Response, Problem> {
    let mut page = deletion_page(&person, &visit);
    match deletion::delete(with(&visit, &changes, &queue), &person, &confirm).await {
        Ok(()) => {
            let gone = sessions::http::clear_cookies(visit.cookies());
            Ok((gone, visit.done("/sign-in", Flash::AccountDeleted)).into_response())
        }
        Err(AccountError::NotConfirmed) => {
            page.confirm =
                Field::typed(confirm).with_fault(format!("That is something else. Type “{}”.", person.email()));
            visit.form_again(&page)
        }
        Err(AccountError::LastOwner(workspaces)) => {
            page.last_of = workspaces;
            page.confirm = Field::typed(confirm);
            visit.page_with(StatusCode::CONFLICT, &page)
        }
        Err(AccountError::NotFresh) => visit.page_with(StatusCode::FORBIDDEN, &page),
        Err(error) => Err(error.into_problem()),
    }
}
