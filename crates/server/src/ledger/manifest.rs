//! Manifests: each hour the root over one line for each log of the cell becomes an entry of the cell's own log, so that the loss of a
//! whole log shows to whoever holds the cell's checkpoints.
//!
//! # Invariants
//! - A line says what was signed: the log's newest checkpoint, as the journal has it, or signed by a key whose seed opens. A log of
//!   which neither can be said is left out, and is an error in the log lines.
//! - The manifest's rows and its entry come by one transaction; of two nodes one makes them.
//! - Lines name their logs by salts that are drawn for each log and manifest: who sees a manifest does not see whose logs there are,
//!   and who is given one salt finds one line.

pub(super) mod show;
mod sql;

use std::collections::{BTreeSet, HashMap};

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::id::Id;
use bailiwick_proof::log::{Log, Origin};
use bailiwick_proof::manifest::{Manifest, SALT_BYTES, line};
use bailiwick_proof::merkle::{Frontier, Hash, Node};
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::tile;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::cell::Ledger;
use super::error::LedgerError;
use super::generation::is_closed;
use super::sign::Signed;
use super::{Action, Entry, keys, sign, stage_in_cell_told};
use crate::context::RequestContext;
use crate::db::{OperationalPath, SystemTx, Unrecorded};

/// For so long manifests are kept, and lines of them handed out.
const KEPT: Duration = Duration::days(7);
/// So many logs are read or written at a time.
const ROWS_AT_ONCE: usize = 2_000;

/// A log's line, before it has its place.
struct Line {
    log: Log,
    generation: u32,
    size: u64,
    salt: [u8; SALT_BYTES],
    text: String,
}

/// Makes the manifest of this hour by the earlier of two clocks, unless it is there, and lets go of what is too old by it. Manifests of after
/// the later one were made by a clock that was wrong, and would be the newest until then: they are taken back. Their entries stay in the
/// cell's log, and what was handed out of them verifies.
///
/// # Errors
/// See [`LedgerError`].
pub async fn publish_manifest(ledger: &Ledger) -> Result<(), LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::PublishManifest).await?;
    let (now, latest) = tx.two_clocks(ledger.clock().now()).await?;
    let withdrawn = sql::withdraw(&mut tx, latest).await?;
    tx.commit_unrecorded(Unrecorded::Expired).await?;
    if withdrawn > 0 {
        tracing::error!(event = "ledger_withdrawn", what = "manifests", withdrawn);
    }
    publish_manifest_of(ledger, now).await
}

/// Makes the manifest of the hour of this moment, unless it is there; lets go of those that are too old then.
///
/// # Errors
/// See [`LedgerError`]. What is wrong with one log is logged, and leaves that log out.
pub async fn publish_manifest_of(ledger: &Ledger, now: OffsetDateTime) -> Result<(), LedgerError> {
    let hour = now.truncate_to_hour();
    let mut tx = ledger.db().system_tx(OperationalPath::PublishManifest).await?;
    let known = sql::is_there(&mut tx, hour).await?;
    tx.finish_reading().await?;
    if !known {
        let lines = lines(ledger).await?;
        write(ledger, hour, lines).await?;
    }
    let mut tx = ledger.db().system_tx(OperationalPath::PublishManifest).await?;
    sql::expire(&mut tx, hour - KEPT).await?;
    Ok(tx.commit_unrecorded(Unrecorded::Expired).await?)
}

/// One line for each log of a workspace's.
async fn lines(ledger: &Ledger) -> Result<Vec<Line>, LedgerError> {
    let (unsigned, mut refused) = (sign::unsigned(ledger).await?, Vec::new());
    let unsigned: Vec<Log> = unsigned.iter().map(|one| one.log).collect();
    for some in unsigned.chunks(ROWS_AT_ONCE) {
        refused.extend(sign::sign(ledger, some).await?);
    }
    for (_, error) in refused {
        tracing::error!(event = "ledger_failed", step = "manifest", cause = %error);
    }
    // Before the rows: what is signed meanwhile is not missed.
    let mut missing: BTreeSet<String> = ledger.journal().heads().into_iter().map(|(origin, _)| origin).collect();
    let (mut lines, mut after) = (Vec::new(), None);
    loop {
        let mut tx = ledger.db().system_tx(OperationalPath::PublishManifest).await?;
        let page = sql::newest_checkpoints(&mut tx, after, ROWS_AT_ONCE).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (log, signed) in page {
            let origin = ledger.origin(log, signed.generation)?;
            missing.remove(&origin.to_string());
            match checked(ledger, &mut tx, log, &origin, &signed).await? {
                Some(checkpoint) => {
                    let salt = ledger.entropy().bytes::<SALT_BYTES>();
                    let text = line(&salt, &origin, &checkpoint);
                    lines.push(Line { log, generation: signed.generation, size: checkpoint.size, salt, text });
                }
                None => left_out("forged_checkpoint", &origin.to_string()),
            }
        }
        tx.finish_reading().await?;
    }
    let is_missed = |origin: &&String| {
        let is_closed = |origin: &Origin| is_closed(origin, |later| ledger.journal().head(later));
        origin.parse::<Origin>().is_ok_and(|origin| origin.log() != Log::Cell && !is_closed(&origin))
    };
    missing.iter().filter(is_missed).for_each(|origin| left_out("log_is_gone", origin));
    Ok(lines)
}

fn left_out(why: &'static str, origin: &str) {
    metrics::counter!("bailiwick_ledger_left_out_total", "why" => why).increment(1);
    tracing::error!(event = "ledger_left_out", why, origin);
}

/// What a stored checkpoint says, if it is ours: rows alone prove nothing.
async fn checked(
    ledger: &Ledger,
    tx: &mut SystemTx,
    log: Log,
    origin: &Origin,
    signed: &Signed,
) -> Result<Option<Checkpoint>, LedgerError> {
    let Ok(note) = signed.note.parse::<SignedCheckpoint>() else { return Ok(None) };
    let told = note.unverified();
    let is_its = told.origin == origin.to_string() && told.size == signed.size && told.extensions.is_empty();
    let journaled = ledger.journal().head(&told.origin);
    if is_its && journaled.is_some_and(|head| (head.size, head.root) == (told.size, told.root)) {
        return Ok(Some(told.clone()));
    }
    // Another node signed it a moment ago, or a signer died between journal and signature.
    let known: Vec<VerifierKey> = keys::that_open(ledger, tx, log).await?;
    Ok(note.verify(&known).ok().filter(|_| is_its).cloned())
}

/// The manifest and its entry, at once. Another node may have been quicker: then nothing is written.
async fn write(ledger: &Ledger, hour: OffsetDateTime, mut lines: Vec<Line>) -> Result<(), LedgerError> {
    lines.sort_by(|one, other| one.text.cmp(&other.text));
    let manifest = Manifest::new(lines.iter().map(|line| line.text.clone()).collect());
    // Two equal names: with 32 random bytes each, a fault of the machine.
    let leaves = manifest.map_err(|_| LedgerError::MalformedKey)?.leaves();
    let (root, hashes) = tree(&leaves);
    let logs = u64::try_from(leaves.len()).unwrap_or_default();
    let context = RequestContext::internal(ledger.clock(), ledger.entropy());
    let mut tx = ledger.db().system_tx(OperationalPath::PublishManifest).await?;
    let named = hour.format(&Rfc3339).unwrap_or_default();
    let entry = Entry::about(Action::ManifestPublished, &named)
        .with(json!({"hour": named, "logs": logs, "root": root.to_hex()}));
    let (event, recorded) =
        stage_in_cell_told(&mut tx, ledger.entropy(), &context, super::stage::SYSTEM, &entry).await?;
    let made = sql::NewManifest { hour, logs, root, event: Id::uuid(event), now: context.received_at };
    if !sql::insert(&mut tx, &made).await? {
        return Ok(tx.finish_reading().await?);
    }
    for (nth, some) in lines.chunks(ROWS_AT_ONCE).enumerate() {
        sql::insert_lines(&mut tx, hour, nth * ROWS_AT_ONCE, some).await?;
    }
    for some in hashes.chunks(ROWS_AT_ONCE) {
        sql::insert_hashes(&mut tx, hour, some).await?;
    }
    tx.commit(recorded).await?;
    metrics::counter!("bailiwick_ledger_manifests_total").increment(1);
    Ok(())
}

/// A run of stored hashes: tile level, first index, hashes. No run lies in two tiles.
type StoredRun = (u8, u64, Vec<u8>);

/// The root, and what of the tree is stored so that a path costs a few rows, however many lines there are.
fn tree(leaves: &[Hash]) -> (Hash, Vec<StoredRun>) {
    let mut frontier = Frontier::new();
    let mut tiles: HashMap<(u8, u64), Vec<u8>> = HashMap::new();
    let mut store = |node: Node, hash: Hash| {
        if node.level.is_multiple_of(tile::HEIGHT) {
            let tile = (node.level / tile::HEIGHT, node.index / tile::WIDTH);
            tiles.entry(tile).or_default().extend_from_slice(hash.as_bytes());
        }
    };
    for (index, leaf) in (0..).zip(leaves) {
        store(Node { level: 0, index }, *leaf);
        frontier.push(*leaf, &mut store);
    }
    let runs = tiles.into_iter().map(|((level, index), hashes)| (level, index * tile::WIDTH, hashes));
    (frontier.root(), runs.collect())
}
