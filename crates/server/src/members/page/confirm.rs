//! What is asked twice: to remove somebody, to hand the workspace over, to leave it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use bailiwick_proof::id::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::person::LAST_OWNER;
use crate::api_keys;
use crate::authz::may::Needs;
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Field, Flash, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, PathId, Problem};
use crate::members::{TransferWorkspace, http};
use crate::workspaces;

/// Of so many of the environment's keys it is told whose they are.
const LOOKED_AT: u16 = 1_000;

/// The three pages, which have one form.
#[derive(Template)]
#[template(path = "members/confirm.html")]
struct ConfirmPage {
    desk: Desk,
    step: Step,
    action: String,
    back: String,
    idempotency_key: Uuid,
    confirm: Field,
    fault: Option<&'static str>,
    must_sign_in: bool,
}

/// What is confirmed.
enum Step {
    /// That this person goes; their keys stay.
    Remove { email: String, keys: Vec<(String, String)> },
    /// That this person owns the workspace from now on.
    Transfer { email: String },
    /// That one goes oneself.
    Leave { slug: String },
}

impl Step {
    fn title(&self) -> String {
        match self {
            Self::Remove { email, .. } => format!("Remove {email}"),
            Self::Transfer { email } => format!("Hand the workspace over to {email}"),
            Self::Leave { .. } => "Leave the workspace".to_owned(),
        }
    }

    /// What is to be typed.
    fn word(&self) -> &str {
        match self {
            Self::Remove { email, .. } | Self::Transfer { email } => email,
            Self::Leave { slug } => slug,
        }
    }

    fn is_confirmed_by(&self, typed: &str) -> bool {
        self.word().eq_ignore_ascii_case(typed.trim())
    }
}

impl ConfirmPage {
    fn of<P>(visit: &Visit, granted: &Granted<P>, desk: Desk, step: Step, path: &str) -> Self {
        // Leaving takes nobody's place but one's own.
        let must_sign_in = !granted.is_stepped_up() && !matches!(step, Step::Leave { .. });
        let (action, back) = (desk.path(path), desk.path("/members"));
        let (idempotency_key, confirm) = (visit.form_key(), Field::default());
        Self { desk, step, action, back, idempotency_key, confirm, fault: None, must_sign_in }
    }

    /// The form again, with why; what is none of its business stays a problem.
    fn refused(mut self, visit: &Visit, typed: String, problem: Problem) -> Result<Response, Problem> {
        self.confirm = Field::typed(typed);
        match problem.code() {
            Code::LastOwner => self.fault = Some(LAST_OWNER),
            Code::IdempotencyKeyReused => self.fault = Some(SENT_BEFORE),
            Code::InvalidBody => self.confirm = self.confirm.with_fault("That was not accepted. Type it exactly."),
            Code::StepUpRequired => {
                self.must_sign_in = true;
                return visit.page_with(StatusCode::FORBIDDEN, &self);
            }
            _ => return Err(problem),
        }
        visit.form_again(&self)
    }

    fn not_confirmed(mut self, visit: &Visit, typed: String) -> Result<Response, Problem> {
        let fault = format!("That is something else. Type “{}”.", self.step.word());
        self.confirm = Field::typed(typed).with_fault(fault);
        visit.form_again(&self)
    }
}

/// What was typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmInput {
    idempotency_key: Uuid,
    confirm: String,
}

async fn remove_page(
    visit: &Visit,
    granted: &Granted<may::ManageMembers>,
    db: &Db,
    user: UserId,
) -> Result<ConfirmPage, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::People).await?;
    let email = http::find(granted, (db, visit.notary()), user).await?.email;
    let keys = keys_of(granted, db, user).await?;
    let keys = keys.into_iter().map(|(id, name)| (desk.path(&format!("/keys/{id}")), name)).collect();
    let path = format!("/members/{user}/remove");
    Ok(ConfirmPage::of(visit, granted, desk, Step::Remove { email, keys }, &path))
}

/// The keys that somebody has made and that work, by id and name.
async fn keys_of<P: Needs>(granted: &Granted<P>, db: &Db, user: UserId) -> Result<Vec<(String, String)>, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let filter = api_keys::KeyFilter { status: Some(api_keys::Status::Active), ..Default::default() };
    let keys = api_keys::list(&mut tx, None, LOOKED_AT, &filter).await?;
    tx.finish_reading().await?;
    let maker = user.to_string();
    let own = keys.into_iter().filter(|key| key.created_by == maker);
    Ok(own.map(|key| (key.id.to_string(), key.name)).collect())
}

/// `GET /w/{workspace}/{environment}/members/{id}/remove`.
///
/// # Errors
/// `not_found`.
pub async fn ask_remove(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    PathId(user): PathId<UserId>,
) -> Result<Response, Problem> {
    let page = remove_page(&visit, &granted, &db, user).await?;
    if granted.principal().id() == user.uuid() {
        return Ok(Redirect::to(&page.desk.path("/leave")).into_response());
    }
    visit.page(&page)
}

/// `POST /w/{workspace}/{environment}/members/{id}/remove`.
///
/// # Errors
/// As the API's.
pub async fn remove(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(user): PathId<UserId>,
    Form(input): Form<ConfirmInput>,
) -> Result<Response, Problem> {
    let page = remove_page(&visit, &granted, &db, user).await?;
    if !page.step.is_confirmed_by(&input.confirm) {
        return page.not_confirmed(&visit, input.confirm);
    }
    let once = visit.once(input.idempotency_key, &input)?;
    match http::end(&granted.in_live(), &changes, user, once).await {
        Ok(_) => Ok(visit.done(&page.back, Flash::MemberRemoved)),
        Err(problem) => page.refused(&visit, input.confirm, problem),
    }
}

async fn transfer_page(
    visit: &Visit,
    granted: &Granted<may::ManageMembers>,
    db: &Db,
    user: UserId,
) -> Result<ConfirmPage, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::People).await?;
    let email = http::find(granted, (db, visit.notary()), user).await?.email;
    let path = format!("/members/{user}/transfer");
    Ok(ConfirmPage::of(visit, granted, desk, Step::Transfer { email }, &path))
}

/// `GET /w/{workspace}/{environment}/members/{id}/transfer`.
///
/// # Errors
/// `not_found`.
pub async fn ask_transfer(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    PathId(user): PathId<UserId>,
) -> Result<Response, Problem> {
    visit.page(&transfer_page(&visit, &granted, &db, user).await?)
}

/// `POST /w/{workspace}/{environment}/members/{id}/transfer`.
///
/// # Errors
/// As the API's.
pub async fn transfer(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(user): PathId<UserId>,
    Form(input): Form<ConfirmInput>,
) -> Result<Response, Problem> {
    let page = transfer_page(&visit, &granted, &db, user).await?;
    if !page.step.is_confirmed_by(&input.confirm) {
        return page.not_confirmed(&visit, input.confirm);
    }
    let once = visit.once(input.idempotency_key, &input)?;
    let wanted = TransferWorkspace { to: user, confirm: input.confirm.clone() };
    match http::hand_over(&granted.in_live(), &changes, &wanted, once).await {
        Ok(_) => Ok(visit.done(&page.back, Flash::WorkspaceTransferred)),
        Err(problem) => page.refused(&visit, input.confirm, problem),
    }
}

async fn leave_page(visit: &Visit, granted: &Granted<may::LeaveWorkspace>, db: &Db) -> Result<ConfirmPage, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::People).await?;
    let mut tx = db.workspace_tx(granted).await?;
    let slug = workspaces::slug(&mut tx).await?;
    tx.finish_reading().await?;
    Ok(ConfirmPage::of(visit, granted, desk, Step::Leave { slug }, "/leave"))
}

/// `GET /w/{workspace}/{environment}/leave`.
///
/// # Errors
/// `not_found`.
pub async fn ask_leave(
    granted: Granted<may::LeaveWorkspace>,
    visit: Visit,
    State(db): State<Db>,
) -> Result<Response, Problem> {
    visit.page(&leave_page(&visit, &granted, &db).await?)
}

/// `POST /w/{workspace}/{environment}/leave`.
///
/// # Errors
/// As the API's.
pub async fn leave(
    granted: Granted<may::LeaveWorkspace>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    Form(input): Form<ConfirmInput>,
) -> Result<Response, Problem> {
    let page = leave_page(&visit, &granted, &db).await?;
    if !page.step.is_confirmed_by(&input.confirm) {
        return page.not_confirmed(&visit, input.confirm);
    }
    let once = visit.once(input.idempotency_key, &input)?;
    match http::go(&granted.in_live(), &changes, &input.confirm.trim().to_lowercase(), once).await {
        Ok(_) => Ok(visit.done("/workspaces", Flash::WorkspaceLeft)),
        Err(problem) => page.refused(&visit, input.confirm, problem),
    }
}
