//! Proofs for those who do not trust us: an entry is in the log, and a log extends an earlier one.
//!
//! What is handed out was verified here first, by the code that the command line verifies with. What does not verify is
//! a [`Mismatch`] with the number of the entry, never a receipt that somebody might take for a good one.

mod sql;

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::commitment::{Field, Opening};
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::entry::Entry;
use bailiwick_proof::id::EventId;
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{self, Hash, Node, leaf_hash};
use bailiwick_proof::receipt::Receipt;
use sqlx::PgConnection;

use super::cell::Ledger;
use super::cut::{self, Cut};
use super::error::LedgerError;
use super::openings::OpenedOpenings;
use super::reader::LogTx;
use super::sign::Signed;
use super::tree::{self, Missing, Nodes};
use crate::db::{ProjectWall, WorkspaceTx};

/// A stored entry, as it is read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The log's generation.
    pub generation: u32,
    /// Its number.
    pub seq: u64,
    /// Its bytes.
    pub entry: Vec<u8>,
    /// What its commitments are commitments to, where that was not erased.
    pub openings: BTreeMap<Field, Opening>,
    /// What was erased.
    pub erased: BTreeSet<Field>,
    /// Whether something that is sealed here does not open, though nobody erased it.
    pub is_tampered: bool,
}

/// The log is not what was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} {what}")]
pub struct Mismatch {
    /// The first entry that is known to be bad.
    pub seq: u64,
    /// What is wrong with it.
    pub what: &'static str,
    /// The receipt that can be made all the same: it fails in every verifier.
    pub receipt: Option<String>,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// See [`Mismatch`].
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Retention pruned what is asked for; or it would have, if it had ever been there.
    #[error("entries below {} were pruned by retention", .0.to)]
    Pruned(Box<Cut>),
    /// No checkpoint of this size was published.
    #[error("no checkpoint was published at size {size}")]
    NoCheckpoint {
        /// The size.
        size: u64,
    },
    /// A stored checkpoint cannot be read.
    #[error("the stored checkpoint of size {size} is malformed")]
    MalformedCheckpoint {
        /// Its size.
        size: u64,
    },
    /// No manifest was made at that hour, it is not kept any more, or the log began after it.
    #[error("no manifest names the log yet, or it is not kept any more")]
    NoManifest {
        /// The hour, if there is any manifest.
        hour: Option<String>,
    },
    /// A manifest does not name a log that earlier ones name: the log was gone, or what stood for it was forged.
    #[error("the manifest of {hour} does not name this log")]
    NotNamed {
        /// The hour.
        hour: String,
    },
    /// What is stored of a manifest is not what was published.
    #[error("the manifest of {hour} {what}")]
    BadManifest {
        /// The hour.
        hour: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<crate::db::DbError> for ProveError {
    fn from(error: crate::db::DbError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<Missing> for Mismatch {
    fn from(missing: Missing) -> Self {
        Self { seq: missing.seq, what: "or its place in the tree is gone", receipt: None }
    }
}

impl Stored {
    /// An entry of which nothing is opened yet.
    #[must_use]
    pub const fn unopened(generation: u32, seq: u64, entry: Vec<u8>) -> Self {
        Self { generation, seq, entry, openings: BTreeMap::new(), erased: BTreeSet::new(), is_tampered: false }
    }

    /// With its openings.
    #[must_use]
    pub fn with(self, opened: OpenedOpenings) -> Self {
        let OpenedOpenings { openings, erased, is_tampered } = opened;
        Self { openings, erased, is_tampered, ..self }
    }

    /// Whether the bytes say what they should: an entry of this log at this place, whose openings open.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, log: Log) -> Result<Entry, &'static str> {
        let entry = Entry::parse(&self.entry).map_err(|_| "is not an entry any more: its bytes were altered")?;
        if (entry.log, entry.generation, entry.seq) != (log, self.generation, self.seq) {
            return Err("names another log or place");
        }
        if self.is_tampered {
            return Err("has an opening that does not open");
        }
        for (field, opening) in &self.openings {
            if !opening.opens(*field, &entry.commitments) {
                return Err("has an opening that does not match its commitment");
            }
        }
        Ok(entry)
    }

    /// As [`Self::check`], and nothing is missing but what was erased.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check_whole(&self, log: Log) -> Result<Entry, &'static str> {
        let entry = self.check(log)?;
        if self.openings.len() + self.erased.len() == Field::ALL.len() { Ok(entry) } else { Err("has lost an opening") }
    }

    /// Whether this is the entry of that event: what meta commits to names it. Once that was erased, nothing does.
    #[must_use]
    pub fn is_event(&self, event: EventId) -> bool {
        #[derive(serde::Deserialize)]
        struct Named {
            event: String,
        }
        let meta = self.openings.get(&Field::Meta);
        if meta.is_none() && self.erased.contains(&Field::Meta) {
            return true;
        }
        let named = meta.and_then(|meta| serde_json::from_str::<Named>(&meta.value).ok());
        named.is_some_and(|named| named.event == event.to_string())
    }
}

/// The receipt of an entry against a checkpoint that covers it, with these fields opened.
///
/// # Errors
/// [`ProveError::Mismatch`] when the log is damaged where the proof needs it.
pub async fn receipt(
    tx: &mut WorkspaceTx,
    signed: &Signed,
    stored: &Stored,
    open: &[Field],
) -> Result<Receipt, ProveError> {
    let log = log_of(tx);
    receipt_of(tx.connection()?, log, signed, stored, open).await
}

/// As [`receipt`], of any log that the transaction reads.
pub(super) async fn receipt_of(
    connection: &mut PgConnection,
    log: Log,
    signed: &Signed,
    stored: &Stored,
    open: &[Field],
) -> Result<Receipt, ProveError> {
    let malformed = || ProveError::MalformedCheckpoint { size: signed.size };
    let checkpoint = signed.note.parse::<SignedCheckpoint>().map_err(|_| malformed())?;
    let beyond = || Mismatch { seq: stored.seq, what: "is beyond the newest checkpoint", receipt: None };
    let needed = merkle::inclusion_nodes(stored.seq, signed.size).ok_or_else(beyond)?;
    let nodes = Nodes::read(connection, log, stored.generation, &needed).await?.map_err(Mismatch::from)?;
    let path = merkle::inclusion_proof(stored.seq, signed.size, |node| nodes.hash(node)).map_err(Mismatch::from)?;
    let path = path.ok_or_else(beyond)?;
    let not_text = |_| Mismatch { seq: stored.seq, what: "is not an entry any more: it is not text", receipt: None };
    let openings = stored.openings.iter().filter(|(field, _)| open.contains(field));
    let receipt = Receipt {
        entry: String::from_utf8(stored.entry.clone()).map_err(not_text)?,
        openings: openings.map(|(field, opening)| (*field, opening.clone())).collect(),
        index: stored.seq,
        path,
        checkpoint,
    };
    let root = receipt.checkpoint.unverified().root;
    let included =
        merkle::verify_inclusion(stored.seq, signed.size, &leaf_hash(&stored.entry), &receipt.path, &root).is_ok();
    let wrong = match stored.check_whole(log) {
        _ if !included => Some("is not what was recorded: its bytes do not hash to the leaf that was signed"),
        checked => checked.err(),
    };
    let Some(what) = wrong else { return Ok(receipt) };
    // An opening that was not asked for may be all that is wrong. Then the receipt is a good one, and no evidence.
    let shown = Stored { openings: receipt.openings.clone(), ..stored.clone() };
    let fails = !included || shown.check(log).is_err();
    Err(Mismatch { seq: stored.seq, what, receipt: fails.then(|| receipt.to_string()) }.into())
}

/// What the tree holds at these places, each a generation and a number: `None` where it lost its place.
///
/// # Errors
/// [`LedgerError`].
pub async fn leaves(tx: &mut WorkspaceTx, places: &[(u32, u64)]) -> Result<Vec<Option<Hash>>, LedgerError> {
    let log = log_of(tx);
    let mut leaves = Vec::with_capacity(places.len());
    for generation in places.chunk_by(|one, other| one.0 == other.0) {
        let nodes: Vec<Node> = generation.iter().map(|(_, seq)| Node { level: 0, index: *seq }).collect();
        let Some((generation, _)) = generation.first() else { continue };
        leaves.extend(tree::each(tx.connection()?, log, *generation, &nodes).await?);
    }
    Ok(leaves)
}

/// That the checkpoint of one published size extends that of another.
///
/// # Errors
/// [`ProveError::NoCheckpoint`], [`ProveError::Mismatch`].
pub async fn consistency<'t>(
    tx: impl Into<LogTx<'t>>,
    generation: u32,
    from: u64,
    to: u64,
) -> Result<Pair, ProveError> {
    let mut tx = tx.into();
    let log = tx.log();
    let older = published(&mut tx, generation, from).await?;
    let newer = published(&mut tx, generation, to).await?;
    // The other way round there is nothing to prove; the pair says by itself that the second is smaller.
    let needed = merkle::consistency_nodes(from, to).unwrap_or_default();
    let nodes = Nodes::read(tx.connection()?, log, generation, &needed).await?.map_err(Mismatch::from)?;
    let path = merkle::consistency_proof(from, to, |node| nodes.hash(node)).map_err(Mismatch::from)?;
    Ok(Pair { path: path.unwrap_or_default(), older, newer })
}

async fn published(tx: &mut LogTx<'_>, generation: u32, size: u64) -> Result<SignedCheckpoint, ProveError> {
    let note = sql::checkpoint(tx, generation, size).await?.ok_or(ProveError::NoCheckpoint { size })?;
    note.parse().map_err(|_| ProveError::MalformedCheckpoint { size })
}

/// The first entry that is gone from the end of the log, if the caller may see all of it: the head, the newest stored
/// checkpoint or the journal counts more than there are.
///
/// # Errors
/// [`LedgerError`].
pub async fn tail_is_missing(tx: &mut WorkspaceTx, ledger: &Ledger) -> Result<Option<Mismatch>, LedgerError> {
    if tx.project() != ProjectWall::Unconfined {
        return Ok(None);
    }
    let log = log_of(tx);
    let ends = sql::ends(tx, log).await?;
    let origin = ledger.origin(log, ends.generation)?.to_string();
    let journaled = ledger.journal().head(&origin).map_or(0, |head| head.size);
    let gone = ends.rows < ends.size.max(journaled);
    Ok(gone.then_some(Mismatch { seq: ends.rows, what: "and what followed it is gone", receipt: None }))
}

/// The first entry that is gone where this event would stand, if the caller may see all of the log: in a gap between
/// those before and after it, or at the end; or that retention pruned what was recorded at its time.
///
/// # Errors
/// [`LedgerError`].
pub async fn missing_near(
    tx: &mut WorkspaceTx,
    ledger: &Ledger,
    event: EventId,
) -> Result<Option<ProveError>, LedgerError> {
    if tx.project() != ProjectWall::Unconfined {
        return Ok(None);
    }
    let cut = cut::cut_of(tx, ledger).await?;
    let floor = cut.as_ref().map_or(0, |cut| cut.to);
    if let Some(seq) = sql::gap_near(tx, log_of(tx), event.uuid(), floor).await? {
        return Ok(Some(Mismatch { seq, what: "is gone", receipt: None }.into()));
    }
    if let Some(mismatch) = tail_is_missing(tx, ledger).await? {
        return Ok(Some(mismatch.into()));
    }
    Ok(cut.filter(|cut| cut::went_with(cut, event)).map(|cut| ProveError::Pruned(Box::new(cut))))
}

/// An entry that is gone because retention pruned it is no mismatch.
///
/// # Errors
/// [`LedgerError`].
pub async fn unless_pruned(
    tx: &mut WorkspaceTx,
    ledger: &Ledger,
    mismatch: Mismatch,
) -> Result<ProveError, LedgerError> {
    let cut = cut::cut_of(tx, ledger).await?.filter(|cut| mismatch.seq < cut.to);
    Ok(cut.map_or_else(|| mismatch.into(), |cut| ProveError::Pruned(Box::new(cut))))
}

pub(super) const fn log_of(tx: &WorkspaceTx) -> Log {
    Log::Workspace { workspace: tx.workspace(), environment: tx.environment() }
}
