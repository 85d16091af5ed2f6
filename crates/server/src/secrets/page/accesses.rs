//! Who read a secret, from the audit log.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::SecretId;
use serde::Deserialize;

use super::secret_path;
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, IdChip, Listing, Moment, Noun, Visit};
use crate::db::Db;
use crate::http::{PathId, Problem, Query};
use crate::ledger::Ledger;
use crate::members::Names;
use crate::secrets::http::{self, AccessQuery};
use crate::secrets::model::SecretAccess;
use crate::workspaces;

const NOUN: Noun = Noun { one: "reading", many: "readings" };

/// `…/secrets/{id}/accesses`.
#[derive(Template)]
#[template(path = "secrets/accesses.html")]
struct AccessesPage {
    desk: Desk,
    back: String,
    name: String,
    readings: Vec<Reading>,
    list: Listing,
}

/// A reading in words.
struct Reading {
    entry: IdChip,
    by: Option<String>,
    from: Option<String>,
    version: Option<u64>,
    at: Moment,
}

impl Reading {
    fn of(access: SecretAccess, names: &Names, desk: &Desk, visit: &Visit) -> Self {
        Self {
            entry: IdChip::new(access.event_id, desk.path(&format!("/audit/{}", access.event_id))),
            by: access.read_by.map(|id| names.of(id)),
            from: access.client_ip,
            version: access.version,
            at: visit.moment(access.read_at),
        }
    }
}

/// The part of the query that the page itself shows.
#[derive(Deserialize)]
pub struct Shown {
    cursor: Option<String>,
}

/// `GET …/secrets/{id}/accesses`.
///
/// # Errors
/// As the API's.
pub async fn accesses(
    granted: Granted<may::ReadAudit>,
    visit: Visit,
    State(db): State<Db>,
    State(ledger): State<Ledger>,
    PathId(id): PathId<SecretId>,
    Query(query): Query<AccessQuery>,
    Query(shown): Query<Shown>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let (secret, page) = http::readings(&granted, &db, &ledger, id, query).await?;
    let names = Names::look_up(&granted, &db).await?;
    let back = secret_path(&desk, id);
    let path = format!("{back}/accesses");
    let list = Listing::new(NOUN, page.data.len(), &path, shown.cursor.as_deref(), page.next_cursor.as_deref());
    let readings = page.data.into_iter().map(|access| Reading::of(access, &names, &desk, &visit)).collect();
    visit.page(&AccessesPage { back, name: secret.name, readings, list, desk })
}
