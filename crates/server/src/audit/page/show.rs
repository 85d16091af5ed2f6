//! An entry with its proof, and the receipt to take away.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::commitment::Field;
use bailiwick_proof::id::EventId;
use bailiwick_proof::receipt::Receipt;
use serde::Deserialize;
use serde_json::Value;

use super::checkpoint::vkey_of;
use super::party::{Names, Party};
use crate::audit::http;
use crate::audit::model::AuditEventDetail;
use crate::audit::ops::{self, ReadError};
use crate::audit::reading::Readings;
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, IdChip, Moment, Visit};
use crate::db::Db;
use crate::http::{PathId, Problem, Query};
use crate::ledger::{Ledger, LedgerError, ProveError};
use crate::workspaces;

/// `/w/{workspace}/{environment}/audit/{id}`.
#[derive(Template)]
#[template(path = "audit/show.html")]
struct ShowPage {
    desk: Desk,
    entry: EntryView,
    older: Option<String>,
    newer: Option<String>,
    /// The receipt's address, with all opened that this page shows.
    receipt_href: String,
    /// The log's newest key.
    vkey: String,
    /// What verifies the downloaded receipt.
    verify: String,
    openable: Vec<Openable>,
    proof: Option<ProofView>,
    /// Why there is no proof.
    trouble: Option<String>,
}

struct EntryView {
    id: IdChip,
    action: String,
    seq: u64,
    generation: u32,
    at: Moment,
    actor: Shown,
    target: Shown,
    client_ip: Shown,
    /// Who was authenticated, where that is not the actor.
    recorded_by: Option<Party>,
    project: Option<Party>,
    request: Option<String>,
    external_request: Option<String>,
    trace: Option<String>,
    /// JSON, for people.
    data: Option<String>,
    /// The bytes that are hashed.
    stored: String,
    intact: bool,
}

/// What is left of a committed value.
enum Shown {
    /// It was committed to, and is here.
    Value(Party),
    /// There was none.
    Empty,
    /// It is gone.
    Gone,
}

struct Openable {
    word: &'static str,
    label: &'static str,
}

struct ProofView {
    size: u64,
    leaf: String,
    path: Vec<String>,
    root: String,
    checkpoint: String,
}

impl ProofView {
    fn of(receipt: &Receipt, leaf: String) -> Self {
        let checkpoint = receipt.checkpoint.unverified();
        Self {
            size: checkpoint.size,
            leaf,
            path: receipt.path.iter().map(ToString::to_string).collect(),
            root: checkpoint.root.to_string(),
            checkpoint: receipt.checkpoint.to_string(),
        }
    }
}

impl EntryView {
    fn of(detail: AuditEventDetail, names: &Names, desk: &Desk, visit: &Visit) -> Self {
        let AuditEventDetail { event, entry, openings } = detail;
        let shown = |field: Field| match openings.get(field.as_str()) {
            None => Shown::Gone,
            Some(opening) if opening.value.is_empty() => Shown::Empty,
            Some(opening) => Shown::Value(names.party(opening.value.clone())),
        };
        let (actor, target, client_ip) = (shown(Field::Actor), shown(Field::Target), shown(Field::Ip));
        Self {
            id: IdChip::new(event.id, super::entry_path(desk, &event)),
            action: event.action,
            seq: event.seq,
            generation: event.generation,
            at: visit.moment(event.recorded_at),
            recorded_by: event.recorded_by.filter(|by| Some(by) != event.actor.as_ref()).map(|by| names.party(by)),
            project: event.project_id.map(|id| names.party(id.to_string())),
            request: event.request_id,
            external_request: event.external_request_id,
            trace: event.trace_id,
            data: event.meta.as_ref().and_then(for_people),
            actor,
            target,
            client_ip,
            stored: entry,
            intact: event.intact,
        }
    }
}

/// What was added to the event, if anything was.
fn for_people(data: &Value) -> Option<String> {
    data.as_object().filter(|members| !members.is_empty())?;
    serde_json::to_string_pretty(data).ok()
}

const fn label(field: Field) -> &'static str {
    match field {
        Field::Actor => "Actor",
        Field::Ip => "Address",
        Field::Meta => "Request and data",
        Field::Target => "Target",
    }
}

/// `GET /w/{workspace}/{environment}/audit/{id}`.
///
/// # Errors
/// `not_found`, `ledger_mismatch` when the end of the log is gone.
pub async fn show(
    granted: Granted<may::ReadAudit>,
    visit: Visit,
    State(db): State<Db>,
    State(readings): State<Readings>,
    State(ledger): State<Ledger>,
    PathId(id): PathId<EventId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let looked = ops::get(&granted, &readings, &ledger, id).await?;
    let (proof, trouble) = match ops::receipt(&granted, &readings, &ledger, id, &[]).await {
        Ok(receipt) => (Some(ProofView::of(&receipt, looked.detail.event.leaf_hash.clone())), None),
        Err(error) => (None, Some(told(error)?)),
    };
    let names = Names::look_up(&granted, &db, &desk).await?;
    let vkey = vkey_of(&granted, &ledger, looked.detail.event.generation).await?;
    let openable: Vec<Openable> = Field::ALL
        .into_iter()
        .filter(|field| looked.detail.openings.contains_key(field.as_str()))
        .map(|field| Openable { word: field.as_str(), label: label(field) })
        .collect();
    let path = super::entry_path(&desk, &looked.detail.event);
    let opened: Vec<String> = openable.iter().map(|field| format!("open={}", field.word)).collect();
    let beside = |id: Option<EventId>| id.map(|id| desk.path(&format!("/audit/{id}")));
    visit.page(&ShowPage {
        older: beside(looked.before),
        newer: beside(looked.after),
        receipt_href: format!("{path}/receipt?{}", opened.join("&")),
        verify: format!("bailiwick verify {id}.tlog-proof --key '{vkey}'"),
        entry: EntryView::of(looked.detail, &names, &desk, &visit),
        vkey,
        openable,
        proof,
        trouble,
        desk,
    })
}

/// Why there is no proof, as long as the entry can be shown all the same.
fn told(error: ReadError) -> Result<String, Problem> {
    match error {
        ReadError::Prove(ProveError::Mismatch(mismatch)) => Ok(format!("{}.", capital(&mismatch.to_string()))),
        ReadError::Prove(ProveError::Ledger(LedgerError::Behind { .. } | LedgerError::Forked { .. })) => {
            Ok(String::from(
                "This log is frozen: the database is not the one that was signed last, so nothing is signed over it now.",
            ))
        }
        ReadError::Prove(ProveError::Ledger(LedgerError::Frozen { .. })) => Ok(String::from(
            "The logs of this workspace are frozen: a check found one altered, so nothing is signed over them now.",
        )),
        ReadError::Prove(ProveError::Ledger(LedgerError::Journal(error))) if error.is_away() => Ok(String::from(
            "Nothing can be signed right now, so there is no proof of what came last. It is recorded, and will be signed.",
        )),
        error => Err(error.into()),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// `?open=actor&open=target`: the boxes that were ticked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    #[serde(default)]
    open: Vec<String>,
}

/// `GET /w/{workspace}/{environment}/audit/{id}/receipt`.
///
/// # Errors
/// As the API's.
pub async fn receipt(
    granted: Granted<may::ReadAudit>,
    State(readings): State<Readings>,
    State(ledger): State<Ledger>,
    PathId(id): PathId<EventId>,
    Query(Opened { open }): Query<Opened>,
) -> Result<Response, Problem> {
    let open = http::fields(Some(&open.join(",")))?;
    let receipt = ops::receipt(&granted, &readings, &ledger, id, &open).await?;
    let mut response = receipt.to_string().into_response();
    let headers = response.headers_mut();
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{id}.tlog-proof\""))
        .map_err(|error| Problem::internal("name a receipt", &error))?;
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_is_shown_where_there_is_some() {
        assert_eq!(for_people(&json!({})), None);
        assert_eq!(for_people(&json!({"a": 1})).unwrap(), "{\n  \"a\": 1\n}");
    }

    #[test]
    fn boxes_are_ticked_one_by_one_or_not_at_all() {
        let opened = |query| serde_html_form::from_str::<Opened>(query).map(|opened| opened.open);
        assert_eq!(opened("open=actor&open=ip").unwrap(), ["actor", "ip"]);
        assert!(opened("").unwrap().is_empty() && opened("all=1").is_err());
    }
}
