//! A secret is entrusted to us. What was typed comes back with what is wrong beside it; the value never does.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::{NO_VALUE, secret_path, typed_value};
use crate::authz::{Granted, may};
use crate::console::{Area, Choice, Desk, Field, Flash, SENT_BEFORE, Visit};
use crate::db::{Db, DbError};
use crate::http::{Changes, Code, Form, Problem};
use crate::secrets::http;
use crate::secrets::kind::Kind;
use crate::secrets::model::{CreateSecret, Secret, SecretName};
use crate::{projects, workspaces};

/// So many projects are offered.
const OFFERED: u16 = 1_000;

/// `…/secrets/new`.
#[derive(Template)]
#[template(path = "secrets/new.html")]
struct NewPage {
    desk: Desk,
    form: SecretForm,
}

struct SecretForm {
    idempotency_key: Uuid,
    fault: Option<&'static str>,
    name: Field,
    kinds: Vec<Choice>,
    projects: Vec<Choice>,
    project_fault: Option<String>,
    value_fault: Option<String>,
}

/// What was typed and chosen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretInput {
    idempotency_key: Uuid,
    name: String,
    kind: String,
    project_id: String,
    value: String,
}

impl SecretForm {
    fn new(visit: &Visit, projects: Vec<Choice>) -> Self {
        let kinds = Kind::ALL.map(|kind| Choice {
            value: kind.as_str().to_owned(),
            label: kind.label().to_owned(),
            chosen: kind == Kind::Generic,
        });
        Self {
            idempotency_key: visit.form_key(),
            fault: None,
            name: Field::default(),
            kinds: kinds.into(),
            projects,
            project_fault: None,
            value_fault: None,
        }
    }

    /// Filled in as it was sent, but for the value.
    fn fill_in(&mut self, input: &SecretInput) {
        self.name = Field::typed(&input.name);
        for (choices, value) in [(&mut self.kinds, &input.kind), (&mut self.projects, &input.project_id)] {
            choices.iter_mut().for_each(|choice| choice.chosen = choice.value == *value);
        }
    }

    fn has_faults(&self) -> bool {
        self.fault.is_some()
            || [&self.name.fault, &self.project_fault, &self.value_fault].into_iter().any(Option::is_some)
    }

    /// Reads what was sent; notes beside its field what cannot be.
    fn read(&mut self, input: SecretInput) -> Option<CreateSecret> {
        let name: Option<SecretName> = input.name.trim().parse().ok();
        if name.is_none() {
            self.name.fault =
                Some("Use lower-case letters and digits, in words joined by dots or dashes: db.main.".to_owned());
        }
        let project_id = match input.project_id.as_str() {
            "" => Some(None),
            id => id.parse().ok().map(Some),
        };
        if project_id.is_none() {
            self.project_fault = Some("Choose a project of this environment, or none.".to_owned());
        }
        let value = typed_value(input.value);
        if value.is_none() {
            self.value_fault = Some(NO_VALUE.to_owned());
        }
        let kind = input.kind.parse().unwrap_or(Kind::Generic);
        Some(CreateSecret { name: name?, kind, project_id: project_id?, value: value? })
    }

    /// Puts what was refused beside its field; what is none of the form's business stays a problem.
    fn refuse(&mut self, problem: Problem) -> Result<(), Problem> {
        match problem.code() {
            Code::NameTaken => {
                self.name.fault = Some("A secret of this environment has that name. Choose another.".to_owned());
            }
            Code::IdempotencyKeyReused => self.fault = Some(SENT_BEFORE),
            Code::InvalidBody => {
                for error in problem.field_errors() {
                    let fault = Some(error.detail.clone());
                    match error.pointer.as_str() {
                        "/project_id" => self.project_fault = fault,
                        _ => self.value_fault = fault,
                    }
                }
            }
            _ => return Err(problem),
        }
        Ok(())
    }
}

/// `GET …/secrets/new`.
///
/// # Errors
/// `forbidden`.
pub async fn new(granted: Granted<may::CreateSecret>, visit: Visit, State(db): State<Db>) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let form = SecretForm::new(&visit, projects_of(&granted, &db).await?);
    visit.page(&NewPage { desk, form })
}

async fn projects_of(granted: &Granted<may::CreateSecret>, db: &Db) -> Result<Vec<Choice>, DbError> {
    let mut tx = db.workspace_tx(granted).await?;
    let projects = projects::list(&mut tx, None, OFFERED).await?;
    tx.finish_reading().await?;
    let choice =
        |project: projects::Project| Choice { value: project.id.to_string(), label: project.name, chosen: false };
    Ok(projects.into_iter().map(choice).collect())
}

/// `POST …/secrets`.
///
/// # Errors
/// As the API's.
pub async fn create(
    granted: Granted<may::CreateSecret>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    Form(input): Form<SecretInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let mut form = SecretForm::new(&visit, projects_of(&granted, &db).await?);
    form.fill_in(&input);
    let once = visit.once(input.idempotency_key, &(&input.name, &input.kind, &input.project_id, &input.value))?;
    if let Some(new) = form.read(input) {
        match http::make(&granted, &changes, &new, once).await {
            Ok(reply) => {
                let made: Secret = reply.read()?;
                return Ok(visit.done(&secret_path(&desk, made.id), Flash::SecretStored));
            }
            Err(problem) => form.refuse(problem)?,
        }
    }
    visit.form_again(&NewPage { desk, form })
}
