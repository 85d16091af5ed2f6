//! What to keep of a log, so as to tell later whether it was changed: its newest checkpoint and its key.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::log::Origin;

use super::timeline::Timeline;
use crate::audit::ops::{self, ReadError};
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Visit};
use crate::db::{Authority as _, Db};
use crate::http::Problem;
use crate::ledger::{self, Ledger};
use crate::workspaces;

/// `/w/{workspace}/{environment}/audit/checkpoint`.
#[derive(Template)]
#[template(path = "audit/checkpoint.html")]
struct CheckpointPage {
    desk: Desk,
    origin: String,
    size: u64,
    root: String,
    note: String,
    vkey: String,
    /// The address of the keys of both environments.
    jwks: String,
    pin: String,
    timeline: Option<Timeline>,
}

/// `GET /w/{workspace}/{environment}/audit/checkpoint`.
///
/// # Errors
/// `no_checkpoint` while nothing was recorded, `ledger_frozen`, `anchor_unavailable`.
pub async fn checkpoint(
    granted: Granted<may::ReadAudit>,
    visit: Visit,
    State(db): State<Db>,
    State(ledger): State<Ledger>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let signed = ops::checkpoint(&granted, &ledger).await?;
    let parsed: SignedCheckpoint =
        signed.note.parse().map_err(|error| Problem::internal("read a checkpoint", &error))?;
    let newest = parsed.unverified();
    let published = ops::published(&granted, &db).await?;
    visit.page(&CheckpointPage {
        timeline: Timeline::of(&published, granted.context().received_at),
        origin: newest.origin.clone(),
        size: newest.size,
        root: newest.root.to_string(),
        vkey: vkey_of(&granted, &ledger, signed.generation).await?,
        jwks: format!("{}/w/{}/.well-known/jwks.json", visit.origin(), granted.workspace()),
        pin: format!("bailiwick audit pin --workspace {} --environment {}", desk.workspace.named, desk.environment),
        note: signed.note,
        desk,
    })
}

/// The newest key of this generation of the log.
///
/// # Errors
/// `not_found` for a log without a key.
pub(super) async fn vkey_of(
    granted: &Granted<may::ReadAudit>,
    ledger: &Ledger,
    generation: u32,
) -> Result<String, Problem> {
    let log = ops::log_of(granted);
    let keys = ledger::published_keys(ledger, granted.workspace()).await.map_err(ReadError::from)?;
    let is_of_log = |name: &str| {
        name.parse::<Origin>().is_ok_and(|origin| origin.log() == log && origin.generation() == generation)
    };
    let key = keys.keys.iter().map(|jwk| jwk.verifier()).find(|key| is_of_log(key.name()));
    key.map(ToString::to_string).ok_or_else(|| ReadError::NotFound.into())
}
