//! One member, as an owner sees them: their role, and the ways to another.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bailiwick_proof::id::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::MemberRow;
use super::matrix::RoleChoice;
use crate::authz::{Granted, Role, may};
use crate::console::{Area, Desk, Flash, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, PathId, Problem};
use crate::members::http;
use crate::workspaces;

/// `/w/{workspace}/{environment}/members/{id}`.
#[derive(Template)]
#[template(path = "members/person.html")]
struct PersonPage {
    desk: Desk,
    who: MemberRow,
    roles: Vec<RoleChoice>,
    idempotency_key: Uuid,
    fault: Option<&'static str>,
    must_sign_in: bool,
}

async fn page(
    visit: &Visit,
    granted: &Granted<may::ManageMembers>,
    db: &Db,
    user: UserId,
) -> Result<PersonPage, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::People).await?;
    let member = http::find(granted, (db, visit.notary()), user).await?;
    let roles = RoleChoice::all(member.role.as_str());
    let who = MemberRow::of(member, &desk, visit);
    let must_sign_in = !granted.is_stepped_up();
    Ok(PersonPage { desk, who, roles, idempotency_key: visit.form_key(), fault: None, must_sign_in })
}

/// `GET /w/{workspace}/{environment}/members/{id}`.
///
/// # Errors
/// `not_found`.
pub async fn show(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    PathId(user): PathId<UserId>,
) -> Result<Response, Problem> {
    visit.page(&page(&visit, &granted, &db, user).await?)
}

/// The role that was chosen.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleInput {
    idempotency_key: Uuid,
    role: String,
}

/// `POST /w/{workspace}/{environment}/members/{id}/role`.
///
/// # Errors
/// As the API's.
pub async fn change_role(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(user): PathId<UserId>,
    Form(input): Form<RoleInput>,
) -> Result<Response, Problem> {
    let mut page = page(&visit, &granted, &db, user).await?;
    let Ok(role) = input.role.parse::<Role>() else {
        page.fault = Some("Choose a role.");
        return visit.form_again(&page);
    };
    let once = visit.once(input.idempotency_key, &input)?;
    match http::set_role(&granted.in_live(), &changes, (user, role), once).await {
        Ok(_) => return Ok(visit.done(&page.desk.path("/members"), Flash::RoleChanged)),
        Err(problem) => match problem.code() {
            Code::LastOwner => page.fault = Some(LAST_OWNER),
            Code::IdempotencyKeyReused => page.fault = Some(SENT_BEFORE),
            Code::StepUpRequired => {
                page.must_sign_in = true;
                return visit.page_with(StatusCode::FORBIDDEN, &page);
            }
            _ => return Err(problem),
        },
    }
    page.roles = RoleChoice::all(&input.role);
    visit.form_again(&page)
}

/// Beside a form that would leave a workspace without an owner.
pub(super) const LAST_OWNER: &str =
    "A workspace has an owner, always, and this is the last one. Make somebody else an owner first.";
