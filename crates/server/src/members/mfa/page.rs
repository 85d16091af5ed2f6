//! The page on which an owner says that their workspace demands a second factor.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{WorkspaceSecurity, http};
use crate::authz::{Granted, Principal, may};
use crate::console::{Area, Desk, Flash, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, Problem};
use crate::jobs::Queue;
use crate::workspaces;

/// `/w/{workspace}/{environment}/security`.
#[derive(Template)]
#[template(path = "members/security.html")]
struct SecurityPage {
    desk: Desk,
    security: WorkspaceSecurity,
    idempotency_key: Uuid,
    /// Whether whoever looks could switch it on.
    strong: bool,
    must_sign_in: bool,
    fault: Option<&'static str>,
}

async fn page(visit: &Visit, granted: &Granted<may::ManageMembers>, db: &Db) -> Result<SecurityPage, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::People).await?;
    let security = http::look(granted, (db, visit.notary())).await?;
    let strong = matches!(granted.principal(), Principal::Session(person) if person.is_strong());
    let (idempotency_key, must_sign_in) = (visit.form_key(), !granted.is_stepped_up());
    Ok(SecurityPage { desk, security, idempotency_key, strong, must_sign_in, fault: None })
}

/// `GET /w/{workspace}/{environment}/security`.
///
/// # Errors
/// `forbidden`.
pub async fn show(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
) -> Result<Response, Problem> {
    visit.page(&page(&visit, &granted, &db).await?)
}

/// What is to be.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityInput {
    idempotency_key: Uuid,
    require_mfa: bool,
}

/// `POST /w/{workspace}/{environment}/security`.
///
/// # Errors
/// As the API's.
pub async fn change(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
    Form(input): Form<SecurityInput>,
) -> Result<Response, Problem> {
    let mut page = page(&visit, &granted, &db).await?;
    let once = visit.once(input.idempotency_key, &input)?;
    let flash = if input.require_mfa { Flash::MfaDemanded } else { Flash::MfaReleased };
    let problem = match http::say(&granted.in_live(), &changes, &queue, input.require_mfa, once).await {
        Ok(_) => return Ok(visit.done(&page.desk.path("/security"), flash)),
        Err(problem) => problem,
    };
    match problem.code() {
        Code::StepUpRequired => page.must_sign_in = true,
        Code::MfaRequired => page.strong = false,
        Code::IdempotencyKeyReused => page.fault = Some(SENT_BEFORE),
        _ => return Err(problem),
    }
    visit.page_with(StatusCode::FORBIDDEN, &page)
}
