//! Saved filters in the console: on the page of the log, as links, with a form that saves what is filled in.

use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::FilterId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::http;
use super::model::{SaveFilter, SavedFilter, parse_day};
use crate::audit::page::{self, PageQuery, Parts};
use crate::authz::{Granted, Permission, may};
use crate::console::{Area, Desk, Field, Flash, SENT_BEFORE, Visit};
use crate::http::{Code, Form, PathId, Problem};
use crate::workspaces;

/// A saved filter as a row of the page.
pub(in crate::audit) struct SavedRow {
    pub(in crate::audit) name: String,
    /// The list that it narrows to; nothing of one that named somebody who was erased.
    pub(in crate::audit) href: Option<String>,
    pub(in crate::audit) shared: bool,
    /// Where its deletion is sent to, for whoever may.
    pub(in crate::audit) delete: Option<String>,
    pub(in crate::audit) idempotency_key: Uuid,
}

/// The form that saves what the list is narrowed to.
pub(in crate::audit) struct SaveForm {
    pub(in crate::audit) idempotency_key: Uuid,
    pub(in crate::audit) name: Field,
    pub(in crate::audit) shared: bool,
    pub(in crate::audit) fault: Option<String>,
}

impl SaveForm {
    pub(in crate::audit) fn empty(visit: &Visit) -> Self {
        Self { idempotency_key: visit.form_key(), name: Field::default(), shared: false, fault: None }
    }
}

/// The caller's filters as rows.
pub(in crate::audit) fn rows(filters: Vec<SavedFilter>, desk: &Desk, visit: &Visit) -> Vec<SavedRow> {
    let may_share = desk.may(Permission::ShareFilters);
    let row = |filter: SavedFilter| SavedRow {
        delete: (!filter.shared || may_share).then(|| desk.path(&format!("/audit/filters/{}/delete", filter.id))),
        href: (!filter.erased).then(|| {
            let text = Option::unwrap_or_default;
            let query = PageQuery::of([
                text(filter.action),
                text(filter.actor),
                text(filter.target),
                text(filter.from),
                text(filter.to),
            ]);
            desk.path(&format!("/audit{}", page::query_string(&query)))
        }),
        name: filter.name,
        shared: filter.shared,
        idempotency_key: visit.form_key(),
    };
    filters.into_iter().map(row).collect()
}

/// The form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaveInput {
    idempotency_key: Uuid,
    #[serde(default)]
    name: String,
    #[serde(default)]
    shared: Option<String>,
    #[serde(default)]
    action: String,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

/// The button.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteInput {
    idempotency_key: Uuid,
}

/// `POST /w/{workspace}/{environment}/audit/filters`.
///
/// # Errors
/// As the API's; what cannot be saved stands beside its field.
pub async fn save(
    granted: Granted<may::ReadAudit>,
    visit: Visit,
    State(parts): State<Parts>,
    Form(input): Form<SaveInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &parts.changes.db, Area::Audit).await?;
    let once = visit.once(input.idempotency_key, &input)?;
    let words = [&input.action, &input.actor, &input.target, &input.from, &input.to];
    let query = PageQuery::of(words.map(|word| word.trim().to_owned()));
    let mut form = SaveForm {
        idempotency_key: visit.form_key(),
        name: Field::typed(input.name.trim()),
        shared: input.shared.is_some(),
        fault: None,
    };
    if let Some(new) = read(&input, &mut form) {
        match http::add(&granted, &parts.changes, &parts.ledger, &new, once).await {
            Ok(_) => {
                let back = desk.path(&format!("/audit{}", page::query_string(&query)));
                return Ok(visit.done(&back, Flash::FilterSaved));
            }
            Err(problem) => refuse(problem, &mut form)?,
        }
    }
    page::again(&granted, visit, &parts, desk, (query, form)).await
}

/// What was filled in; `None` when something cannot be meant, which is then said.
fn read(input: &SaveInput, form: &mut SaveForm) -> Option<SaveFilter> {
    let name = form.name.value.parse().ok();
    if name.is_none() {
        form.name.fault = Some("Name it in a line of 80 characters at most.".to_owned());
    }
    let mut is_good = true;
    let mut word = |text: &str, is_meant: bool| {
        is_good &= text.trim().is_empty() || is_meant;
    };
    let (action, actor, target) =
        (input.action.trim().parse().ok(), input.actor.trim().parse().ok(), input.target.trim().parse().ok());
    let (from, to) = (parse_day(input.from.trim()), parse_day(input.to.trim()));
    word(&input.action, action.is_some());
    word(&input.actor, actor.is_some());
    word(&input.target, target.is_some());
    word(&input.from, from.is_some());
    word(&input.to, to.is_some());
    if !is_good {
        form.fault = Some(
            "Only an action's lower-case words with dots, lines of up to 256 bytes and days can be saved.".to_owned(),
        );
        return None;
    }
    Some(SaveFilter { name: name?, action, actor, target, from, to, shared: form.shared })
}

/// Puts what was refused where it belongs; what is none of the form's business stays a problem.
fn refuse(problem: Problem, form: &mut SaveForm) -> Result<(), Problem> {
    match problem.code() {
        Code::NameTaken => form.name.fault = Some("There is a filter of this name already.".to_owned()),
        Code::InvalidBody => form.fault = problem.field_errors().first().map(|error| error.detail.clone()),
        Code::IdempotencyKeyReused => form.fault = Some(SENT_BEFORE.to_owned()),
        _ => return Err(problem),
    }
    Ok(())
}

/// `POST /w/{workspace}/{environment}/audit/filters/{id}/delete`.
///
/// # Errors
/// As the API's.
pub async fn delete(
    granted: Granted<may::ReadAudit>,
    visit: Visit,
    State(parts): State<Parts>,
    PathId(filter): PathId<FilterId>,
    Form(input): Form<DeleteInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &parts.changes.db, Area::Audit).await?;
    http::remove(&granted, &parts.changes, filter, visit.once(input.idempotency_key, &input)?).await?;
    Ok(visit.done(&desk.path("/audit"), Flash::FilterDeleted))
}
