//! `/v1/workspaces/{workspace}/audit/…`

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::commitment::Field;
use bailiwick_proof::id::EventId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::export::{self, ExportEvents};
use super::model::{AuditEvent, AuditEventDetail, Filter, MAX_META_BYTES, RecordEvents};
use super::ops::{self, EventFault, ManifestOf, ReadError, RecordError};
use super::reading::Readings;
use crate::authz::{Granted, may};
use crate::db::Db;
use crate::http::{Changes, Code, FieldError, Json, ListQuery, Mutation, Page, PathId, Problem, Query, Reply, Unread};
use crate::ledger::{self, Cut, Ledger, LedgerError, Mismatch, ProveError};

/// Tells this list's cursors from others'.
const LIST: u8 = 5;

/// `?limit=&cursor=&action=&actor=&target=&from=&to=`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// See [`ListQuery`].
    pub limit: Option<u16>,
    /// See [`ListQuery`].
    pub cursor: Option<String>,
    /// This action alone.
    pub action: Option<String>,
    /// This actor's alone.
    pub actor: Option<String>,
    /// About this target alone.
    pub target: Option<String>,
    /// RFC 3339: recorded at this moment or later.
    pub from: Option<String>,
    /// RFC 3339: recorded before this moment.
    pub to: Option<String>,
}

/// `?open=`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptQuery {
    open: Option<String>,
}

/// `?hour=&event=&open=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestQuery {
    hour: Option<String>,
    event: Option<EventId>,
    open: Option<String>,
}

/// `?from=&to=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyQuery {
    from: u64,
    to: Option<u64>,
}

/// Records events of the caller's own; answers when they have their numbers.
///
/// # Errors
/// `action_reserved`, `action_not_registered`, `event_too_large`, `invalid_body`, `ingest_queue_full`, and those of every change.
pub async fn record(
    granted: Granted<may::RecordEvent>,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    body: Unread<RecordEvents>,
) -> Result<Reply, Problem> {
    let place =
        ledger.ingest().enter(ops::log_of(&granted), body.most_bytes()).map_err(|full| busy(full.retry_after))?;
    let Mutation { body, idempotency } = body.read().await?;
    let brought = ledger::bring(&ledger, &granted, ops::told(body.events)?).map_err(RecordError::from)?;
    let _turn = place.turn().await;
    match ops::record(&granted, &changes, &ledger, &idempotency, brought).await {
        Err(RecordError::Backlog) => Err(busy(place.retry_after())),
        recorded => Ok(recorded?),
    }
}

/// Nothing was recorded, and this is when to come again.
fn busy(retry_after: Duration) -> Problem {
    Problem::new(Code::IngestQueueFull).header(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs()))
}

/// Events, the newest first.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadAudit>,
    State(db): State<Db>,
    State(ledger): State<Ledger>,
    Query(query): Query<EventQuery>,
) -> Result<Json<Page<AuditEvent>>, Problem> {
    page(&granted, &db, &ledger, query).await.map(Json)
}

/// A page of events; for the API and the console.
///
/// # Errors
/// As [`list`].
pub async fn page(
    granted: &Granted<may::ReadAudit>,
    db: &Db,
    ledger: &Ledger,
    query: EventQuery,
) -> Result<Page<AuditEvent>, Problem> {
    let EventQuery { limit, cursor, action, actor, target, from, to } = query;
    let list = ListQuery::new(limit, cursor);
    let (limit, after) = (list.limit()?, list.after(LIST)?);
    let filter = Filter { action, actor, target, from: moment("from", from)?, to: moment("to", to)? };
    let words = [&filter.action, &filter.actor, &filter.target];
    if words.into_iter().flatten().any(|word| word.contains('\0')) {
        return Err(Problem::new(Code::InvalidParameter).detail("A filter holds no null character."));
    }
    let (events, next) = ops::list(granted, db, ledger, &filter, after, limit).await?;
    Ok(Page::up_to(events, LIST, next))
}

fn moment(name: &str, text: Option<String>) -> Result<Option<OffsetDateTime>, Problem> {
    let wrong = || {
        Problem::new(Code::InvalidParameter)
            .detail(format!("{name} is a moment in RFC 3339, like 2026-01-31T12:00:00Z."))
    };
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC);
    text.map(|text| parse(&text).ok_or_else(wrong)).transpose()
}

/// One event, with its bytes and openings, once it is in the log who reads in this hour.
///
/// # Errors
/// `not_found`, `ledger_mismatch`.
pub async fn get(
    granted: Granted<may::ReadAudit>,
    State(readings): State<Readings>,
    State(ledger): State<Ledger>,
    PathId(event): PathId<EventId>,
) -> Result<Json<AuditEventDetail>, Problem> {
    Ok(Json(ops::get(&granted, &readings, &ledger, event).await?.detail))
}

/// An event's receipt, to be verified offline; one that opens something is in the log first.
///
/// # Errors
/// `not_found`, `invalid_parameter`, `ledger_mismatch`, `ledger_frozen`, `anchor_unavailable`.
pub async fn receipt(
    granted: Granted<may::ReadAudit>,
    State(readings): State<Readings>,
    State(ledger): State<Ledger>,
    PathId(event): PathId<EventId>,
    Query(query): Query<ReceiptQuery>,
) -> Result<Response, Problem> {
    let open = fields(query.open.as_deref())?;
    let receipt = ops::receipt(&granted, &readings, &ledger, event, &open).await?;
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{event}.tlog-proof\""))
        .map_err(|error| Problem::internal("name a receipt", &error))?;
    Ok(text(receipt.to_string(), Some(disposition)))
}

/// The fields that `open` names, separated by commas.
///
/// # Errors
/// `invalid_parameter`.
pub fn fields(open: Option<&str>) -> Result<Vec<Field>, Problem> {
    open.into_iter()
        .flat_map(|open| open.split(','))
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.parse().map_err(|_| {
                Problem::new(Code::InvalidParameter).detail("open is a list of actor, ip, meta and target.")
            })
        })
        .collect()
}

/// Streams a stretch of the log, after an entry about it was committed.
///
/// # Errors
/// `invalid_body`, and those of every change: then nothing was sent.
pub async fn export(
    granted: Granted<may::ExportAudit>,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    Json(wanted): Json<ExportEvents>,
) -> Result<Response, Problem> {
    export::export(granted, changes, ledger, &wanted).await
}

/// The newest checkpoint, a signed note.
///
/// # Errors
/// `ledger_frozen`, `anchor_unavailable`.
pub async fn checkpoint(granted: Granted<may::ReadAudit>, State(ledger): State<Ledger>) -> Result<Response, Problem> {
    Ok(text(ops::checkpoint(&granted, &ledger).await?.note, None))
}

/// Two published checkpoints, and the proof that the second extends the first.
///
/// # Errors
/// `no_checkpoint`, `ledger_mismatch`, `ledger_frozen`, `anchor_unavailable`.
pub async fn consistency(
    granted: Granted<may::ReadAudit>,
    State(db): State<Db>,
    State(ledger): State<Ledger>,
    Query(query): Query<ConsistencyQuery>,
) -> Result<Response, Problem> {
    let pair = ops::consistency(&granted, &db, &ledger, query.from, query.to).await?;
    Ok(text(pair.to_string(), None))
}

/// The log's line of a manifest, up to the cell's signed checkpoint; with an event, that event's receipt too.
///
/// # Errors
/// `invalid_parameter`, `not_found`, `no_manifest`, `ledger_mismatch`, `ledger_frozen`, `anchor_unavailable`.
pub async fn manifest(
    granted: Granted<may::ReadAudit>,
    State(readings): State<Readings>,
    State(ledger): State<Ledger>,
    Query(query): Query<ManifestQuery>,
) -> Result<Response, Problem> {
    let ManifestQuery { hour, event, open } = query;
    let wanted = ManifestOf { hour: moment("hour", hour)?, event, open: fields(open.as_deref())? };
    let proof = ops::manifest(&granted, &readings, &ledger, &wanted).await?;
    Ok(text(proof.to_string(), None))
}

pub(super) fn text(body: String, disposition: Option<HeaderValue>) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(disposition) = disposition {
        headers.insert(HeaderName::from_static("content-disposition"), disposition);
    }
    response
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Event { at, fault } => refused(at, &fault),
            RecordError::Backlog => busy(Duration::from_secs(1)),
            RecordError::Ledger(error) => error.into(),
            RecordError::Change(problem) => problem,
        }
    }
}

/// The problem of one event, with where it stands.
fn refused(at: usize, fault: &EventFault) -> Problem {
    let (code, member, word, detail) = match fault {
        EventFault::NotRegistered => {
            let code = Code::ActionNotRegistered;
            (code, "action", "not_registered", code.advice().to_owned())
        }
        EventFault::Reserved => (Code::ActionReserved, "action", "reserved", Code::ActionReserved.advice().to_owned()),
        EventFault::TooLarge => {
            let detail = format!("meta has at most {MAX_META_BYTES} bytes; keep the rest elsewhere and name it here.");
            (Code::EventTooLarge, "meta", "too_large", detail)
        }
        EventFault::Meta(why) => (Code::InvalidBody, "meta", "not_canonical", format!("meta: {why}")),
    };
    let pointer = format!("/events/{at}/{member}");
    Problem::new(code).detail(detail.clone()).naming(vec![FieldError { pointer, code: word, detail }])
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound => Self::new(Code::NotFound),
            ReadError::Cursor => Self::new(Code::InvalidCursor),
            ReadError::Prove(ProveError::Mismatch(mismatch)) => mismatch.into(),
            ReadError::Prove(ProveError::Pruned(cut)) => pruned(&cut),
            ReadError::Prove(ProveError::NoCheckpoint { size }) => {
                Self::new(Code::NoCheckpoint).detail(format!("No checkpoint was published at size {size}."))
            }
            ReadError::Prove(ProveError::Ledger(error)) => error.into(),
            ReadError::Prove(ProveError::NoManifest { .. }) => Self::new(Code::NoManifest),
            ReadError::Prove(error @ (ProveError::NotNamed { .. } | ProveError::BadManifest { .. })) => {
                metrics::counter!("bailiwick_ledger_mismatches_total").increment(1);
                tracing::error!(event = "ledger_mismatch", what = %error);
                Self::new(Code::LedgerMismatch).detail(format!("{error}."))
            }
            ReadError::Prove(error @ ProveError::MalformedCheckpoint { .. }) => Self::internal("prove", &error),
        }
    }
}

/// What went by retention, with the entry that says so.
fn pruned(cut: &Cut) -> Problem {
    let text = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    let detail = format!(
        "Entries below {} were pruned by the log's retention on {}: if this was one, it is gone.",
        cut.to,
        cut.at.date()
    );
    Problem::new(Code::EntryPruned)
        .detail(detail)
        .member("pruned_to", json!(cut.to))
        .member("pruned_at", json!(text(cut.at)))
        .member("event_id", json!(cut.event.to_string()))
}

impl From<Mismatch> for Problem {
    fn from(mismatch: Mismatch) -> Self {
        metrics::counter!("bailiwick_ledger_mismatches_total").increment(1);
        tracing::error!(event = "ledger_mismatch", seq = mismatch.seq, what = mismatch.what);
        let problem = Self::new(Code::LedgerMismatch).detail(format!("{mismatch}.")).member("seq", json!(mismatch.seq));
        match mismatch.receipt {
            Some(receipt) => problem.member("receipt", json!(receipt)),
            None => problem,
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Db(error) => error.into(),
            LedgerError::Vault(error) => error.into(),
            LedgerError::NoSuchLog => Self::new(Code::NoCheckpoint).detail("Nothing was recorded in this log yet."),
            LedgerError::Behind { .. }
            | LedgerError::Frozen { .. }
            | LedgerError::Forked { .. }
            | LedgerError::UnknownGeneration { .. }
            | LedgerError::ForgedCheckpoint { .. } => {
                tracing::error!(event = "ledger_frozen", cause = %error);
                Self::new(Code::LedgerFrozen)
            }
            LedgerError::Journal(error) if error.is_away() => {
                tracing::error!(event = "anchor_unavailable", cause = %error);
                Self::new(Code::AnchorUnavailable).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            error => Self::internal("ledger", &error),
        }
    }
}
