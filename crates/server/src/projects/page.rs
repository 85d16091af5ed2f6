//! The projects of an environment, and the making of one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CreateProject, Project, http, sql};
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Field, Flash, IdChip, Listing, Moment, Noun, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, Json, ListQuery, Page, Problem, Query};
use crate::workspaces;

const NOUN: Noun = Noun { one: "project", many: "projects" };
/// How many stand under a form that comes back.
const BESIDE_FORM: u16 = 50;

/// `/w/{workspace}/{environment}/projects`.
#[derive(Template)]
#[template(path = "projects/index.html")]
struct IndexPage {
    desk: Desk,
    projects: Vec<ProjectRow>,
    list: Listing,
    form: ProjectForm,
    /// How to do the same by command.
    cli: String,
}

struct ProjectRow {
    name: String,
    id: IdChip,
    created: Moment,
}

struct ProjectForm {
    idempotency_key: Uuid,
    name: Field,
    fault: Option<&'static str>,
}

impl ProjectForm {
    fn has_faults(&self) -> bool {
        self.fault.is_some() || self.name.fault.is_some()
    }
}

impl IndexPage {
    fn of(visit: &Visit, desk: Desk, page: Page<Project>, cursor: Option<&str>, form: ProjectForm) -> Self {
        let Page { data, next_cursor } = page;
        let list = Listing::new(NOUN, data.len(), &desk.path("/projects"), cursor, next_cursor.as_deref());
        let row = |project: Project| ProjectRow {
            name: project.name,
            id: IdChip::of_row(project.id),
            created: visit.moment(project.created_at),
        };
        let cli = format!(
            "bailiwick projects create Storefront --workspace {} --environment {}",
            desk.workspace.named, desk.environment
        );
        Self { projects: data.into_iter().map(row).collect(), list, form, cli, desk }
    }
}

/// The form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectInput {
    idempotency_key: Uuid,
    name: String,
}

/// Whether a page of the list is its first.
#[derive(Deserialize)]
pub struct Cursor {
    cursor: Option<String>,
}

/// `GET /w/{workspace}/{environment}/projects`.
///
/// # Errors
/// As the API's.
pub async fn index(
    granted: Granted<may::ReadProjects>,
    visit: Visit,
    State(db): State<Db>,
    Query(query): Query<ListQuery>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Projects).await?;
    let Json(page) = http::list(granted, State(db), Query(query)).await?;
    let form = ProjectForm { idempotency_key: visit.form_key(), name: Field::default(), fault: None };
    visit.page(&IndexPage::of(&visit, desk, page, cursor.as_deref(), form))
}

/// `POST /w/{workspace}/{environment}/projects`.
///
/// # Errors
/// As the API's.
pub async fn create(
    granted: Granted<may::CreateProject>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    Form(input): Form<ProjectInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Projects).await?;
    let mut form = ProjectForm { idempotency_key: visit.form_key(), name: Field::typed(&input.name), fault: None };
    match input.name.parse() {
        Err(_) => form.name.fault = Some("Give it a name of 1 to 80 characters, without invisible ones.".to_owned()),
        Ok(name) => {
            let once = visit.once(input.idempotency_key, &input)?;
            match http::make(&granted, &changes, &CreateProject { name }, once).await {
                Ok(_) => return Ok(visit.done(&desk.path("/projects"), Flash::ProjectCreated)),
                Err(problem) => refuse(problem, &mut form)?,
            }
        }
    }
    let mut tx = db.workspace_tx(&granted).await?;
    let mut data = sql::list(&mut tx, None, BESIDE_FORM).await?;
    tx.finish_reading().await?;
    data.truncate(usize::from(BESIDE_FORM));
    visit.form_again(&IndexPage::of(&visit, desk, Page { data, next_cursor: None }, None, form))
}

/// Puts what was refused beside its field; what is none of the form's business stays a problem.
fn refuse(problem: Problem, form: &mut ProjectForm) -> Result<(), Problem> {
    match problem.code() {
        Code::NameTaken => {
            form.name.fault = Some("A project of this environment has this name. Choose another.".to_owned());
        }
        Code::IdempotencyKeyReused => form.fault = Some(SENT_BEFORE),
        _ => return Err(problem),
    }
    Ok(())
}
