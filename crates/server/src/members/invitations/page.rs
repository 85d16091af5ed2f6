//! `/auth/invitation`: what somebody is invited to, and the button that takes it. Looking uses nothing up.
//!
//! Whoever has to sign in first comes back here: the browser keeps the token in a cookie meanwhile.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde::Deserialize;
use time::Duration;

use super::accept::{self, AcceptError, Offer};
use crate::authn::cookie::Cookie;
use crate::authz::{Principal, SignedIn};
use crate::console::{Flash, Moment, Visit, all_in_words};
use crate::db::{Authority as _, Db};
use crate::http::{Changes, Form, Problem, Query};
use crate::identity::EmailAddress;
use crate::limits::Limits;
use crate::workspaces;

/// How long a browser remembers which invitation it was about to take: as long as somebody takes to sign in.
const REMEMBERED: Duration = Duration::minutes(30);
/// Among so many of a person's workspaces one with the same slug is looked for.
const KNOWN: u16 = 100;

/// `/auth/invitation`.
#[derive(Template)]
#[template(path = "members/invitation.html")]
struct InvitationPage {
    view: View,
}

/// What can be told of an invitation, and what can be done about it here.
enum View {
    /// This person can take it.
    Ready { offer: Shown, token: String },
    /// Nobody is signed in.
    SignIn { offer: Shown },
    /// Somebody else is.
    OtherPerson { offer: Shown, person: String },
    /// They belong there already.
    Member { offer: Shown },
    /// It offers nothing, if it ever did.
    Spent,
}

/// An offer in words.
struct Shown {
    workspace: String,
    invited_by: String,
    role: &'static str,
    allows: String,
    email: String,
    expires: Moment,
}

impl Shown {
    fn of(offer: Offer, visit: &Visit) -> Self {
        let Offer { workspace, invited_by, role, email, expires_at } = offer;
        let (allows, expires) = (all_in_words(role.permissions()), visit.moment(expires_at));
        Self { workspace, invited_by, role: role.as_str(), allows, email, expires }
    }
}

/// The query of a mail's link.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    token: Option<String>,
}

/// The form behind the button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    token: String,
}

/// `GET /auth/invitation?token=…`, or without, for the one that the browser remembers.
///
/// # Errors
/// `invalid_parameter`, `unavailable`.
pub async fn show(
    visit: Visit,
    person: Result<Principal, Problem>,
    State(db): State<Db>,
    Query(Asked { token }): Query<Asked>,
) -> Result<Response, Problem> {
    let token = token.or_else(|| visit.cookie(Cookie::Invitation)).unwrap_or_default().trim().to_owned();
    let view = view(&visit, person.ok(), &db, &token).await?;
    let cookie = match view {
        View::Spent => visit.cookies().clear(Cookie::Invitation),
        _ => visit.cookies().set(Cookie::Invitation, &token, REMEMBERED),
    };
    let page = visit.page(&InvitationPage { view })?;
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), page).into_response())
}

async fn view(visit: &Visit, person: Option<Principal>, db: &Db, token: &str) -> Result<View, Problem> {
    let offer = match accept::look(db, visit.notary(), visit.context(), token).await {
        Ok(offer) => offer,
        Err(AcceptError::Db(error)) => return Err(error.into()),
        Err(_) => return Ok(View::Spent),
    };
    let invited = offer.email.parse::<EmailAddress>().map(|email| email.key()).unwrap_or_default();
    let offer = Shown::of(offer, visit);
    Ok(match person {
        Some(Principal::Session(person)) if accept::is_for(&invited, &person) => {
            View::Ready { offer, token: token.trim().to_owned() }
        }
        Some(Principal::Session(person)) => View::OtherPerson { offer, person: person.email().to_owned() },
        _ => View::SignIn { offer },
    })
}

/// `POST /auth/invitation`: takes it.
///
/// # Errors
/// `rate_limited`, `unavailable`.
pub async fn take(
    person: SignedIn,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(limits): State<Limits>,
    Form(Taken { token }): Form<Taken>,
) -> Result<Response, Problem> {
    limits.redeem(visit.context())?;
    let with = (&changes.notary, &changes.entropy);
    let gone = AppendHeaders([(header::SET_COOKIE, visit.cookies().clear(Cookie::Invitation))]);
    match accept::take(&db, with, &person, visit.context(), &token).await {
        Ok(redeemed) => {
            let flash = if shares_slug(&visit, &db, &person, redeemed.workspace()).await? {
                Flash::JoinedWithSharedSlug
            } else {
                Flash::Joined
            };
            let path = format!("/w/{}/live", redeemed.workspace());
            Ok((gone, visit.done(&path, flash)).into_response())
        }
        Err(AcceptError::Db(error)) => Err(error.into()),
        Err(error) => {
            let view = match (error, view(&visit, Some(Principal::Session(person)), &db, &token).await?) {
                (AcceptError::AlreadyMember, View::Ready { offer, .. }) => View::Member { offer },
                (_, view) => view,
            };
            visit.page_with(StatusCode::CONFLICT, &InvitationPage { view })
        }
    }
}

/// Whether another of the person's workspaces has this one's slug: both are named by their ids from then on, and what the
/// slug stood for before it does not silently become another.
async fn shares_slug(
    visit: &Visit,
    db: &Db,
    person: &SignedIn,
    joined: bailiwick_proof::id::WorkspaceId,
) -> Result<bool, Problem> {
    let mut tx = db.account_tx(person).await?;
    let all = workspaces::list(&mut tx, visit.notary(), None, KNOWN).await?;
    tx.finish_reading().await?;
    let slug = all.iter().find(|workspace| workspace.id == joined).map(|workspace| workspace.slug.as_str());
    Ok(all.iter().filter(|workspace| Some(workspace.slug.as_str()) == slug).count() > 1)
}
