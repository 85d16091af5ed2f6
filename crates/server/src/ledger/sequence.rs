//! Sequencing: staged rows become entries, in the order in which they were staged.
//!
//! One transaction takes the locks of the heads, reads what is staged, inserts entries, openings and hashes, takes the
//! staged rows away and moves each head from the size that it had. Whatever fails, all of it is rolled back and the
//! staged rows are still there. Many logs share a transaction, for most of its cost is its round trips and its flush;
//! a log that must not grow is left out, and holds up none of the others.

mod prepare;
mod sql;

use std::collections::{BTreeMap, HashMap};

use bailiwick_proof::commitment::Opening;
use bailiwick_proof::entry::{ActionName, Entry};
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{Frontier, Hash, leaf_hash};
use bailiwick_proof::tile;
use time::OffsetDateTime;
use uuid::Uuid;

use super::cell::{FIRST_GENERATION, Ledger};
use super::error::LedgerError;
use super::openings::{self, NewOpenings, Subjects};
use super::{keys, place, rows};
use crate::db::{OperationalPath, SystemTx, Unrecorded};
use crate::vault::{Owner, VaultError};

pub(super) use prepare::{Prepared, prepare};
pub(super) use sql::{count_staged, has_head, has_staged, lock_head, logs_with_staged, staged};

/// So many entries at most in one transaction.
pub(super) const BATCH: usize = 500;
/// So many logs at most in one transaction.
pub(super) const LOGS_AT_ONCE: usize = 64;

/// The head of a log, locked.
pub(super) struct Head {
    pub(super) generation: u32,
    pub(super) last_leaf: Hash,
    pub(super) frontier: Frontier,
}

/// What an entry is made of: a staged row, or what a request brings along.
pub(super) struct Staged {
    /// `None` in the cell's own log.
    pub(super) workspace_id: Option<Uuid>,
    pub(super) environment: String,
    /// Where the row stands in its table, for as long as this transaction holds it; `None` if it stands in none.
    pub(super) place: Option<String>,
    pub(super) id: i64,
    pub(super) event_id: Uuid,
    pub(super) project_id: Option<Uuid>,
    pub(super) action: String,
    pub(super) actor: String,
    pub(super) target: String,
    pub(super) recorded_by: String,
    pub(super) meta: serde_json::Value,
    pub(super) trace_id: String,
    pub(super) request_id: Uuid,
    pub(super) external_request_id: Option<String>,
    pub(super) client_ip: Option<String>,
    pub(super) staged_at: OffsetDateTime,
    pub(super) rows: Option<Vec<u8>>,
}

impl Staged {
    /// The log in which it is staged.
    pub(super) fn log(&self) -> Option<Log> {
        place::log(self.workspace_id.unwrap_or_default(), &self.environment)
    }
}

/// A head that has grown, and its size before.
struct Moved {
    log: Log,
    head: Head,
    before: u64,
}

/// What is written for one entry.
pub(super) struct Linked {
    log: Log,
    generation: u32,
    pub(super) seq: u64,
    pub(super) event_id: Uuid,
    project_id: Option<Uuid>,
    action: ActionName,
    recorded_at: OffsetDateTime,
    entry: Vec<u8>,
    /// In the order of `Field::ALL`, until they are sealed.
    openings: [Opening; 4],
    kept: NewOpenings,
    /// What it says of rows, until that is bound to its place.
    rows: Option<Vec<u8>>,
}

/// Hashes of consecutive complete subtrees of one tile level.
struct Run {
    log: Log,
    generation: u32,
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
        let mut tx = ledger.db().system_tx(OperationalPath::SequenceLedger).await?;
        let Some(head) = sql::lock_head(&mut tx, log, wait).await? else {
            if sql::has_head(&mut tx, log).await? {
                tx.finish_reading().await?;
                match wait {
                    // Whoever waits for the head sees none only while somebody else founds the log: it is there now.
                    Wait::ForIt => continue,
                    Wait::No => return Ok(done),
                }
            }
            if !sql::has_staged(&mut tx, log).await? {
                tx.finish_reading().await?;
                return Ok(done);
            }
            found(ledger, &mut tx, log).await?;
            tx.commit_unrecorded(Unrecorded::Sequenced).await?;
            continue;
        };
        ledger.refuse_if_behind(log, head.generation, head.frontier.size())?;
        let staged = match log {
            Log::Cell => sql::staged_in_cell(&mut tx, BATCH).await?,
            Log::Workspace { .. } => sql::staged(&mut tx, &[log], BATCH).await?,
        };
        let batch = append(ledger, tx, vec![(log, head)], staged).await?;
        done += batch;
        if batch < count(BATCH) {
            return Ok(done);
        }
    }
}

/// What is left after many logs were sequenced together.
pub(super) struct Left {
    /// Logs of which a batch was taken, and more may be there.
    pub(super) more: Vec<Log>,
    /// Logs that have no head yet, or must not grow, or to which somebody else appends: each wants a look of its own.
    pub(super) apart: Vec<Log>,
}

/// Sequences what is staged in these logs of workspaces, so many rows at most of each that the batch is shared evenly.
pub(super) async fn sequence_together(ledger: &Ledger, logs: &[Log]) -> Result<Left, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::SequenceLedger).await?;
    let mut heads = sql::lock_heads(&mut tx, logs).await?;
    heads.retain(|(log, head)| ledger.refuse_if_behind(*log, head.generation, head.frontier.size()).is_ok());
    let locked: Vec<Log> = heads.iter().map(|(log, _)| *log).collect();
    let each = (BATCH / locked.len().max(1)).max(1);
    let staged = sql::staged(&mut tx, &locked, each).await?;
    let full = |log: &Log| staged.iter().filter(|row| row.log() == Some(*log)).count() == each;
    let left = Left {
        apart: logs.iter().copied().filter(|log| !locked.contains(log)).collect(),
        more: locked.into_iter().filter(full).collect(),
    };
    append(ledger, tx, heads, staged).await?;
    Ok(left)
}

/// Appends the staged rows to the logs whose heads are locked, and commits.
async fn append(
    ledger: &Ledger,
    mut tx: SystemTx,
    heads: Vec<(Log, Head)>,
    staged: Vec<Staged>,
) -> Result<u64, LedgerError> {
    if staged.is_empty() {
        tx.finish_reading().await?;
        return Ok(0);
    }
    let written = write(ledger, &mut tx, heads, prepare(ledger.entropy(), staged)?).await?;
    tx.commit_unrecorded(Unrecorded::Sequenced).await?;
    Ok(count(written.len()))
}

/// Writes the rows' entries behind the locked heads, log by log in the order of the rows, and takes away those that were
/// staged.
pub(super) async fn write(
    ledger: &Ledger,
    tx: &mut SystemTx,
    heads: Vec<(Log, Head)>,
    prepared: Vec<Prepared>,
) -> Result<Vec<Linked>, LedgerError> {
    let places: Vec<String> = prepared.iter().filter_map(|row| row.place.clone()).collect();
    let mut rows: HashMap<Log, Vec<Prepared>> = HashMap::new();
    let brought = prepared.len();
    for row in prepared {
        if let Some(log) = row.log {
            rows.entry(log).or_default().push(row);
        }
    }
    let (mut linked, mut runs, mut moved) = (Vec::new(), Vec::new(), Vec::new());
    for (log, mut head) in heads {
        let Some(own) = rows.remove(&log) else { continue };
        let before = head.frontier.size();
        link(log, &mut head, own, &mut linked, &mut runs);
        moved.push(Moved { log, head, before });
    }
    seal_openings(ledger, tx, &mut linked).await?;
    bind_rows(ledger, &mut linked).await?;
    sql::insert_entries(tx, &linked).await?;
    sql::insert_openings(tx, &linked).await?;
    sql::insert_hashes(tx, &runs).await?;
    let taken = match moved.first() {
        _ if places.is_empty() => 0,
        Some(Moved { log: Log::Cell, .. }) => sql::take_from_cell(tx, &places).await?,
        _ => sql::take(tx, &places).await?,
    };
    let heads = sql::move_heads(tx, &moved).await?;
    if heads != count(moved.len()) || taken != count(places.len()) || linked.len() != brought {
        let first = moved.first().map(|moved| ledger.origin(moved.log, moved.head.generation)).transpose()?;
        return Err(LedgerError::LostHead { origin: first.map(|origin| origin.to_string()).unwrap_or_default() });
    }
    let (ledger, entries) = (ledger.clone(), count(linked.len()));
    tx.after_commit(move || {
        metrics::counter!("bailiwick_ledger_entries_total").increment(entries);
        moved.iter().for_each(|moved| ledger.moved(moved.log));
    });
    Ok(linked)
}

/// Seals what the commitments are commitments to, owner by owner in the order of their ids, so that no two who number at
/// once wait for each other. Of a workspace that was shredded nothing can be kept.
async fn seal_openings(ledger: &Ledger, tx: &mut SystemTx, linked: &mut [Linked]) -> Result<(), LedgerError> {
    let mut owners: BTreeMap<Uuid, Vec<&mut Linked>> = BTreeMap::new();
    for entry in linked {
        owners.entry(openings::owner(entry.log).uuid()).or_default().push(entry);
    }
    for (owner, entries) in owners {
        let owner = Owner::of(owner);
        // Four openings for each, and at most two names that are new.
        let uses = u32::try_from(entries.len() * 6).unwrap_or(u32::MAX);
        let mut sealer = match ledger.vault().sealer(owner, uses).await {
            Ok(sealer) => sealer,
            Err(VaultError::Shredded) => continue,
            Err(error) => return Err(error.into()),
        };
        // Actor and target are the first and the last of the fields.
        let names = entries.iter().flat_map(|entry| {
            let [actor, _, _, target] = &entry.openings;
            [actor.value.as_str(), target.value.as_str()]
        });
        let subjects = Subjects::resolve(tx, ledger.vault(), &mut sealer, owner, names.collect()).await?;
        sealer.announce(&subjects.numbers())?;
        for entry in entries {
            let place = (entry.log, entry.generation, entry.seq);
            entry.kept = openings::seal(&mut sealer, &subjects, place, (entry.action.as_str(), &entry.openings))?;
        }
    }
    Ok(())
}

/// Binds what entries say of rows to their places, so that none of it can be moved to another entry.
async fn bind_rows(ledger: &Ledger, linked: &mut [Linked]) -> Result<(), LedgerError> {
    if linked.iter().all(|entry| entry.rows.is_none()) {
        return Ok(());
    }
    let keys = rows::keys(ledger.vault()).await?;
    for entry in linked {
        let place = (entry.log, entry.generation, entry.seq);
        entry.rows = entry.rows.take().map(|stamps| rows::bind(&keys, place, &stamps));
    }
    Ok(())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The first head and the first key of a log; those of a workspace's other environment too, so that its empty log can
/// be asked for.
async fn found(ledger: &Ledger, tx: &mut SystemTx, log: Log) -> Result<(), LedgerError> {
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

/// Gives each row its number and its link, and grows the tree by them.
fn link(log: Log, head: &mut Head, prepared: Vec<Prepared>, linked: &mut Vec<Linked>, runs: &mut Vec<Run>) {
    let mut own: Vec<Run> = Vec::new();
    let generation = head.generation;
    for row in prepared {
        let seq = head.frontier.size();
        let entry = Entry {
            log,
            generation,
            seq,
            prev: head.last_leaf,
            // A clock that stands before 1970 holds nothing up.
            recorded_at_ms: u64::try_from(row.recorded_at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
            action: row.action,
            trace: row.trace,
            commitments: row.commitments,
        };
        let stored = entry.to_bytes();
        let leaf = leaf_hash(&stored);
        let mut keep = |tile_level, start, hash: &Hash| match own.iter_mut().find(|run| run.tile_level == tile_level) {
            Some(run) => run.hashes.extend_from_slice(hash.as_bytes()),
            None => own.push(Run { log, generation, tile_level, start, hashes: hash.as_bytes().to_vec() }),
        };
        keep(0, seq, &leaf);
        head.frontier.push(leaf, |node, hash| {
            if node.level.is_multiple_of(tile::HEIGHT) {
                keep(node.level / tile::HEIGHT, node.index, &hash);
            }
        });
        head.last_leaf = leaf;
        linked.push(Linked {
            log,
            generation,
            seq,
            event_id: row.event_id,
            project_id: row.project_id,
            action: entry.action,
            recorded_at: row.recorded_at,
            entry: stored,
            openings: row.openings,
            kept: NewOpenings::default(),
            rows: row.rows,
        });
    }
    runs.append(&mut own);
}
