//! Where a log was cut: entries below went by retention, and what is left of them are their hashes.
//!
//! # Invariants
//! - A cut is believed when the vault vouches for its row, the hashes below it have its root, and the log itself has the
//!   entry `retention.pruned` that says so ([`crate::ledger::check`]). Entries that are missing otherwise were taken away.
//! - What pruned entries say of rows that grant something stays, and the cut holds its digest: rows are held against it
//!   for as long as they stand.
//!
//! The entry tells to anybody with its receipt, in `data` of what meta commits to: `{"days","from","root","size","to"}`.

pub(super) mod sql;

use bailiwick_proof::commitment::Field;
use bailiwick_proof::entry::Entry;
use bailiwick_proof::id::EventId;
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::Hash;
use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Action;
use super::cell::Ledger;
use super::error::LedgerError;
use super::place::columns;
use super::prove::{Stored, log_of};
use crate::db::WorkspaceTx;
use crate::vault::{Alert, Meaning, Vault};

/// The kind of row that [`Cut::meaning`] is vouched for in.
pub(super) const VOUCHED: &str = "ledger-cut/v1";

/// Where a log was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The log's generation.
    pub generation: u32,
    /// The first entry that stays: a multiple of 256.
    pub to: u64,
    /// The root of the tree over the entries below.
    pub root: Hash,
    /// Over what the entries below say of rows.
    pub kept: Hash,
    /// The latest time of an entry below, in unix milliseconds.
    pub newest_ms: u64,
    /// The entry that says so.
    pub event: EventId,
    /// When it was decided.
    pub at: OffsetDateTime,
}

/// What the entry of a cut tells.
#[derive(Deserialize)]
struct Told {
    data: ToldData,
}

#[derive(Deserialize)]
struct ToldData {
    to: u64,
    root: String,
}

impl Cut {
    /// Whether every entry below was recorded before this moment.
    #[must_use]
    pub fn is_of_before(&self, moment: OffsetDateTime) -> bool {
        i128::from(self.newest_ms) * 1_000_000 < moment.unix_timestamp_nanos()
    }

    /// What nobody may write by hand.
    pub(super) fn meaning(&self, log: Log) -> Meaning {
        let (workspace, environment) = columns(log);
        Meaning::new()
            .uuid(workspace)
            .text(environment)
            .bytes(&self.generation.to_be_bytes())
            .bytes(&self.to.to_be_bytes())
            .bytes(self.root.as_bytes())
            .bytes(self.kept.as_bytes())
            .bytes(&self.newest_ms.to_be_bytes())
            .uuid(self.event.uuid())
            .moment(Some(self.at))
    }

    /// Whether this is the entry that says so, as far as it opens: one whose opening went with its workspace says by its
    /// action alone that there was a cut.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn is_told_by(&self, stored: &Stored, entry: &Entry) -> Result<(), &'static str> {
        if entry.action.as_str() != Action::RetentionPruned.as_str() || stored.seq < self.to {
            return Err("is not the one that tells of the cut");
        }
        let Some(meta) = stored.openings.get(&Field::Meta) else { return Ok(()) };
        let told = serde_json::from_str::<Told>(&meta.value).ok();
        let is_this = told.is_some_and(|told| told.data.to == self.to && told.data.root == self.root.to_hex());
        if is_this { Ok(()) } else { Err("tells of another cut") }
    }
}

/// The cut by which the entries before this one went, as far as the vault vouches for it.
pub(super) async fn covering(
    connection: &mut PgConnection,
    vault: Option<&Vault>,
    log: Log,
    (generation, first_there): (u32, u64),
) -> Result<Option<Cut>, LedgerError> {
    believed(sql::covering(connection, log, generation, first_there).await?, vault, log).await
}

/// The log's newest cut, as far as the vault vouches for it.
pub(super) async fn newest(connection: &mut PgConnection, vault: &Vault, log: Log) -> Result<Option<Cut>, LedgerError> {
    believed(sql::newest(connection, log).await?, Some(vault), log).await
}

/// A row that the vault does not vouch for is raised as an alert, and is none. Without a vault any row is taken for a cut, and
/// its hashes and its entry have to bear it out.
async fn believed(row: Option<(Cut, Vec<u8>)>, vault: Option<&Vault>, log: Log) -> Result<Option<Cut>, LedgerError> {
    let Some((cut, mac)) = row else { return Ok(None) };
    let Some(vault) = vault else { return Ok(Some(cut)) };
    if vouches(vault, &cut.meaning(log), &mac).await? {
        return Ok(Some(cut));
    }
    let (workspace, environment) = columns(log);
    let (what, of) = ("retention_unvouched", "ledger_cuts");
    vault.alerts().raise(Alert { what, of, workspace, row: format!("{environment}/{}", cut.to) });
    Ok(None)
}

/// SHA-256 over what entries say of rows: `seq u64 | length u32 | rows`, big endian, in their order.
pub(super) fn digest(rows: &[(u64, Vec<u8>)]) -> Hash {
    let mut bytes = Vec::new();
    for (seq, rows) in rows {
        bytes.extend_from_slice(&seq.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(rows.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(rows);
    }
    Hash::of(&bytes)
}

async fn vouches(vault: &Vault, meaning: &Meaning, mac: &[u8]) -> Result<bool, LedgerError> {
    if let Some(verdict) = vault.row_keys(VOUCHED).await?.vouches(meaning, mac) {
        return Ok(verdict);
    }
    vault.look_for_cell_keys().await?;
    Ok(vault.row_keys(VOUCHED).await?.vouches(meaning, mac).unwrap_or(false))
}

/// Where the log at hand was cut last.
///
/// # Errors
/// [`LedgerError`].
pub async fn cut_of(tx: &mut WorkspaceTx, ledger: &Ledger) -> Result<Option<Cut>, LedgerError> {
    let log = log_of(tx);
    newest(tx.connection()?, ledger.vault(), log).await
}

/// Whether an event of this id, if there was one, went with the entries below the cut: ids begin with the millisecond.
#[must_use]
pub fn went_with(cut: &Cut, event: EventId) -> bool {
    let (high, _) = event.uuid().as_u64_pair();
    high >> 16 <= cut.newest_ms
}
