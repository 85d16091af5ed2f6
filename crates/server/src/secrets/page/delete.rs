//! The end of a secret: asked for by its name, in a dialog over its page or on a page of its own.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::SecretId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::secret_path;
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Field, Flash, Visit};
use crate::db::Db;
use crate::http::{Changes, Form, PathId, Problem};
use crate::jobs::Queue;
use crate::secrets::http;
use crate::secrets::model::Secret;
use crate::workspaces;

/// `…/secrets/{id}/delete`.
#[derive(Template)]
#[template(path = "secrets/delete.html")]
struct DeletePage {
    desk: Desk,
    form: DeleteForm,
}

/// The form of both.
pub(super) struct DeleteForm {
    pub(super) action: String,
    pub(super) back: String,
    pub(super) idempotency_key: Uuid,
    pub(super) name: String,
    /// The name, typed once more.
    pub(super) confirm: Field,
}

impl DeleteForm {
    pub(super) fn new(desk: &Desk, visit: &Visit, secret: &Secret, confirm: Field) -> Self {
        let back = secret_path(desk, secret.id);
        let action = format!("{back}/delete");
        Self { action, back, idempotency_key: visit.form_key(), name: secret.name.clone(), confirm }
    }
}

/// What was typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteInput {
    idempotency_key: Uuid,
    confirm: String,
}

/// `GET …/secrets/{id}/delete`.
///
/// # Errors
/// `not_found`.
pub async fn confirm(
    granted: Granted<may::DeleteSecret>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<SecretId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let secret = http::find(&granted, &db, id).await?.secret;
    visit.page(&DeletePage { form: DeleteForm::new(&desk, &visit, &secret, Field::default()), desk })
}

/// `POST …/secrets/{id}/delete`.
///
/// # Errors
/// As the API's.
pub async fn delete(
    granted: Granted<may::DeleteSecret>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
    PathId(id): PathId<SecretId>,
    Form(input): Form<DeleteInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let secret = http::find(&granted, &db, id).await?.secret;
    if input.confirm.trim() != secret.name {
        let fault = format!("That is not its name. Type “{}”, exactly.", secret.name);
        let form = DeleteForm::new(&desk, &visit, &secret, Field::typed(input.confirm).with_fault(fault));
        return visit.form_again(&DeletePage { form, desk });
    }
    http::remove(&granted, &changes, &queue, id, visit.once(input.idempotency_key, &input)?).await?;
    Ok(visit.done(&desk.path("/secrets"), Flash::SecretDeleted))
}
