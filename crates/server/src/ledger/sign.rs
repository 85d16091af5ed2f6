//! Signing: heads become checkpoints, one journal object for each batch.
//!
//! The order is: the entries are committed; the roots go into the journal; the checkpoints are signed; they are
//! published. Whoever is killed in between has promised nothing: a root in the journal that was never signed is one
//! that the log still has, and the next batch signs it.

mod sql;

use std::collections::{BTreeMap, HashMap};

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{self, Frontier, Hash};
use bailiwick_proof::note::SigningKey;
use tokio::time::Instant;

use super::cell::Ledger;
use super::error::LedgerError;
use super::keys;
use super::tree::Nodes;
use crate::anchor::{Freeze, Head, JournalError};
use crate::db::{Db, OperationalPath, SystemTx, Unrecorded};

/// So often a batch is prepared anew because another signer has the number that it was to have.
const TRIES: usize = 5;

/// A published checkpoint.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The log's generation.
    pub generation: u32,
    /// Entries that it covers.
    pub size: u64,
    /// The signed note.
    pub note: String,
}

/// A head, as signing reads it.
pub(super) struct Grown {
    pub(super) log: Log,
    pub(super) generation: u32,
    pub(super) size: u64,
    pub(super) root: Hash,
}

impl Grown {
    fn of(row: &sql::HeadRow) -> Option<Self> {
        let size = u64::try_from(row.size).ok()?;
        let frontier = Frontier::from_bytes(size, &row.frontier).ok()?;
        let log = super::place::log(row.workspace_id, &row.environment)?;
        Some(Self { log, generation: u32::try_from(row.generation).ok()?, size, root: frontier.root() })
    }
}

/// Whether any log of the cell has begun.
pub(super) async fn has_begun(db: &Db) -> Result<bool, LedgerError> {
    let mut tx = db.system_tx(OperationalPath::SignLedger).await?;
    let begun = sql::has_begun(&mut tx).await?;
    tx.finish_reading().await?;
    Ok(begun)
}

/// Every head, by origin.
pub(super) async fn heads(ledger: &Ledger, tx: &mut SystemTx) -> Result<HashMap<String, Grown>, LedgerError> {
    let rows = sql::heads(tx).await?;
    rows.iter()
        .filter_map(Grown::of)
        .map(|grown| Ok((ledger.origin(grown.log, grown.generation)?.to_string(), grown)))
        .collect()
}

/// A log that has grown since it was signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsigned {
    pub(super) log: Log,
    /// Entries that its newest checkpoint covers.
    pub(super) signed: u64,
}

/// The logs that have no checkpoint of their size, or one of which the journal knows nothing.
pub(super) async fn unsigned(ledger: &Ledger) -> Result<Vec<Unsigned>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::SignLedger).await?;
    let stand = sql::stand(&mut tx).await?;
    tx.finish_reading().await?;
    // What other nodes have signed meanwhile is no news.
    ledger.journal().read_on().await?;
    let mut unsigned = Vec::new();
    for sql::Stand { log, generation, size, is_stored } in stand {
        let signed = ledger.journal().head(&ledger.origin(log, generation)?.to_string()).map_or(0, |head| head.size);
        if !is_stored || signed != size {
            unsigned.push(Unsigned { log, signed });
        }
    }
    Ok(unsigned)
}

/// The newest checkpoint of a log; signed now if the log has grown since, or somebody else has put one there.
pub(super) async fn newest(ledger: &Ledger, log: Log) -> Result<Signed, LedgerError> {
    match stored(ledger, log).await {
        Ok(Some((signed, true))) => return Ok(signed),
        Ok(_) | Err(LedgerError::ForgedCheckpoint { .. }) => {}
        Err(error) => return Err(error),
    }
    if let Some((_, error)) = sign(ledger, &[log]).await?.into_iter().next() {
        return Err(error);
    }
    stored(ledger, log).await?.map(|(signed, _)| signed).ok_or(LedgerError::NoSuchLog)
}

/// The newest stored checkpoint of a log, and whether it covers all that is there.
async fn stored(ledger: &Ledger, log: Log) -> Result<Option<(Signed, bool)>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::SignLedger).await?;
    let head = sql::head(&mut tx, log).await?.as_ref().and_then(Grown::of).ok_or(LedgerError::NoSuchLog)?;
    let signed = sql::newest(&mut tx, log, head.generation).await?;
    if let Some(signed) = &signed {
        refuse_forged(ledger, &mut tx, log, signed, head.size).await?;
    }
    tx.finish_reading().await?;
    Ok(signed.map(|signed| {
        let is_whole = signed.size == head.size;
        (signed, is_whole)
    }))
}

/// The newest checkpoint that is stored of a closed generation: none is made of it any more.
pub(super) async fn newest_of_closed(
    ledger: &Ledger,
    log: Log,
    generation: u32,
) -> Result<Option<Signed>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::SignLedger).await?;
    let signed = sql::newest(&mut tx, log, generation).await?;
    if let Some(signed) = &signed {
        refuse_forged(ledger, &mut tx, log, signed, signed.size).await?;
    }
    tx.finish_reading().await?;
    Ok(signed)
}

/// When the anchor store last failed a signer of this process.
#[derive(Debug, Default)]
pub(super) struct LastTry {
    failed_at: Option<Instant>,
}

/// Signs those of these logs that have grown since they were signed. Logs that must not be signed come back with the
/// reason; the others are signed all the same.
pub(super) async fn sign(ledger: &Ledger, logs: &[Log]) -> Result<Vec<(Log, LedgerError)>, LedgerError> {
    if logs.is_empty() {
        return Ok(Vec::new());
    }
    let asked = Instant::now();
    let mut last = ledger.signing().lock().await;
    if last.failed_at.is_some_and(|failed_at| failed_at >= asked) {
        // Whoever waited meanwhile would wait as long again, and those behind them longer.
        return Err(JournalError::Away.into());
    }
    let mut tries = 1;
    loop {
        match sign_by_turn(ledger, logs).await {
            // Where the store has no locks, somebody else was quicker: what they wrote down is read, and holds.
            Err(LedgerError::Journal(JournalError::AnotherSigner { .. })) if tries < TRIES => tries += 1,
            done => {
                if matches!(done, Err(LedgerError::Journal(JournalError::Anchor(_)))) {
                    last.failed_at = Some(Instant::now());
                }
                return done;
            }
        }
    }
}

async fn sign_by_turn(ledger: &Ledger, logs: &[Log]) -> Result<Vec<(Log, LedgerError)>, LedgerError> {
    let lock = ledger.journal().lock().await?;
    let frozen = ledger.freezes().read().await.map_err(JournalError::from)?;
    let mut tx = ledger.db().system_tx(OperationalPath::SignLedger).await?;
    let mut refused = Vec::new();
    let mut ready = Vec::new();
    let mut moved = BTreeMap::new();
    for log in logs {
        if let Some(freeze) = frozen.get(&super::place::columns(*log).0) {
            let Freeze { origin, what, .. } = freeze.clone();
            refused.push((*log, LedgerError::Frozen { origin, what }));
            continue;
        }
        match prepare(ledger, &mut tx, *log).await {
            Ok(None) => {}
            Ok(Some((checkpoint, signers, grown))) => {
                moved.insert(checkpoint.origin.clone(), Head { size: grown.size, root: grown.root });
                ready.push((checkpoint, signers, grown));
            }
            Err(error @ (LedgerError::Db(_) | LedgerError::Journal(_))) => return Err(error),
            Err(error) => refused.push((*log, error)),
        }
    }
    tx.finish_reading().await?;
    if ready.is_empty() {
        return Ok(refused);
    }
    let now = ledger.clock().now();
    let at_ms = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    lock.append(at_ms, &moved).await?;
    let mut tx = ledger.db().system_tx(OperationalPath::SignLedger).await?;
    let count = ready.len();
    let of_cell = ready.iter().any(|(_, _, grown)| grown.log == Log::Cell);
    for (checkpoint, signers, grown) in ready {
        let signers: Vec<_> = signers.iter().collect();
        let note = SignedCheckpoint::sign(checkpoint, &signers).map_err(|_| LedgerError::MalformedKey)?.to_string();
        sql::insert(&mut tx, grown.log, grown.generation, grown.size, now, &note).await?;
    }
    tx.commit_unrecorded(Unrecorded::Signed).await?;
    drop(lock);
    if of_cell {
        ledger.tell_of_cells_checkpoint();
    }
    metrics::counter!("bailiwick_ledger_checkpoints_total").increment(u64::try_from(count).unwrap_or_default());
    Ok(refused)
}

/// A stored checkpoint is handed out, and taken for done, only if it covers no more than there is and is ours: signed by a key that opens,
/// or what the journal has. That rows agree with each other shows nothing: a key's public half is a row, too.
async fn refuse_forged(
    ledger: &Ledger,
    tx: &mut SystemTx,
    log: Log,
    signed: &Signed,
    most: u64,
) -> Result<(), LedgerError> {
    let origin = ledger.origin(log, signed.generation)?.to_string();
    let forged = || LedgerError::ForgedCheckpoint { origin: origin.clone(), size: signed.size };
    let note = signed.note.parse::<SignedCheckpoint>().map_err(|_| forged())?;
    let checkpoint = note.unverified();
    if checkpoint.origin != origin || checkpoint.size != signed.size || signed.size > most {
        return Err(forged());
    }
    // Its key may be lost by now: whoever signed it, this is what the log was.
    let plain = Checkpoint { extensions: Vec::new(), ..checkpoint.clone() };
    let journaled = ledger.journal().head(&origin) == Some(Head { size: plain.size, root: plain.root });
    let keys = if journaled && plain == *checkpoint {
        keys::of_log(tx, log, ledger.name()).await?
    } else {
        keys::that_open(ledger, tx, log).await?
    };
    note.verify(&keys).map(drop).map_err(|_| forged())
}

type Ready = (Checkpoint, Vec<SigningKey>, Grown);

/// What is to be signed for a log: `None` when its size is signed already. The root that the journal holds must be one
/// that the log still has.
async fn prepare(ledger: &Ledger, tx: &mut SystemTx, log: Log) -> Result<Option<Ready>, LedgerError> {
    let grown = sql::head(tx, log).await?.as_ref().and_then(Grown::of).ok_or(LedgerError::NoSuchLog)?;
    ledger.refuse_if_behind(log, grown.generation, grown.size)?;
    let origin = ledger.origin(log, grown.generation)?.to_string();
    let signers = keys::signing(ledger, tx, log, grown.generation).await?;
    // Its keys were all retired by hand: nothing of this log goes into the journal, and the others wait for nobody.
    if signers.is_empty() {
        return Err(LedgerError::MalformedKey);
    }
    // Rows do not say what was signed: whoever wrote one could keep the log from being signed for as long as they pleased.
    if ledger.journal().head(&origin) == Some(Head { size: grown.size, root: grown.root })
        && let Some(signed) = sql::at_size(tx, log, (grown.generation, grown.size)).await?
    {
        match refuse_forged(ledger, tx, log, &signed, grown.size).await {
            Ok(()) => return Ok(None),
            Err(LedgerError::ForgedCheckpoint { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(journal) = ledger.journal().head(&origin) {
        let forked = || LedgerError::Forked { origin: origin.clone(), size: journal.size };
        // The proof that a stranger would ask for: that the rows agree with each other shows nothing, for whoever owns the
        // database can make them agree.
        let needed = merkle::consistency_nodes(journal.size, grown.size).ok_or_else(forked)?;
        let nodes = Nodes::read(tx.connection()?, log, grown.generation, &needed).await?.map_err(|_| forked())?;
        let path = merkle::consistency_proof(journal.size, grown.size, |node| nodes.hash(node));
        let path = path.map_err(|_| forked())?.ok_or_else(forked)?;
        merkle::verify_consistency(journal.size, &journal.root, grown.size, &grown.root, &path)
            .map_err(|_| forked())?;
    }
    let checkpoint = Checkpoint { origin, size: grown.size, root: grown.root, extensions: Vec::new() };
    Ok(Some((checkpoint, signers, grown)))
}
