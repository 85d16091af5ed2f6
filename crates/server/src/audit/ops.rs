//! Record, read and prove.

use std::collections::BTreeSet;

use bailiwick_proof::canonical;
use bailiwick_proof::commitment::Field;
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::id::{EventId, Id};
use bailiwick_proof::log::Log;
use bailiwick_proof::manifest::proof::{Covered, ManifestProof};
use bailiwick_proof::receipt::Receipt;
use bailiwick_proof::tile::Tile;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::actions;
use super::model::{
    AuditEvent, AuditEventDetail, Filter, MAX_META_BYTES, RecordEvent, RecordedEvent, RecordedEvents, Row,
};
use super::page::Published;
use super::reading::Readings;
use super::search::{self, Found, Wanted};
use super::sql::{self, SealedRow};
use crate::authz::{Granted, may};
use crate::db::{Authority, Db, DbError, RecordingTx, WorkspaceTx};
use crate::http::{Begun, Changes, Idempotency, Problem, Reply};
use crate::ledger::{
    self, Brought, CatchUpError, Entry, Ledger, LedgerError, Mismatch, Numbered, Outcome, ProveError, Signed, ToldEvent,
};
use crate::vault::{OPENING_ACTOR, OPENING_TARGET};

/// So often at most a request numbers first what was staged in its log meanwhile.
const TRIES: usize = 8;

/// Why events were not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// One of them cannot be an event.
    #[error("event {at}: {fault}")]
    Event {
        /// Which, from 0.
        at: usize,
        /// Why.
        fault: EventFault,
    },
    /// More is staged in the log than a request waits for.
    #[error("more is staged in the log than a request waits for")]
    Backlog,
    /// See [`LedgerError`].
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The request was answered before, or cannot be committed.
    #[error("the change was not begun or not committed")]
    Change(Problem),
}

/// Why something cannot be an event.
#[derive(Debug, thiserror::Error)]
pub enum EventFault {
    /// The action begins with a word of ours.
    #[error("the action begins with a word of ours")]
    Reserved,
    /// The action is not registered.
    #[error("the action is not registered")]
    NotRegistered,
    /// Meta is too large.
    #[error("meta has more than {MAX_META_BYTES} bytes")]
    TooLarge,
    /// Meta has no canonical form.
    #[error("meta has no canonical form: {0}")]
    Meta(canonical::NotCanonical),
}

/// Why something is not shown or proved.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such event, as far as the caller can tell.
    #[error("there is no such event")]
    NotFound,
    /// The cursor names no event of this log.
    #[error("the cursor names no event of this log")]
    Cursor,
    /// The log is damaged, or there is no such proof.
    #[error(transparent)]
    Prove(#[from] ProveError),
}

impl From<DbError> for ReadError {
    fn from(error: DbError) -> Self {
        Self::Prove(error.into())
    }
}

impl From<LedgerError> for ReadError {
    fn from(error: LedgerError) -> Self {
        Self::Prove(error.into())
    }
}

impl From<Mismatch> for ReadError {
    fn from(mismatch: Mismatch) -> Self {
        Self::Prove(mismatch.into())
    }
}

/// An event with its neighbours in the log.
pub struct Looked {
    /// The event.
    pub detail: AuditEventDetail,
    /// The one before.
    pub before: Option<EventId>,
    /// The one after.
    pub after: Option<EventId>,
}

/// The events, worded for the ledger.
///
/// # Errors
/// [`RecordError::Event`] for the first that cannot be one.
pub fn told(events: Vec<RecordEvent>) -> Result<Vec<ToldEvent>, RecordError> {
    let told = events.into_iter().enumerate();
    told.map(|(at, event)| worded(event).map_err(|fault| RecordError::Event { at, fault })).collect()
}

fn worded(event: RecordEvent) -> Result<ToldEvent, EventFault> {
    let RecordEvent { action, actor, target, meta, trace } = event;
    if ledger::is_reserved(action.as_str()) {
        return Err(EventFault::Reserved);
    }
    let meta = Value::Object(meta.unwrap_or_default());
    if canonical::to_string(&meta).map_err(EventFault::Meta)?.len() > MAX_META_BYTES {
        return Err(EventFault::TooLarge);
    }
    let target = target.map(String::from).unwrap_or_default();
    let entry = Entry::told(action.to_string(), actor.into(), target, meta).map_err(EventFault::Meta)?;
    Ok(ToldEvent { entry, trace })
}

/// Numbers events in a transaction of the request's own, and keeps the answer; or finds the one that was given before.
///
/// # Errors
/// See [`RecordError`].
pub async fn record(
    granted: &Granted<may::RecordEvent>,
    changes: &Changes,
    ledger: &Ledger,
    idempotency: &Idempotency,
    mut brought: Brought,
) -> Result<Reply, RecordError> {
    for _ in 0..TRIES {
        let begun = changes.begin_recording(granted, idempotency.clone()).await.map_err(RecordError::Change)?;
        let mut change = match begun {
            Begun::Replay(reply) => return Ok(reply),
            Begun::Fresh(change) => change,
        };
        refuse_unregistered(&mut change.tx, &brought).await?;
        match ledger::record(ledger, &mut change.tx, &mut brought).await? {
            Outcome::Numbered(numbered, recorded) => {
                let reply = answer(granted, numbered).map_err(RecordError::Change)?;
                return change.commit(recorded, reply).await.map_err(RecordError::Change);
            }
            Outcome::Behind => change.tx.finish_reading().await.map_err(LedgerError::from)?,
        }
        ledger.catch_up(log_of(granted)).await.map_err(|error| match error {
            CatchUpError::TooMuch => RecordError::Backlog,
            CatchUpError::Ledger(error) => error.into(),
        })?;
    }
    Err(RecordError::Backlog)
}

/// Before the log is locked, and in the transaction that numbers: whatever is registered no more when it begins is refused.
async fn refuse_unregistered(tx: &mut RecordingTx, brought: &Brought) -> Result<(), RecordError> {
    let asked: BTreeSet<&str> = brought.actions().collect();
    let asked: Vec<String> = asked.into_iter().map(str::to_owned).collect();
    let known = actions::registered(tx, &asked).await.map_err(LedgerError::from)?;
    match brought.actions().position(|action| !known.iter().any(|known| known == action)) {
        Some(at) => Err(RecordError::Event { at, fault: EventFault::NotRegistered }),
        None => Ok(()),
    }
}

fn answer(granted: &Granted<may::RecordEvent>, numbered: Vec<Numbered>) -> Result<Reply, Problem> {
    let events = numbered.into_iter().map(|Numbered { event, seq }| RecordedEvent { id: event, seq }).collect();
    let location = format!("/v1/workspaces/{}/audit/events", granted.workspace());
    Reply::created(location, &RecordedEvents { events })
}

/// A page of events, the newest first, with the event after which the next one begins.
///
/// # Errors
/// [`ReadError`].
pub async fn list(
    granted: &Granted<may::ReadAudit>,
    db: &Db,
    ledger: &Ledger,
    filter: &Filter,
    after: Option<Uuid>,
    limit: u16,
) -> Result<(Vec<AuditEvent>, Option<Uuid>), ReadError> {
    let log = log_of(granted);
    settle_if_possible(ledger, log).await?;
    let wanted = wanted(ledger, log, filter).await?;
    let mut tx = db.workspace_tx(granted).await?;
    let found = match search::page(&mut tx, &wanted, after, limit).await {
        // What came after it in this order is older, and went with it.
        Err(ReadError::Cursor) if is_pruned(&mut tx, ledger, after).await? => Found { rows: Vec::new(), next: None },
        found => found?,
    };
    let Found { rows, next } = found;
    let places: Vec<(u32, u64)> = rows.iter().map(|found| found.row.place()).collect();
    let leaves = ledger::leaves(&mut tx, &places).await?;
    tx.finish_reading().await?;
    let mut shown = Vec::with_capacity(rows.len());
    for (row, leaf) in rows.into_iter().zip(leaves) {
        shown.push(opened(ledger, log, row).await?.show(log, leaf));
    }
    Ok((shown, next))
}

/// Whether the event of a cursor went by retention.
async fn is_pruned(tx: &mut WorkspaceTx, ledger: &Ledger, after: Option<Uuid>) -> Result<bool, ReadError> {
    let cut = ledger::cut_of(tx, ledger).await?;
    Ok(cut.zip(after).is_some_and(|(cut, after)| ledger::went_with(&cut, Id::from_uuid(after))))
}

/// One event with its neighbours.
///
/// # Errors
/// [`ReadError::NotFound`]; a [`Mismatch`] when the end of the log is gone, which it may have been part of.
pub async fn get(
    granted: &Granted<may::ReadAudit>,
    readings: &Readings,
    ledger: &Ledger,
    event: EventId,
) -> Result<Looked, ReadError> {
    let log = log_of(granted);
    settle_if_possible(ledger, log).await?;
    let mut tx = readings.db.workspace_tx(granted).await?;
    let Some(row) = sql::get(&mut tx, event).await? else { return Err(absent(tx, ledger, event).await) };
    let (generation, seq) = (row.row.stored.generation, row.row.stored.seq);
    let leaf = ledger::leaves(&mut tx, &[(generation, seq)]).await?.into_iter().next().flatten();
    let (before, after) = sql::neighbours(&mut tx, generation, seq).await?;
    tx.finish_reading().await?;
    let row = opened(ledger, log, row).await?;
    readings.of_event(granted, &row).await?;
    Ok(Looked { detail: row.detail(log, leaf), before, after })
}

/// The receipt of an event, with these fields opened, against a checkpoint that covers it.
///
/// # Errors
/// [`ReadError::NotFound`]; a [`Mismatch`] when the log is damaged.
pub async fn receipt(
    granted: &Granted<may::ReadAudit>,
    readings: &Readings,
    ledger: &Ledger,
    event: EventId,
    open: &[Field],
) -> Result<Receipt, ReadError> {
    let log = log_of(granted);
    settle_if_possible(ledger, log).await?;
    let db = &readings.db;
    let row = row_of(granted, db, ledger, event).await?;
    readings.of_receipt(granted, (event, &row), open).await?;
    let signed = ledger.checkpoint_over(log, row.stored.generation).await?;
    if row.stored.seq >= signed.size && signed.generation == row.stored.generation {
        // A restore came before it was signed, and its generation is not signed any more.
        return Err(ProveError::NoCheckpoint { size: row.stored.seq + 1 }.into());
    }
    receipt_at(granted, db, &row, event, (&signed, open)).await
}

/// The newest checkpoint: it covers everything that was answered before.
///
/// # Errors
/// [`ReadError`].
pub async fn checkpoint(granted: &Granted<may::ReadAudit>, ledger: &Ledger) -> Result<Signed, ReadError> {
    let log = log_of(granted);
    ledger.settle(log).await?;
    Ok(ledger.checkpoint(log).await?)
}

/// The newest checkpoints that were published, the newest first.
///
/// # Errors
/// [`ReadError`].
pub(super) async fn published(granted: &Granted<may::ReadAudit>, db: &Db) -> Result<Vec<Published>, ReadError> {
    let mut tx = db.workspace_tx(granted).await?;
    let published = sql::published(&mut tx).await?;
    tx.finish_reading().await?;
    Ok(published)
}

/// That the checkpoint at one published size is extended by that at another, the newest if none is named.
///
/// # Errors
/// [`ProveError::NoCheckpoint`]; a [`Mismatch`] when the log is damaged.
pub async fn consistency(
    granted: &Granted<may::ReadAudit>,
    db: &Db,
    ledger: &Ledger,
    from: u64,
    to: Option<u64>,
) -> Result<Pair, ReadError> {
    let newest = checkpoint(granted, ledger).await?;
    let mut tx = db.workspace_tx(granted).await?;
    let pair = ledger::consistency(&mut tx, newest.generation, from, to.unwrap_or(newest.size)).await?;
    tx.finish_reading().await?;
    Ok(pair)
}

/// The bytes of a tile.
///
/// # Errors
/// [`ReadError::NotFound`] for one that the newest checkpoint does not cover, or that the caller may not see; [`ProveError::Pruned`] for one
/// of entries that went; a [`Mismatch`] when the log is damaged.
pub async fn tile(
    granted: &Granted<may::ReadAudit>,
    db: &Db,
    ledger: &Ledger,
    tile: Tile,
) -> Result<Vec<u8>, ReadError> {
    let mut tx = db.workspace_tx(granted).await?;
    let bytes = match ledger::read_tile(&mut tx, tile).await {
        Err(ProveError::Mismatch(mismatch)) => {
            return Err(ledger::unless_pruned(&mut tx, ledger, mismatch).await?.into());
        }
        read => read?,
    };
    tx.finish_reading().await?;
    bytes.ok_or(ReadError::NotFound)
}

/// What of a manifest is wanted.
pub struct ManifestOf {
    /// Which one; the newest if nothing is said.
    pub hour: Option<OffsetDateTime>,
    /// The event whose receipt is to be in it.
    pub event: Option<EventId>,
    /// What that receipt opens.
    pub open: Vec<Field>,
}

/// The log's line of a manifest, with its proofs. Of the newest manifest the line is shown, or that there is none: an earlier one
/// would hide that the log is gone.
///
/// # Errors
/// [`ProveError::NoManifest`], [`ProveError::NotNamed`], [`ProveError::BadManifest`], [`ReadError::NotFound`]; a [`Mismatch`] when the
/// log is damaged.
pub async fn manifest(
    granted: &Granted<may::ReadAudit>,
    readings: &Readings,
    ledger: &Ledger,
    wanted: &ManifestOf,
) -> Result<ManifestProof, ReadError> {
    let db = &readings.db;
    let hour = match wanted.hour {
        Some(hour) => hour,
        None => ledger::newest_manifest(ledger).await?.ok_or(ProveError::NoManifest { hour: None })?,
    };
    let mut tx = db.workspace_tx(granted).await?;
    let line = ledger::manifest_line(&mut tx, hour).await?;
    tx.finish_reading().await?;
    let covered = match wanted.event {
        Some(event) => {
            let row = row_of(granted, db, ledger, event).await?;
            if row.stored.generation != line.signed.generation || row.stored.seq >= line.signed.size {
                // It came later, and is in the next one.
                return Err(ProveError::NoManifest { hour: None }.into());
            }
            readings.of_receipt(granted, (event, &row), &wanted.open).await?;
            Covered::Receipt(Box::new(receipt_at(granted, db, &row, event, (&line.signed, &wanted.open)).await?))
        }
        None => {
            let note = line.signed.note.parse();
            Covered::Checkpoint(Box::new(note.map_err(|_| ProveError::MalformedCheckpoint { size: line.signed.size })?))
        }
    };
    Ok(ledger::manifest_proof(ledger, granted.workspace(), &line, covered).await?)
}

async fn row_of(granted: &Granted<may::ReadAudit>, db: &Db, ledger: &Ledger, event: EventId) -> Result<Row, ReadError> {
    let mut tx = db.workspace_tx(granted).await?;
    let Some(row) = sql::get(&mut tx, event).await? else { return Err(absent(tx, ledger, event).await) };
    tx.finish_reading().await?;
    opened(ledger, log_of(granted), row).await
}

/// The receipt of an event against one checkpoint, with these fields opened.
async fn receipt_at(
    granted: &Granted<may::ReadAudit>,
    db: &Db,
    row: &Row,
    event: EventId,
    (signed, open): (&Signed, &[Field]),
) -> Result<Receipt, ReadError> {
    let mut tx = db.workspace_tx(granted).await?;
    let receipt = ledger::receipt(&mut tx, signed, &row.stored, open).await?;
    tx.finish_reading().await?;
    if !row.stored.is_event(event) {
        let what = "is found under the id of another event";
        return Err(Mismatch { seq: row.stored.seq, what, receipt: None }.into());
    }
    Ok(receipt)
}

/// The row with its openings, as far as they open.
pub(super) async fn opened(ledger: &Ledger, log: Log, sealed: SealedRow) -> Result<Row, ReadError> {
    let SealedRow { row, sealed } = sealed;
    let opened = ledger.opened(log, row.stored.generation, row.stored.seq, &sealed).await?;
    Ok(Row { stored: row.stored.with(opened), ..row })
}

/// What the filter asks for, as the database finds it.
async fn wanted(ledger: &Ledger, log: Log, filter: &Filter) -> Result<Wanted, ReadError> {
    let Filter { action, actor, target, from, to } = filter;
    let mut found = [None, None];
    for (found, (field, value)) in found.iter_mut().zip([(&OPENING_ACTOR, actor), (&OPENING_TARGET, target)]) {
        if let Some(value) = value {
            *found = Some(ledger.lookups(log, field, value).await?);
        }
    }
    let [actor, target] = found;
    Ok(Wanted { action: action.clone(), actor, target, from: *from, to: *to })
}

/// Why an event is not there: it never was, or entries are gone where it would stand.
async fn absent(mut tx: WorkspaceTx, ledger: &Ledger, event: EventId) -> ReadError {
    match ledger::missing_near(&mut tx, ledger, event).await {
        Ok(Some(missing)) => missing.into(),
        Ok(None) => ReadError::NotFound,
        Err(error) => error.into(),
    }
}

/// A log that must not be appended to can still be read.
pub(super) async fn settle_if_possible(ledger: &Ledger, log: Log) -> Result<(), ReadError> {
    match ledger.settle(log).await {
        Err(LedgerError::Behind { .. } | LedgerError::Forked { .. } | LedgerError::UnknownGeneration { .. })
        | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The log that a principal's environment means.
pub fn log_of(authority: &impl Authority) -> Log {
    Log::Workspace { workspace: authority.workspace(), environment: authority.environment() }
}
