//! A key gets a successor: the form, and the way to the page that shows the successor once.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::ApiKeyId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::create::show_once;
use super::key_path;
use crate::api_keys::http;
use crate::api_keys::model::{ApiKey, RotateApiKey};
use crate::api_keys::rotation::DEFAULT_OVERLAP_SECONDS;
use crate::authz::{Granted, may};
use crate::console::{Area, Choice, Desk, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, PathId, Problem};
use crate::workspaces;

/// `…/keys/{id}/rotate`.
#[derive(Template)]
#[template(path = "api_keys/rotate.html")]
struct RotatePage {
    desk: Desk,
    form: RotateForm,
}

/// The form of both: of the dialog over the key's page, and of the page of its own.
pub(super) struct RotateForm {
    pub(super) action: String,
    pub(super) back: String,
    pub(super) idempotency_key: Uuid,
    pub(super) name: String,
    pub(super) overlaps: [Choice; 6],
    pub(super) fault: Option<String>,
    /// It takes a person who signed in lately.
    pub(super) must_prove: bool,
}

impl RotateForm {
    pub(super) fn new(desk: &Desk, visit: &Visit, key: &ApiKey) -> Self {
        let back = key_path(desk, key.id);
        let overlaps = [
            (0, "Not at all: it stops at once"),
            (3_600, "For an hour"),
            (DEFAULT_OVERLAP_SECONDS, "For a day"),
            (7 * 24 * 3_600, "For 7 days"),
            (14 * 24 * 3_600, "For 14 days"),
            (30 * 24 * 3_600, "For 30 days"),
        ];
        Self {
            action: format!("{back}/rotate"),
            back,
            idempotency_key: visit.form_key(),
            name: key.name.clone(),
            overlaps: overlaps.map(|(seconds, label)| Choice {
                value: seconds.to_string(),
                label: label.to_owned(),
                chosen: seconds == DEFAULT_OVERLAP_SECONDS,
            }),
            fault: None,
            must_prove: false,
        }
    }
}

/// What was chosen.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateInput {
    idempotency_key: Uuid,
    overlap_seconds: u32,
}

/// `GET …/keys/{id}/rotate`.
///
/// # Errors
/// `not_found`.
pub async fn ask(
    granted: Granted<may::RotateKey>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let key = http::find(&granted, &db, id).await?;
    visit.page(&RotatePage { form: RotateForm::new(&desk, &visit, &key), desk })
}

/// `POST …/keys/{id}/rotate`.
///
/// # Errors
/// As the API's.
pub async fn rotate(
    granted: Granted<may::RotateKey>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(id): PathId<ApiKeyId>,
    Form(input): Form<RotateInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let key = http::find(&granted, &db, id).await?;
    let once = visit.once(input.idempotency_key, &input)?;
    let how = RotateApiKey { overlap_seconds: Some(input.overlap_seconds) };
    let problem = match http::succeed(&granted, &changes, id, &how, once).await {
        Ok(reply) => return show_once(&granted, &visit, &desk, &changes.vault, &reply).await,
        Err(problem) => problem,
    };
    let mut form = RotateForm::new(&desk, &visit, &key);
    form.must_prove = problem.code() == Code::StepUpRequired;
    form.fault = Some(match problem.code() {
        Code::IdempotencyKeyReused => SENT_BEFORE.to_owned(),
        Code::StepUpRequired => "This key reads secrets, and you signed in more than 10 minutes ago.".to_owned(),
        Code::BeyondOwnAuthority => "This key may do more than your own role, so you cannot make another.".to_owned(),
        Code::KeyAlreadyRotated | Code::KeyNotActive => problem.code().title().to_owned(),
        Code::InvalidBody => "Choose one of the overlaps.".to_owned(),
        _ => return Err(problem),
    });
    visit.form_again(&RotatePage { form, desk })
}
