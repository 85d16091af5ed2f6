//! The registered actions in the console: the list, a form for another, and a button to retire each.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::http;
use super::model::{RegisterAction, RegisteredAction, Words};
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Field, Flash, Moment, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, PathId, Problem};
use crate::workspaces;

const NO_WORDS: &str =
    "Write two lower-case words or more with dots between them, as in invoice.paid: 64 letters at most, no digits.";

/// `/w/{workspace}/{environment}/audit/actions`.
#[derive(Template)]
#[template(path = "audit/actions.html")]
struct ActionsPage {
    desk: Desk,
    actions: Vec<ActionRow>,
    form: ActionForm,
    /// How to do the same by command.
    cli: String,
}

struct ActionRow {
    action: String,
    description: Option<String>,
    at: Moment,
    /// Where its retirement is sent to.
    retire: String,
    idempotency_key: Uuid,
}

struct ActionForm {
    idempotency_key: Uuid,
    action: Field,
    description: Field,
    fault: Option<&'static str>,
}

impl ActionForm {
    const fn has_faults(&self) -> bool {
        self.fault.is_some() || self.action.fault.is_some() || self.description.fault.is_some()
    }
}

impl ActionsPage {
    fn of(visit: &Visit, desk: Desk, actions: Vec<RegisteredAction>, form: ActionForm) -> Self {
        let row = |action: RegisteredAction| ActionRow {
            retire: desk.path(&format!("/audit/actions/{}/retire", action.action)),
            idempotency_key: visit.form_key(),
            at: visit.moment(action.registered_at),
            action: action.action,
            description: action.description,
        };
        let cli = format!(
            "bailiwick audit actions add invoice.paid --workspace {} --environment {}",
            desk.workspace.named, desk.environment
        );
        Self { actions: actions.into_iter().map(row).collect(), form, cli, desk }
    }
}

/// The form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionInput {
    idempotency_key: Uuid,
    action: String,
    #[serde(default)]
    description: String,
}

/// The button.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetireInput {
    idempotency_key: Uuid,
}

/// `GET /w/{workspace}/{environment}/audit/actions`.
///
/// # Errors
/// As the API's.
pub async fn index(granted: Granted<may::ReadAudit>, visit: Visit, State(db): State<Db>) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let actions = http::all(&granted, &db).await?;
    let form = ActionForm {
        idempotency_key: visit.form_key(),
        action: Field::default(),
        description: Field::default(),
        fault: None,
    };
    visit.page(&ActionsPage::of(&visit, desk, actions, form))
}

/// `POST /w/{workspace}/{environment}/audit/actions`.
///
/// # Errors
/// As the API's.
pub async fn register(
    granted: Granted<may::ManageActions>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    Form(input): Form<ActionInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let mut form = ActionForm {
        idempotency_key: visit.form_key(),
        action: Field::typed(input.action.trim()),
        description: Field::typed(input.description.trim()),
        fault: None,
    };
    if let Some(new) = read(&mut form) {
        match http::add(&granted, &changes, &new, visit.once(input.idempotency_key, &input)?).await {
            Ok(_) => return Ok(visit.done(&desk.path("/audit/actions"), Flash::ActionRegistered)),
            Err(problem) => refuse(problem, &mut form)?,
        }
    }
    let actions = http::all(&granted, &db).await?;
    visit.form_again(&ActionsPage::of(&visit, desk, actions, form))
}

/// What was filled in; `None` when a field cannot be meant, which then stands beside it.
fn read(form: &mut ActionForm) -> Option<RegisterAction> {
    let action = form.action.value.parse().ok();
    if action.is_none() {
        form.action.fault = Some(NO_WORDS.to_owned());
    }
    let description = match form.description.value.as_str() {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    if description.is_none() {
        form.description.fault = Some("Say it in a line of 80 characters at most.".to_owned());
    }
    Some(RegisterAction { action: action?, description: description? })
}

/// Puts what was refused beside its field; what is none of the form's business stays a problem.
fn refuse(problem: Problem, form: &mut ActionForm) -> Result<(), Problem> {
    match problem.code() {
        Code::NameTaken => form.action.fault = Some("This action is registered already.".to_owned()),
        Code::ActionReserved => {
            form.action.fault =
                Some("This begins with a word of Bailiwick's. Begin it with one of your product.".to_owned());
        }
        Code::InvalidBody => form.action.fault = problem.field_errors().first().map(|error| error.detail.clone()),
        Code::IdempotencyKeyReused => form.fault = Some(SENT_BEFORE),
        _ => return Err(problem),
    }
    Ok(())
}

/// `POST /w/{workspace}/{environment}/audit/actions/{id}/retire`.
///
/// # Errors
/// As the API's.
pub async fn retire(
    granted: Granted<may::ManageActions>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(action): PathId<Words>,
    Form(input): Form<RetireInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    http::remove(&granted, &changes, &action, visit.once(input.idempotency_key, &input)?).await?;
    Ok(visit.done(&desk.path("/audit/actions"), Flash::ActionRetired))
}
