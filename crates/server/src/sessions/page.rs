//! The account's page of sessions, and the pages that ask before one or several end.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::id::SessionId;
use serde::Deserialize;

use super::http;
use super::model::{Session, SignInMethod};
use crate::authz::{Notary, SignedIn};
use crate::console::{Account, AccountPage, Flash, Listing, Moment, Noun, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, ListQuery, PathId, Problem, Query};

const NOUN: Noun = Noun { one: "session", many: "sessions" };
const HERE: &str = "/account/sessions";

/// `/account/sessions`.
#[derive(Template)]
#[template(path = "sessions/index.html")]
struct IndexPage {
    desk: Account,
    sessions: Vec<SessionRow>,
    list: Listing,
}

struct SessionRow {
    id: String,
    device: String,
    network: String,
    method: &'static str,
    first_seen: Moment,
    last_seen: Moment,
    current: bool,
}

/// Asks before something ends.
#[derive(Template)]
#[template(path = "sessions/end.html")]
struct EndPage {
    desk: Account,
    ask: Ask,
    action: String,
    /// The one session that is to end.
    session: Option<SessionRow>,
}

/// What is asked.
struct Ask {
    title: &'static str,
    what: &'static str,
    verb: &'static str,
}

const ONE: Ask = Ask {
    title: "End this session",
    what: "Whoever uses it is signed out on every node before the next page is here. They can sign in again only by your mail.",
    verb: "End session",
};
const OTHERS: Ask = Ask {
    title: "Sign out everywhere else",
    what: "All your sessions but this one end on every node before the next page is here: other browsers, devices and programs have to sign in again.",
    verb: "Sign out the others",
};
const EVERYWHERE: Ask = Ask {
    title: "Sign out everywhere",
    what: "All your sessions end on every node before the next page is here, this one too. API keys are not sessions: they go on.",
    verb: "Sign out everywhere",
};

/// Where a page of a list begins.
#[derive(Deserialize)]
pub struct Cursor {
    cursor: Option<String>,
}

impl SessionRow {
    fn of(session: &Session, visit: &Visit) -> Self {
        Self {
            id: session.id.to_string(),
            device: session.device.clone(),
            network: session.network.clone().unwrap_or_else(|| "Not known".to_owned()),
            method: SignInMethod::in_words(&session.signed_in_by),
            first_seen: visit.moment(session.first_seen_at),
            last_seen: visit.moment(session.last_seen_at),
            current: session.current,
        }
    }

    fn end_href(&self) -> String {
        format!("{HERE}/{}/end", self.id)
    }
}

fn desk(person: &SignedIn, visit: &Visit) -> Account {
    Account::of(person, visit, AccountPage::Sessions)
}

/// `GET /account/sessions`.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn index(
    person: SignedIn,
    visit: Visit,
    State(db): State<Db>,
    Query(query): Query<ListQuery>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Result<Response, Problem> {
    let page = http::page(&person, visit.context(), &db, visit.notary(), &query).await?;
    let list = Listing::new(NOUN, page.data.len(), HERE, cursor.as_deref(), page.next_cursor.as_deref());
    let sessions = page.data.iter().map(|session| SessionRow::of(session, &visit)).collect();
    visit.page(&IndexPage { desk: desk(&person, &visit), sessions, list })
}

/// `GET /account/sessions/{id}/end`.
///
/// # Errors
/// `not_found` for what is no living session of the person's.
pub async fn ask_end(
    person: SignedIn,
    visit: Visit,
    PathId(session): PathId<SessionId>,
    State(db): State<Db>,
    State(notary): State<Notary>,
) -> Result<Response, Problem> {
    let session = super::ops::get(&db, &notary, &person, session, visit.now()).await?;
    let session = session.ok_or_else(|| Problem::new(Code::NotFound))?;
    let row = SessionRow::of(&session, &visit);
    visit.page(&EndPage { desk: desk(&person, &visit), ask: ONE, action: row.end_href(), session: Some(row) })
}

/// `POST /account/sessions/{id}/end`.
///
/// # Errors
/// `not_found`, `revocation_unconfirmed`.
pub async fn end(
    person: SignedIn,
    visit: Visit,
    PathId(session): PathId<SessionId>,
    State(changes): State<Changes>,
) -> Result<Response, Problem> {
    http::end_one(&changes, visit.context(), &person, session).await?;
    if session == person.session() {
        return Ok(signed_out(&visit, Flash::SignedOut));
    }
    Ok(visit.done(HERE, Flash::SessionEnded))
}

/// `GET /account/sign-out-others`.
///
/// # Errors
/// `internal`.
pub async fn ask_others(person: SignedIn, visit: Visit) -> Result<Response, Problem> {
    let (desk, action) = (desk(&person, &visit), "/account/sign-out-others".to_owned());
    visit.page(&EndPage { desk, ask: OTHERS, action, session: None })
}

/// `POST /account/sign-out-others`.
///
/// # Errors
/// `revocation_unconfirmed`.
pub async fn others(person: SignedIn, visit: Visit, State(changes): State<Changes>) -> Result<Response, Problem> {
    http::end_many(&changes, visit.context(), &person, true).await?;
    Ok(visit.done(HERE, Flash::OthersSignedOut))
}

/// `GET /account/sign-out-everywhere`.
///
/// # Errors
/// `internal`.
pub async fn ask_everywhere(person: SignedIn, visit: Visit) -> Result<Response, Problem> {
    let (desk, action) = (desk(&person, &visit), "/account/sign-out-everywhere".to_owned());
    visit.page(&EndPage { desk, ask: EVERYWHERE, action, session: None })
}

/// `POST /account/sign-out-everywhere`.
///
/// # Errors
/// `revocation_unconfirmed`.
pub async fn everywhere(person: SignedIn, visit: Visit, State(changes): State<Changes>) -> Result<Response, Problem> {
    http::end_many(&changes, visit.context(), &person, false).await?;
    Ok(signed_out(&visit, Flash::SignedOutEverywhere))
}

fn signed_out(visit: &Visit, flash: Flash) -> Response {
    (http::clear_cookies(visit.cookies()), visit.done("/sign-in", flash)).into_response()
}
