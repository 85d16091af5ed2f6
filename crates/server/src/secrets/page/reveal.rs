//! The page that shows a value.
//!
//! It is the answer to the form itself, not a page after a redirect: a value of 64 KiB waits in no cookie, and each showing
//! is a reading of its own, with an entry of its own.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bailiwick_proof::id::SecretId;
use serde::Deserialize;

use super::secret_path;
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Flash, IdChip, Moment, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, PathId, Problem};
use crate::secrets::http;
use crate::secrets::model::{RevealSecret, RevealedSecret};
use crate::workspaces;

/// `…/secrets/{id}/reveal`.
#[derive(Template)]
#[template(path = "secrets/revealed.html")]
struct RevealedPage {
    desk: Desk,
    back: String,
    revealed: RevealedSecret,
    entry: IdChip,
    until: Moment,
}

/// The same, when the sign-in is not fresh.
#[derive(Template)]
#[template(path = "secrets/step_up.html")]
struct StepUpPage {
    desk: Desk,
    back: String,
    name: String,
}

/// Which version.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealInput {
    version: u32,
}

/// `POST …/secrets/{id}/reveal`.
///
/// # Errors
/// As the API's.
pub async fn reveal(
    granted: Granted<may::RevealSecret>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(id): PathId<SecretId>,
    Form(input): Form<RevealInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let (back, name) = (secret_path(&desk, id), http::find(&granted, &db, id).await?.secret.name);
    let how = RevealSecret { version: Some(input.version), lease_seconds: None };
    match http::open(granted, &changes, id, how).await {
        Ok(revealed) => visit.page(&RevealedPage {
            entry: IdChip::new(revealed.lease_id, desk.path(&format!("/audit/{}", revealed.lease_id))),
            until: visit.moment(revealed.expires_at),
            desk,
            back,
            revealed,
        }),
        Err(problem) if problem.code() == Code::StepUpRequired => {
            visit.page_with(StatusCode::FORBIDDEN, &StepUpPage { desk, back, name })
        }
        Err(problem) => Err(problem),
    }
}

/// `POST …/secrets/{id}/read`: “I have it”, back to the page of the secret.
///
/// # Errors
/// `forbidden`.
pub async fn read(
    granted: Granted<may::RevealSecret>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<SecretId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    Ok(visit.done(&secret_path(&desk, id), Flash::SecretRead))
}
