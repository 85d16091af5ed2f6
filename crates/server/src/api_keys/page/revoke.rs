//! The end of a key: asked for by its name, in a dialog over its page or on a page of its own.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::ApiKeyId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::key_path;
use crate::api_keys::http;
use crate::api_keys::model::ApiKey;
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Field, Flash, Visit};
use crate::db::Db;
use crate::http::{Changes, Form, PathId, Problem};
use crate::workspaces;

/// `…/keys/{id}/revoke`.
#[derive(Template)]
#[template(path = "api_keys/revoke.html")]
struct RevokePage {
    desk: Desk,
    form: RevokeForm,
}

/// The form of both.
pub(super) struct RevokeForm {
    pub(super) action: String,
    pub(super) back: String,
    pub(super) idempotency_key: Uuid,
    pub(super) name: String,
    /// The name, typed once more.
    pub(super) confirm: Field,
}

impl RevokeForm {
    pub(super) fn new(desk: &Desk, visit: &Visit, key: &ApiKey, confirm: Field) -> Self {
        let back = key_path(desk, key.id);
        let action = format!("{back}/revoke");
        Self { action, back, idempotency_key: visit.form_key(), name: key.name.clone(), confirm }
    }
}

/// What was typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeInput {
    idempotency_key: Uuid,
    confirm: String,
}

/// `GET …/keys/{id}/revoke`.
///
/// # Errors
/// `not_found`.
pub async fn confirm(
    granted: Granted<may::RevokeKey>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let key = http::find(&granted, &db, id).await?;
    visit.page(&RevokePage { form: RevokeForm::new(&desk, &visit, &key, Field::default()), desk })
}

/// `POST …/keys/{id}/revoke`.
///
/// # Errors
/// As the API's.
pub async fn revoke(
    granted: Granted<may::RevokeKey>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(id): PathId<ApiKeyId>,
    Form(input): Form<RevokeInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let key = http::find(&granted, &db, id).await?;
    if input.confirm.trim() != key.name {
        let fault = format!("That is not its name. Type “{}”, exactly.", key.name);
        let form = RevokeForm::new(&desk, &visit, &key, Field::typed(input.confirm).with_fault(fault));
        return visit.form_again(&RevokePage { form, desk });
    }
    http::end(&granted, &changes, id, visit.once(input.idempotency_key, &input)?).await?;
    Ok(visit.done(&key_path(&desk, id), Flash::KeyRevoked))
}
