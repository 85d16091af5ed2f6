//! A secret gets another value.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::SecretId;
use serde::Deserialize;
use uuid::Uuid;

use super::{NO_VALUE, secret_path, typed_value};
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Flash, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, PathId, Problem};
use crate::secrets::http;
use crate::secrets::kind::Kind;
use crate::secrets::model::{AddVersion, Secret};
use crate::workspaces;

/// `…/secrets/{id}/version`.
#[derive(Template)]
#[template(path = "secrets/version.html")]
struct VersionPage {
    desk: Desk,
    back: String,
    name: String,
    kind: Kind,
    idempotency_key: Uuid,
    fault: Option<&'static str>,
    value_fault: Option<String>,
}

impl VersionPage {
    fn new(desk: Desk, visit: &Visit, secret: Secret) -> Self {
        let back = secret_path(&desk, secret.id);
        let (name, kind, idempotency_key) = (secret.name, secret.kind, visit.form_key());
        Self { desk, back, name, kind, idempotency_key, fault: None, value_fault: None }
    }

    fn has_faults(&self) -> bool {
        self.fault.is_some() || self.value_fault.is_some()
    }
}

/// What was typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionInput {
    idempotency_key: Uuid,
    value: String,
}

/// `GET …/secrets/{id}/version`.
///
/// # Errors
/// `not_found`.
pub async fn ask(
    granted: Granted<may::UpdateSecret>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<SecretId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let secret = http::find(&granted, &db, id).await?.secret;
    visit.page(&VersionPage::new(desk, &visit, secret))
}

/// `POST …/secrets/{id}/version`.
///
/// # Errors
/// As the API's.
pub async fn add_version(
    granted: Granted<may::UpdateSecret>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(id): PathId<SecretId>,
    Form(input): Form<VersionInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let secret = http::find(&granted, &db, id).await?.secret;
    let mut page = VersionPage::new(desk, &visit, secret);
    let once = visit.once(input.idempotency_key, &input.value)?;
    let Some(value) = typed_value(input.value) else {
        page.value_fault = Some(NO_VALUE.to_owned());
        return visit.form_again(&page);
    };
    match http::renew(&granted, &changes, id, &AddVersion { value }, once).await {
        Ok(_) => return Ok(visit.done(&page.back, Flash::SecretVersionAdded)),
        Err(problem) => match problem.code() {
            Code::IdempotencyKeyReused => page.fault = Some(SENT_BEFORE),
            Code::InvalidBody => {
                page.value_fault = problem.field_errors().first().map(|error| error.detail.clone());
            }
            _ => return Err(problem),
        },
    }
    visit.form_again(&page)
}
