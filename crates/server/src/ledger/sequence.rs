//! Sequencing: staged rows become entries, in the order in which they were staged.
//!
//! One transaction takes the lock of the head, reads what is staged, inserts entries, openings and hashes, takes the
//! staged rows away and moves the head from the size that it had. Whatever fails, all of it is rolled back and the
//! staged rows are still there.

mod sql;

use bailiwick_proof::canonical;
use bailiwick_proof::commitment::{Commitments, Field, Opening};
use bailiwick_proof::entry::{ActionName, Entry, TraceId};
use bailiwick_proof::id::{EventId, ProjectId, RequestId};
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{Frontier, Hash, leaf_hash};
use bailiwick_proof::tile;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::cell::{FIRST_GENERATION, Ledger, LedgerError};
use super::stage::SYSTEM;
use super::{Action, keys};
use crate::db::{OperationalPath, Unrecorded};
use crate::entropy::Entropy;

pub(super) use sql::{has_head, has_staged, logs_with_staged};

/// So many entries at most in one transaction.
const BATCH: i64 = 500;

/// What can be searched for is indexed, and an index takes no more; staging writes far less.
const MAX_SUBJECT_BYTES: usize = 1_000;

/// The head of a log, locked.
struct Head {
    generation: u32,
    last_leaf: Hash,
    frontier: Frontier,
}

/// A staged row, as it stands in the table.
struct Staged {
    id: i64,
    event_id: Uuid,
    project_id: Option<Uuid>,
    action: String,
    actor: String,
    target: String,
    recorded_by: String,
    meta: serde_json::Value,
    trace_id: String,
    request_id: Uuid,
    external_request_id: Option<String>,
    client_ip: Option<String>,
    staged_at: OffsetDateTime,
}

/// What is written for one entry.
struct Linked {
    seq: u64,
    event_id: Uuid,
    project_id: Option<Uuid>,
    action: String,
    recorded_at: OffsetDateTime,
    entry: Vec<u8>,
    openings: [Opening; 4],
}

/// Hashes of consecutive complete subtrees of one tile level.
struct Run {
    tile_level: u8,
    start: u64,
    hashes: Vec<u8>,
}

/// How to come by the head's lock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Wait for whoever appends at this moment.
    ForIt,
    /// Leave the log to whoever appends at this moment.
    No,
}

/// Sequences what is staged in a log, all that had committed before the call, and answers how many entries that were.
pub(super) async fn sequence(ledger: &Ledger, log: Log, wait: Wait) -> Result<u64, LedgerError> {
    let mut done = 0;
    loop {
        let batch = sequence_batch(ledger, log, wait).await?;
        done += batch;
        if i64::try_from(batch).unwrap_or(i64::MAX) < BATCH {
            return Ok(done);
        }
    }
}

async fn sequence_batch(ledger: &Ledger, log: Log, wait: Wait) -> Result<u64, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::SequenceLedger).await?;
    let Some(mut head) = sql::lock_head(&mut tx, log, wait).await? else {
        if sql::has_head(&mut tx, log).await? {
            tx.finish_reading().await?;
            // Whoever waits for the head sees none only while somebody else founds the log: it is there now.
            return match wait {
                Wait::ForIt => Box::pin(sequence_batch(ledger, log, wait)).await,
                Wait::No => Ok(0),
            };
        }
        if !sql::has_staged(&mut tx, log).await? {
            tx.finish_reading().await?;
            return Ok(0);
        }
        found(ledger, &mut tx, log).await?;
        tx.commit_unrecorded(Unrecorded::Sequenced).await?;
        return Box::pin(sequence_batch(ledger, log, wait)).await;
    };
    ledger.refuse_if_behind(log, head.generation, head.frontier.size())?;
    let staged = sql::staged(&mut tx, log, BATCH).await?;
    if staged.is_empty() {
        tx.finish_reading().await?;
        return Ok(0);
    }
    let before = head.frontier.size();
    let ids: Vec<i64> = staged.iter().map(|row| row.id).collect();
    let (linked, runs) = link(log, &mut head, staged, ledger.entropy())?;
    sql::insert_entries(&mut tx, log, head.generation, &linked).await?;
    sql::insert_openings(&mut tx, log, head.generation, &linked).await?;
    sql::insert_hashes(&mut tx, log, head.generation, &runs).await?;
    let taken = sql::take_staged(&mut tx, log, &ids).await?;
    let moved = sql::move_head(&mut tx, log, &head, before).await?;
    if !moved || taken != u64::try_from(ids.len()).unwrap_or(u64::MAX) {
        return Err(LedgerError::LostHead { origin: ledger.origin(log, head.generation)?.to_string() });
    }
    tx.commit_unrecorded(Unrecorded::Sequenced).await?;
    metrics::counter!("bailiwick_ledger_entries_total").increment(taken);
    ledger.moved(log);
    Ok(taken)
}

/// The first head and the first key of a log; those of a workspace's other environment too, so that its empty log can
/// be asked for.
async fn found(ledger: &Ledger, tx: &mut crate::db::SystemTx, log: Log) -> Result<(), LedgerError> {
    for log in siblings(log) {
        let generation = FIRST_GENERATION;
        if sql::insert_head(tx, log, generation).await? {
            keys::make_first(ledger, tx, log, generation).await?;
        }
    }
    Ok(())
}

/// Both logs of a workspace; the cell has one.
pub(super) fn siblings(log: Log) -> Vec<Log> {
    use bailiwick_proof::environment::Environment;
    match log {
        Log::Cell => vec![Log::Cell],
        Log::Workspace { workspace, .. } => [Environment::Live, Environment::Test]
            .into_iter()
            .map(|environment| Log::Workspace { workspace, environment })
            .collect(),
    }
}

/// Gives each row its number, link and commitments, and grows the tree by them.
fn link(
    log: Log,
    head: &mut Head,
    staged: Vec<Staged>,
    entropy: &Entropy,
) -> Result<(Vec<Linked>, Vec<Run>), LedgerError> {
    let mut linked = Vec::with_capacity(staged.len());
    let mut runs: Vec<Run> = Vec::new();
    for row in staged {
        let seq = head.frontier.size();
        let Sound { row, action, trace, meta } = sound(row)?;
        let ip = row.client_ip.as_deref().unwrap_or_default();
        // In the order of `Field::ALL`.
        let openings = [row.actor.as_str(), ip, &meta, &row.target]
            .map(|value| Opening { r: entropy.bytes(), value: value.to_owned() });
        let [actor, ip, meta, target] = &openings;
        let entry = Entry {
            log,
            generation: head.generation,
            seq,
            prev: head.last_leaf,
            // A clock that stands before 1970 holds nothing up.
            recorded_at_ms: u64::try_from(row.staged_at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
            action,
            trace,
            commitments: Commitments {
                actor: actor.commitment(Field::Actor),
                ip: ip.commitment(Field::Ip),
                meta: meta.commitment(Field::Meta),
                target: target.commitment(Field::Target),
            },
        }
        .to_bytes();
        let leaf = leaf_hash(&entry);
        append(&mut runs, 0, seq, &leaf);
        head.frontier.push(leaf, |node, hash| {
            if node.level.is_multiple_of(tile::HEIGHT) {
                append(&mut runs, node.level / tile::HEIGHT, node.index, &hash);
            }
        });
        head.last_leaf = leaf;
        let Staged { event_id, project_id, action, staged_at: recorded_at, .. } = row;
        linked.push(Linked { seq, event_id, project_id, action, recorded_at, entry, openings });
    }
    Ok((linked, runs))
}

/// A staged row of which an entry can be made.
struct Sound {
    row: Staged,
    action: ActionName,
    trace: TraceId,
    /// The envelope that meta commits to.
    meta: String,
}

/// The row if it is sound. One that is not was put there by hand, for staging writes none; it must not hold up the log,
/// so an entry says that it was there and was refused.
fn sound(row: Staged) -> Result<Sound, LedgerError> {
    let (staged_id, fault) = match parts(&row) {
        Ok((action, trace, meta)) => return Ok(Sound { row, action, trace, meta }),
        Err(fault) => (row.id, fault),
    };
    tracing::error!(event = "ledger_row_refused", staged_id, fault);
    let row = Staged {
        action: Action::LedgerRowRefused.as_str().to_owned(),
        actor: SYSTEM.to_owned(),
        target: String::new(),
        recorded_by: SYSTEM.to_owned(),
        meta: json!({"staged_id": staged_id, "fault": fault}),
        trace_id: "0".repeat(32),
        external_request_id: None,
        client_ip: None,
        ..row
    };
    let (action, trace, meta) = parts(&row).map_err(|what| LedgerError::MalformedRow { staged_id, what })?;
    Ok(Sound { row, action, trace, meta })
}

fn parts(row: &Staged) -> Result<(ActionName, TraceId, String), &'static str> {
    let action = row.action.parse().map_err(|_| "has no action's name")?;
    let trace = row.trace_id.parse().map_err(|_| "has no trace id")?;
    if row.actor.len().max(row.target.len()) > MAX_SUBJECT_BYTES {
        return Err("has an actor or target that is too long to be found by");
    }
    let mut meta = json!({
        "by": row.recorded_by,
        "data": row.meta,
        "event": EventId::from_uuid(row.event_id).to_string(),
        "request": RequestId::from_uuid(row.request_id).to_string(),
    });
    if let Some(members) = meta.as_object_mut() {
        let optional = [
            ("external_request", row.external_request_id.clone()),
            ("project", row.project_id.map(|project| ProjectId::from_uuid(project).to_string())),
        ];
        members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    }
    let meta = canonical::to_string(&meta).map_err(|_| "has meta without a canonical form")?;
    Ok((action, trace, meta))
}

/// Continues the run of this level, or begins it.
fn append(runs: &mut Vec<Run>, tile_level: u8, index: u64, hash: &Hash) {
    match runs.iter_mut().find(|run| run.tile_level == tile_level) {
        Some(run) => run.hashes.extend_from_slice(hash.as_bytes()),
        None => runs.push(Run { tile_level, start: index, hashes: hash.as_bytes().to_vec() }),
    }
}
