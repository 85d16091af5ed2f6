//! Handing out a log's line of a manifest, with everything that it takes to check it: the path to the manifest's root, and the manifest's
//! entry in the cell's log with its receipt.
//!
//! Of the cell's log nothing else is shown. What is handed out was verified here, by the code that the command line verifies with.

mod sql;

use std::collections::HashMap;

use bailiwick_proof::commitment::Field;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::log::Log;
use bailiwick_proof::manifest::SALT_BYTES;
use bailiwick_proof::manifest::proof::{Covered, ManifestProof};
use bailiwick_proof::merkle::{self, Hash, Node};
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::receipt::Receipt;
use bailiwick_proof::tile;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::db::{OperationalPath, SystemTx, WorkspaceTx};
use crate::ledger::cell::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::prove::{ProveError, log_of, receipt_of};
use crate::ledger::sign::Signed;
use crate::ledger::witnesses::newest_cosigned;
use crate::ledger::{Action, keys, openings};

/// A log's line of one manifest.
pub struct ManifestLine {
    /// The manifest.
    pub hour: OffsetDateTime,
    /// The log's checkpoint that the line is of.
    pub signed: Signed,
    salt: [u8; SALT_BYTES],
    position: u64,
}

/// What is stored of a manifest.
struct Stored {
    logs: u64,
    root: Hash,
    event: uuid::Uuid,
}

/// The hour of the newest manifest.
///
/// # Errors
/// See [`LedgerError`].
pub async fn newest_manifest(ledger: &Ledger) -> Result<Option<OffsetDateTime>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::ShowManifest).await?;
    let hour = sql::newest(&mut tx).await?;
    tx.finish_reading().await?;
    Ok(hour)
}

/// The line of the transaction's log in the manifest of that hour.
///
/// # Errors
/// [`ProveError::NotNamed`] when the log had lines and has none there, [`ProveError::NoManifest`] when it never had one.
pub async fn manifest_line(tx: &mut WorkspaceTx, hour: OffsetDateTime) -> Result<ManifestLine, ProveError> {
    let log = log_of(tx);
    match sql::line(tx, log, hour).await? {
        Some(line) => Ok(line),
        None if sql::has_earlier_line(tx, log, hour).await? => Err(ProveError::NotNamed { hour: text(hour) }),
        None => Err(ProveError::NoManifest { hour: Some(text(hour)) }),
    }
}

/// The file that shows a log's line to be in the manifest, and the manifest in the cell's log.
///
/// # Errors
/// [`ProveError::BadManifest`] when what is stored does not verify; see [`ProveError`].
pub async fn manifest_proof(
    ledger: &Ledger,
    workspace: WorkspaceId,
    line: &ManifestLine,
    covered: Covered,
) -> Result<ManifestProof, ProveError> {
    let hour = text(line.hour);
    let bad = |what| ProveError::BadManifest { hour: hour.clone(), what };
    ledger.settle(Log::Cell).await?;
    let mut tx = ledger.db().system_tx(OperationalPath::ShowManifest).await?;
    let stored = sql::manifest(&mut tx, line.hour).await?;
    let stored = stored.ok_or_else(|| ProveError::NoManifest { hour: Some(hour.clone()) })?;
    let path = path(&mut tx, line, stored.logs).await?.ok_or_else(|| bad("has lost hashes"))?;
    let entry = openings::entry_of(&mut tx, Log::Cell, stored.event, Action::ManifestPublished).await?;
    tx.finish_reading().await?;
    let (entry, sealed) = entry.ok_or_else(|| bad("has lost its entry"))?;
    let opened = ledger.opened(Log::Cell, entry.generation, entry.seq, &sealed).await?;
    let cell = cell_receipt(ledger, &entry.with(opened)).await?;
    let proof = ManifestProof { salt: line.salt, index: line.position, path, covered, cell };
    let mut known: Vec<VerifierKey> = Vec::new();
    for set in [keys::published(ledger, workspace).await?, keys::published_of_cell(ledger).await?] {
        known.extend(set.keys.iter().map(|jwk| jwk.verifier().clone()));
    }
    match proof.verify(&known) {
        Ok(told) if told.hour == hour => Ok(proof),
        Ok(_) => Err(bad("has the entry of another hour")),
        Err(error) => {
            tracing::error!(event = "manifest_refused", hour, root = %stored.root, cause = %error);
            Err(bad("does not verify"))
        }
    }
}

async fn cell_receipt(ledger: &Ledger, entry: &crate::ledger::Stored) -> Result<Receipt, ProveError> {
    // One that witnesses cosigned, where it covers the entry: it is as good a proof, and others vouch for it.
    let signed = match newest_cosigned(ledger, Some((entry.generation, entry.seq))).await? {
        Some(signed) => signed,
        None => ledger.checkpoint_over(Log::Cell, entry.generation).await?,
    };
    let mut tx = ledger.db().system_tx(OperationalPath::ShowManifest).await?;
    let receipt = receipt_of(tx.connection()?, Log::Cell, &signed, entry, &[Field::Meta]).await?;
    tx.finish_reading().await?;
    Ok(receipt)
}

/// The path of a line; `None` when hashes are gone.
async fn path(tx: &mut SystemTx, line: &ManifestLine, logs: u64) -> Result<Option<Vec<Hash>>, LedgerError> {
    let Some(nodes) = merkle::inclusion_nodes(line.position, logs) else { return Ok(None) };
    let tiles: HashMap<(u8, u64), Vec<u8>> = sql::tiles(tx, line.hour, &nodes).await?;
    let hash = |node: Node| {
        let run = tile::run_of(node);
        let bytes = tiles.get(&(run.tile_level, run.tile_index())).ok_or(())?;
        let first = usize::try_from(run.start % tile::WIDTH * 32).map_err(|_| ())?;
        let beyond = usize::try_from((run.start % tile::WIDTH + run.len) * 32).map_err(|_| ())?;
        let hashes = bytes.get(first..beyond).ok_or(())?;
        let hashes: Result<Vec<Hash>, _> = hashes.chunks_exact(32).map(Hash::try_from).collect();
        tile::node_from_run(&hashes.map_err(|_| ())?).ok_or(())
    };
    Ok(merkle::inclusion_proof(line.position, logs, hash).ok().flatten())
}

fn text(hour: OffsetDateTime) -> String {
    hour.format(&Rfc3339).unwrap_or_default()
}
