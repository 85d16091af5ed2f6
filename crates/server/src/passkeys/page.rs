//! The account's page of passkeys; and the button at the door.

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use bailiwick_proof::id::PasskeyId;
use serde::Deserialize;
use time::Duration;

use super::http::{challenge, known};
use super::model::{Passkey, PasskeyChallenge, PasskeyRefusal, RegisterPasskey, RegisteredPasskey, ShowPasskey};
use super::ops::{self, Bench, With};
use super::register;
use crate::authn::cookie::Cookie;
use crate::authz::SignedIn;
use crate::console::{Account, AccountPage, Field, Flash, Moment, Visit, WayBack};
use crate::factors;
use crate::http::{Code, Form, Json, NoBody, PathId, Problem};
use crate::identity::Refused;
use crate::limits::Limits;
use crate::sessions::{self, Seen};

const HERE: &str = "/account/passkeys";
/// Whoever does not want to be reminded in this browser is not.
const NOT_NOW: Duration = Duration::days(365);

/// `/account/passkeys`.
#[derive(Template)]
#[template(path = "passkeys/index.html")]
struct IndexPage {
    desk: Account,
    passkeys: Vec<PasskeyRow>,
    ways: Ways,
    name: Field,
    fault: Option<String>,
}

impl IndexPage {
    fn step_up(&self) -> String {
        prove_first(HERE)
    }
}

/// Where somebody proves once more who they are, and comes back from.
fn prove_first(back: &str) -> String {
    format!("/account/step-up?back={back}")
}

/// Whether one can be added.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ways {
    Open,
    /// Once the person has proven themselves again.
    Stale,
    /// Not at this server.
    Closed,
}

struct PasskeyRow {
    id: String,
    name: String,
    synced: bool,
    added: Moment,
    used: Option<Moment>,
}

/// Another name for one, or none any more.
#[derive(Template)]
#[template(path = "passkeys/change.html")]
struct ChangePage {
    desk: Account,
    title: &'static str,
    row: PasskeyRow,
    step: Step,
    name: Field,
    fault: Option<String>,
    fresh: bool,
}

impl ChangePage {
    fn step_up(&self) -> String {
        prove_first(&format!("{HERE}/{}/remove", self.row.id))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Rename,
    Remove,
}

impl Step {
    const fn title(self) -> &'static str {
        match self {
            Self::Rename => "Rename a passkey",
            Self::Remove => "Remove a passkey",
        }
    }
}

impl PasskeyRow {
    fn of(passkey: &Passkey, visit: &Visit) -> Self {
        Self {
            id: passkey.id.to_string(),
            name: passkey.name.clone(),
            synced: passkey.synced,
            added: visit.moment(passkey.created_at),
            used: passkey.last_used_at.map(|at| visit.moment(at)),
        }
    }
}

/// The form of `/account/passkeys`, filled in by the script.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddForm {
    name: String,
    ceremony: String,
    credential: String,
}

/// The form of whoever shows one, filled in by the script.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowForm {
    ceremony: String,
    credential: String,
    /// Where to go on; not at the door.
    back: Option<String>,
}

impl ShowForm {
    fn shown(&self) -> ShowPasskey {
        let credential = serde_json::from_str(&self.credential).unwrap_or_default();
        ShowPasskey { ceremony: self.ceremony.clone(), credential }
    }
}

/// The form of a new name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameForm {
    name: String,
}

fn desk(person: &SignedIn, visit: &Visit) -> Account {
    Account::of(person, visit, AccountPage::Passkeys)
}

/// `GET /account/passkeys`.
///
/// # Errors
/// `unavailable`.
pub async fn index(person: SignedIn, visit: Visit, State(bench): State<Bench>) -> Result<Response, Problem> {
    visit.page(&index_page(&person, &visit, &bench, Field::default(), None).await?)
}

async fn index_page(
    person: &SignedIn,
    visit: &Visit,
    bench: &Bench,
    name: Field,
    fault: Option<String>,
) -> Result<IndexPage, Problem> {
    let passkeys = register::list(bench, person).await?;
    let ways = match (bench.party.is_known(), person.is_fresh(visit.now())) {
        (false, _) => Ways::Closed,
        (true, false) => Ways::Stale,
        (true, true) => Ways::Open,
    };
    let passkeys = passkeys.iter().map(|passkey| PasskeyRow::of(passkey, visit)).collect();
    Ok(IndexPage { desk: desk(person, visit), passkeys, ways, name, fault })
}

/// `POST /account/passkeys/challenge`: for the page's script.
///
/// # Errors
/// As the API's.
pub async fn begin(
    person: SignedIn,
    visit: Visit,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    _: NoBody,
) -> Result<Json<PasskeyChallenge>, Problem> {
    known(&bench)?;
    limits.change(visit.context(), person.user())?;
    Ok(Json(challenge(register::begin(&bench, visit.context(), &person).await?)))
}

/// `POST /account/passkeys`: with what the browser has made.
///
/// # Errors
/// As the API's, but for what the form says itself.
pub async fn add(
    person: SignedIn,
    visit: Visit,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    Form(form): Form<AddForm>,
) -> Result<Response, Problem> {
    known(&bench)?;
    limits.change(visit.context(), person.user())?;
    let Ok(name) = form.name.parse() else {
        let fault = "Give it a name of 1 to 80 characters, without invisible ones.";
        let name = Field::typed(form.name).with_fault(fault);
        return visit.form_again(&index_page(&person, &visit, &bench, name, None).await?);
    };
    let credential = serde_json::from_str(&form.credential).unwrap_or_default();
    let body = RegisterPasskey { ceremony: form.ceremony, name, credential };
    let seen = &Seen::of(visit.headers(), visit.context().client_ip);
    let with = With { bench: &bench, context: visit.context(), seen };
    match register::register(with, &person, &body).await {
        Ok(registered) => added(&visit, &person, registered),
        Err(refusal @ (PasskeyRefusal::Failed | PasskeyRefusal::Full)) => {
            let (name, fault) = (Field::typed(form.name), Some(in_words(&refusal)));
            visit.form_again(&index_page(&person, &visit, &bench, name, fault).await?)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

fn added(visit: &Visit, person: &SignedIn, registered: RegisteredPasskey) -> Result<Response, Problem> {
    let page = match registered.recovery_codes {
        Some(codes) => factors::page::first_codes(visit, person, codes)?,
        None => visit.done(HERE, Flash::PasskeyAdded),
    };
    Ok(match registered.tokens {
        Some(pair) => (sessions::http::set_cookies(visit.cookies(), &pair), page).into_response(),
        None => page,
    })
}

fn in_words(refusal: &PasskeyRefusal) -> String {
    match refusal {
        PasskeyRefusal::Full => "You have as many passkeys as one can have. Remove one that you do not use any more.",
        _ => "That passkey was not taken. Nothing was changed. Try once more, and finish within five minutes.",
    }
    .to_owned()
}

/// `GET /account/passkeys/{id}/rename`.
///
/// # Errors
/// `not_found`.
pub async fn ask_rename(
    person: SignedIn,
    visit: Visit,
    PathId(id): PathId<PasskeyId>,
    State(bench): State<Bench>,
) -> Result<Response, Problem> {
    visit.page(&change_page(&person, &visit, &bench, id, Step::Rename).await?)
}

/// `POST /account/passkeys/{id}/rename`.
///
/// # Errors
/// `not_found`, `rate_limited`.
pub async fn rename(
    person: SignedIn,
    visit: Visit,
    PathId(id): PathId<PasskeyId>,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    Form(form): Form<RenameForm>,
) -> Result<Response, Problem> {
    limits.change(visit.context(), person.user())?;
    let Ok(name) = form.name.parse() else {
        let mut page = change_page(&person, &visit, &bench, id, Step::Rename).await?;
        let fault = "Give it a name of 1 to 80 characters, without invisible ones.";
        page.name = Field::typed(form.name).with_fault(fault);
        return visit.form_again(&page);
    };
    register::rename(&bench, visit.context(), &person, id, &name).await?;
    Ok(visit.done(HERE, Flash::PasskeyRenamed))
}

/// `GET /account/passkeys/{id}/remove`.
///
/// # Errors
/// `not_found`.
pub async fn ask_remove(
    person: SignedIn,
    visit: Visit,
    PathId(id): PathId<PasskeyId>,
    State(bench): State<Bench>,
) -> Result<Response, Problem> {
    visit.page(&change_page(&person, &visit, &bench, id, Step::Remove).await?)
}

/// `POST /account/passkeys/{id}/remove`.
///
/// # Errors
/// `not_found`, `step_up_required`, `rate_limited`.
pub async fn remove(
    person: SignedIn,
    visit: Visit,
    PathId(id): PathId<PasskeyId>,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
) -> Result<Response, Problem> {
    limits.change(visit.context(), person.user())?;
    let seen = &Seen::of(visit.headers(), visit.context().client_ip);
    let with = With { bench: &bench, context: visit.context(), seen };
    match register::remove(with, &person, id).await.map_err(Problem::from) {
        Ok(()) => Ok(visit.done(HERE, Flash::PasskeyRemoved)),
        Err(problem) if problem.code() == Code::LastFactor => {
            let mut page = change_page(&person, &visit, &bench, id, Step::Remove).await?;
            page.fault = Some(
                "A workspace of yours demands a second factor, and this is your last. Add another before you remove it."
                    .to_owned(),
            );
            visit.form_again(&page)
        }
        Err(problem) => Err(problem),
    }
}

async fn change_page(
    person: &SignedIn,
    visit: &Visit,
    bench: &Bench,
    id: PasskeyId,
    step: Step,
) -> Result<ChangePage, Problem> {
    let all = register::list(bench, person).await?;
    let passkey = all.iter().find(|passkey| passkey.id == id).ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(ChangePage {
        desk: desk(person, visit),
        title: step.title(),
        row: PasskeyRow::of(passkey, visit),
        step,
        name: Field::typed(passkey.name.clone()),
        fault: None,
        fresh: person.is_fresh(visit.now()),
    })
}

/// `POST /account/passkeys/not-now`: this browser is not reminded any more.
///
/// # Errors
/// None.
pub async fn not_now(_: SignedIn, visit: Visit) -> Response {
    let noted = AppendHeaders([(header::SET_COOKIE, visit.cookies().set(Cookie::NoPasskey, "1", NOT_NOW))]);
    (noted, Redirect::to("/workspaces")).into_response()
}

/// `POST /sign-in/passkey`: with what the browser has shown.
///
/// # Errors
/// `passkeys_unavailable`, `rate_limited`, `unavailable`.
pub async fn sign_in(
    visit: Visit,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    Form(form): Form<ShowForm>,
) -> Result<Response, Problem> {
    known(&bench)?;
    let context = visit.context();
    bench.refusals.noting(Refused::ProofLimited, context, limits.redeem(context))?;
    let seen = &Seen::of(visit.headers(), context.client_ip);
    let cookie = visit.cookie(Cookie::Passkey);
    let with = With { bench: &bench, context, seen };
    match ops::sign_in(with, cookie.as_deref(), &form.shown()).await {
        Ok(pair) => {
            let next = WayBack::after_sign_in(&visit);
            let gone = AppendHeaders([
                (header::SET_COOKIE, visit.cookies().clear(Cookie::Passkey)),
                (header::SET_COOKIE, visit.cookies().clear(Cookie::Factor)),
                (header::SET_COOKIE, WayBack::forgotten(&visit)),
            ]);
            let session = sessions::http::set_cookies(visit.cookies(), &pair);
            Ok((gone, session, visit.done(next.as_str(), Flash::SignedIn)).into_response())
        }
        Err(PasskeyRefusal::Failed) => Ok(visit.done("/sign-in", Flash::PasskeyRefused)),
        Err(refusal) => Err(refusal.into()),
    }
}

/// `POST /account/passkeys/step-up/challenge`: for the page's script.
///
/// # Errors
/// As the API's.
pub async fn begin_step_up(
    person: SignedIn,
    visit: Visit,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    _: NoBody,
) -> Result<Json<PasskeyChallenge>, Problem> {
    known(&bench)?;
    limits.change(visit.context(), person.user())?;
    Ok(Json(challenge(ops::begin_step_up(&bench, visit.context(), &person).await?)))
}

/// `POST /account/passkeys/step-up`: with what the browser has shown.
///
/// # Errors
/// `passkeys_unavailable`, `rate_limited`, `revocation_unconfirmed`, `unavailable`.
pub async fn step_up(
    person: SignedIn,
    visit: Visit,
    State(bench): State<Bench>,
    State(limits): State<Limits>,
    Form(form): Form<ShowForm>,
) -> Result<Response, Problem> {
    known(&bench)?;
    let context = visit.context();
    bench.refusals.noting(Refused::ProofLimited, context, limits.redeem(context))?;
    let seen = &Seen::of(visit.headers(), context.client_ip);
    let with = With { bench: &bench, context, seen };
    let back = form.back.as_deref().and_then(WayBack::parse).unwrap_or_else(WayBack::home);
    match ops::step_up(with, &person, &form.shown()).await {
        Ok(pair) => {
            let gone = AppendHeaders([(header::SET_COOKIE, WayBack::forgotten(&visit))]);
            let session = sessions::http::set_cookies(visit.cookies(), &pair);
            Ok((gone, session, visit.done(back.as_str(), Flash::SteppedUp)).into_response())
        }
        Err(PasskeyRefusal::Failed) => Ok(visit.done(&prove_first(back.as_str()), Flash::PasskeyRefused)),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Whether somebody is to be reminded that there are passkeys: they have none, and were not asked to be left alone.
///
/// # Errors
/// `unavailable`.
pub async fn is_offered(person: &SignedIn, visit: &Visit, bench: &Bench) -> Result<bool, Problem> {
    let wanted = bench.party.is_known() && visit.cookie(Cookie::NoPasskey).is_none();
    Ok(wanted && register::list(bench, person).await?.is_empty())
}
