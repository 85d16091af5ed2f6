//! The account's page of factors, what is asked and shown on the way, the second step of a sign-in, and the page where somebody
//! proves themselves again.

mod add;
mod prove;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use bailiwick_proof::id::AuthenticatorId;

pub use self::add::{begin, confirm};
pub use self::prove::{ask_second_step, ask_step_up, second_step, step_up};
use super::http::Toolbox;
use super::model::{Authenticator, FactorError, Factors};
use super::{ops, recovery};
use crate::authz::SignedIn;
use crate::console::{Account, AccountPage, Field, Flash, Moment, Visit};
use crate::http::{Code, PathId, Problem};
use crate::sessions::Seen;

const HERE: &str = "/account/factors";

/// `/account/factors`.
#[derive(Template)]
#[template(path = "factors/index.html")]
struct IndexPage {
    desk: Account,
    authenticators: Vec<AuthenticatorRow>,
    passkeys: usize,
    codes_left: usize,
    demanded: bool,
    name: Field,
}

struct AuthenticatorRow {
    name: String,
    added: Moment,
    used: Option<Moment>,
    remove_href: String,
}

impl AuthenticatorRow {
    fn of(authenticator: &Authenticator, visit: &Visit) -> Self {
        Self {
            name: authenticator.name.clone(),
            added: visit.moment(authenticator.added_at),
            used: authenticator.last_used_at.map(|at| visit.moment(at)),
            remove_href: format!("{HERE}/authenticators/{}/remove", authenticator.id),
        }
    }
}

impl IndexPage {
    async fn of(visit: &Visit, person: &SignedIn, tools: &Toolbox, name: Field) -> Result<Self, Problem> {
        let Factors { authenticators, passkeys, recovery_codes_left, demanded } =
            ops::list(&tools.changes, person).await?;
        Ok(Self {
            desk: Account::of(person, visit, AccountPage::Factors),
            authenticators: authenticators.iter().map(|found| AuthenticatorRow::of(found, visit)).collect(),
            passkeys,
            codes_left: recovery_codes_left,
            demanded,
            name,
        })
    }

    const fn has_factor(&self) -> bool {
        self.passkeys > 0 || !self.authenticators.is_empty()
    }

    const fn codes_are_few(&self) -> bool {
        self.codes_left <= recovery::FEW
    }
}

/// `GET /account/factors`.
///
/// # Errors
/// Those of the database.
pub async fn index(person: SignedIn, visit: Visit, State(tools): State<Toolbox>) -> Result<Response, Problem> {
    visit.page(&IndexPage::of(&visit, &person, &tools, Field::default()).await?)
}

/// Asks before a factor goes, or before the codes that somebody has are good for nothing.
#[derive(Template)]
#[template(path = "factors/ask.html")]
struct AskPage {
    desk: Account,
    title: String,
    what: &'static str,
    verb: &'static str,
    action: String,
    grave: bool,
    fault: Option<&'static str>,
}

const REMOVE: &str = "Its codes sign nobody in any more, from the next page on. If it is your last factor, your recovery codes are good for \
     nothing either, and the mail alone signs you in again.";
const RENEW: &str = "You get ten new codes, shown once. The codes that you have are good for nothing from then on. Each new one signs you in \
     once, in place of your authenticator or passkey.";
const LAST: &str =
    "A workspace of yours demands a second factor, and this is your last. Add another first, or leave that workspace.";

/// The codes, shown once.
#[derive(Template)]
#[template(path = "factors/codes.html")]
struct CodesPage {
    desk: Account,
    codes: Vec<String>,
    /// They came with the first factor, and all other sessions have ended.
    first: bool,
}

/// The page that shows the codes that came with somebody's first factor.
///
/// # Errors
/// `internal`.
pub(crate) fn first_codes(visit: &Visit, person: &SignedIn, codes: Vec<String>) -> Result<Response, Problem> {
    let desk = Account::of(person, visit, AccountPage::Factors);
    visit.page(&CodesPage { desk, codes, first: true })
}

/// Whoever did not prove themselves lately does so first.
fn stale(path: &str) -> Response {
    Redirect::to(&format!("/account/step-up?back={path}")).into_response()
}

async fn remove_page(
    visit: &Visit,
    person: &SignedIn,
    tools: &Toolbox,
    id: AuthenticatorId,
) -> Result<AskPage, Problem> {
    let listed = ops::list(&tools.changes, person).await?;
    let found = listed.authenticators.into_iter().find(|found| found.id == id);
    let found = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(AskPage {
        desk: Account::of(person, visit, AccountPage::Factors),
        title: format!("Remove {}", found.name),
        what: REMOVE,
        verb: "Remove it",
        action: format!("{HERE}/authenticators/{id}/remove"),
        grave: true,
        fault: None,
    })
}

/// `GET /account/factors/authenticators/{id}/remove`.
///
/// # Errors
/// `not_found`.
pub async fn ask_remove(
    person: SignedIn,
    visit: Visit,
    State(tools): State<Toolbox>,
    PathId(id): PathId<AuthenticatorId>,
) -> Result<Response, Problem> {
    let page = remove_page(&visit, &person, &tools, id).await?;
    if !person.is_fresh(visit.now()) {
        return Ok(stale(&page.action));
    }
    visit.page(&page)
}

/// `POST /account/factors/authenticators/{id}/remove`.
///
/// # Errors
/// `not_found`, `rate_limited`, `revocation_unconfirmed`.
pub async fn remove(
    person: SignedIn,
    visit: Visit,
    State(tools): State<Toolbox>,
    PathId(id): PathId<AuthenticatorId>,
) -> Result<Response, Problem> {
    tools.allow(&person, visit.context())?;
    let mut page = remove_page(&visit, &person, &tools, id).await?;
    let seen = Seen::of(visit.headers(), visit.context().client_ip);
    match ops::remove(&tools.hands(&seen, visit.context()), &person, id).await {
        Ok(()) => Ok(visit.done(HERE, Flash::FactorRemoved)),
        Err(FactorError::Stale) => Ok(stale(&page.action)),
        Err(FactorError::LastFactor) => {
            page.fault = Some(LAST);
            visit.form_again(&page)
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /account/factors/recovery-codes`. Whoever has no factor has no codes, and is shown how to add one.
///
/// # Errors
/// Those of the database.
pub async fn ask_codes(person: SignedIn, visit: Visit, State(tools): State<Toolbox>) -> Result<Response, Problem> {
    let listed = ops::list(&tools.changes, &person).await?;
    if listed.authenticators.is_empty() && listed.passkeys == 0 {
        return Ok(Redirect::to(HERE).into_response());
    }
    let action = format!("{HERE}/recovery-codes");
    if !person.is_fresh(visit.now()) {
        return Ok(stale(&action));
    }
    let (desk, title) = (Account::of(&person, &visit, AccountPage::Factors), "New recovery codes".to_owned());
    visit.page(&AskPage { desk, title, what: RENEW, verb: "Make new codes", action, grave: false, fault: None })
}

/// `POST /account/factors/recovery-codes`.
///
/// # Errors
/// `rate_limited`, and those of the database.
pub async fn codes(person: SignedIn, visit: Visit, State(tools): State<Toolbox>) -> Result<Response, Problem> {
    tools.allow(&person, visit.context())?;
    let seen = Seen::of(visit.headers(), visit.context().client_ip);
    match ops::renew_codes(&tools.hands(&seen, visit.context()), &person).await {
        Ok(codes) => {
            let desk = Account::of(&person, &visit, AccountPage::Factors);
            visit.page(&CodesPage { desk, codes, first: false })
        }
        Err(FactorError::Stale) => Ok(stale(&format!("{HERE}/recovery-codes"))),
        // The last factor went after the page was opened.
        Err(FactorError::NotFound) => Ok(Redirect::to(HERE).into_response()),
        Err(error) => Err(error.into()),
    }
}
