//! Adding an authenticator: its secret is shown once, and its first code makes it count.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::id::AuthenticatorId;
use serde::Deserialize;

use super::{CodesPage, HERE, IndexPage, stale};
use crate::authz::SignedIn;
use crate::console::{Account, AccountPage, Field, Flash, Visit};
use crate::factors::http::Toolbox;
use crate::factors::model::{ConfirmedAuthenticator, FactorError, NewAuthenticator};
use crate::factors::ops;
use crate::factors::qr::{self, Drawing};
use crate::http::{Form, PathId, Problem};
use crate::name::Name;
use crate::sessions::{self, Seen};

/// The secret, and where its first code is typed.
#[derive(Template)]
#[template(path = "factors/enrol.html")]
struct EnrolPage {
    desk: Account,
    action: String,
    /// Shown once; not again beside a code that was wrong.
    shown: Option<Shown>,
    code: Field,
}

struct Shown {
    /// In groups of four, to be typed.
    secret: String,
    otpauth_url: String,
    drawing: Option<Drawing>,
}

impl Shown {
    fn of(new: NewAuthenticator) -> Self {
        let letters: Vec<char> = new.secret.chars().collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        Self { secret: groups.join(" "), drawing: qr::draw(&new.otpauth_url), otpauth_url: new.otpauth_url }
    }
}

/// How the authenticator is called.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameInput {
    name: String,
}

/// `POST /account/factors/authenticators`.
///
/// # Errors
/// `rate_limited`, and those of database and vault.
pub async fn begin(
    person: SignedIn,
    visit: Visit,
    State(tools): State<Toolbox>,
    Form(input): Form<NameInput>,
) -> Result<Response, Problem> {
    tools.allow(&person, visit.context())?;
    let fault = match input.name.parse::<Name>() {
        Err(_) => "Give it a name of 1 to 80 characters, such as the device that it is on.",
        Ok(name) => {
            let seen = Seen::of(visit.headers(), visit.context().client_ip);
            match ops::enrol(&tools.hands(&seen, visit.context()), &person, &name).await {
                Ok(new) => return show(&visit, &person, new),
                Err(FactorError::Stale) => return Ok(stale(HERE)),
                Err(FactorError::NameTaken) => "You have an authenticator of this name.",
                Err(FactorError::TooMany) => "You have as many as you can have. Remove one first.",
                Err(error) => return Err(error.into()),
            }
        }
    };
    let name = Field::typed(input.name).with_fault(fault);
    visit.form_again(&IndexPage::of(&visit, &person, &tools, name).await?)
}

fn show(visit: &Visit, person: &SignedIn, new: NewAuthenticator) -> Result<Response, Problem> {
    let desk = Account::of(person, visit, AccountPage::Factors);
    let action = action(new.id);
    visit.page(&EnrolPage { desk, action, shown: Some(Shown::of(new)), code: Field::default() })
}

fn action(id: AuthenticatorId) -> String {
    format!("{HERE}/authenticators/{id}/confirm")
}

/// What the authenticator shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeInput {
    code: String,
}

/// `POST /account/factors/authenticators/{id}/confirm`.
///
/// # Errors
/// `not_found`, `rate_limited`, `revocation_unconfirmed`.
pub async fn confirm(
    person: SignedIn,
    visit: Visit,
    State(tools): State<Toolbox>,
    PathId(id): PathId<AuthenticatorId>,
    Form(input): Form<CodeInput>,
) -> Result<Response, Problem> {
    tools.allow(&person, visit.context())?;
    let seen = Seen::of(visit.headers(), visit.context().client_ip);
    match ops::confirm(&tools.hands(&seen, visit.context()), &person, id, &input.code).await {
        Ok(confirmed) => added(&visit, &person, confirmed),
        Err(FactorError::Stale) => Ok(stale(HERE)),
        Err(FactorError::Failed) => {
            let fault = "That is not what it shows now. Is the clock of the device right? Type the next code.";
            let (desk, code) = (Account::of(&person, &visit, AccountPage::Factors), Field::default().with_fault(fault));
            visit.form_again(&EnrolPage { desk, action: action(id), shown: None, code })
        }
        Err(error) => Err(error.into()),
    }
}

fn added(visit: &Visit, person: &SignedIn, confirmed: ConfirmedAuthenticator) -> Result<Response, Problem> {
    let response = match confirmed.recovery_codes {
        Some(codes) => {
            let desk = Account::of(person, visit, AccountPage::Factors);
            visit.page(&CodesPage { desk, codes, first: true })?
        }
        None => visit.done(HERE, Flash::FactorAdded),
    };
    Ok(match confirmed.session {
        Some(pair) => (sessions::http::set_cookies(visit.cookies(), &pair), response).into_response(),
        None => response,
    })
}
