//! What others say of the log that a shared receipt is of: the newest manifest that names the log, up to the cell's checkpoint, and which
//! witnesses have cosigned that.
//!
//! A receipt that no manifest covers yet, or whose manifest nobody has cosigned, is shown without.

use bailiwick_proof::log::Log;
use bailiwick_proof::manifest::proof::{Covered, ManifestProof};
use bailiwick_proof::receipt::Receipt;

use super::ops;
use crate::audit::ops::ReadError;
use crate::authz::SharedReceipt;
use crate::console::{Moment, Visit};
use crate::db::{Authority as _, Db};
use crate::ledger::{self, Ledger, ProveError};

/// A receipt with the line of a manifest that names its checkpoint.
pub(super) struct Witnessed {
    /// The receipt.
    pub(super) receipt: Receipt,
    /// The file that has it in it, for whoever verifies under a policy.
    pub(super) proof: ManifestProof,
    signed: Vec<Line>,
    cell_key: String,
}

/// Who has cosigned.
struct Line {
    name: String,
    vkey: String,
    at: time::OffsetDateTime,
}

/// The same in words.
pub(super) struct WitnessedView {
    pub(super) lines: Vec<LineView>,
    /// The line of the manifest, with the receipt's checkpoint in the receipt's place.
    pub(super) file: String,
    pub(super) cell_key: String,
    /// What verifies the whole file.
    pub(super) verify: String,
}

pub(super) struct LineView {
    pub(super) name: String,
    pub(super) vkey: String,
    pub(super) at: Moment,
}

/// What there is for a link; what fails here hides nothing of the receipt.
pub(super) async fn witnessed(shared: &SharedReceipt, db: &Db, ledger: &Ledger) -> Option<Witnessed> {
    match find(shared, db, ledger).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(event = "receipt_share.not_witnessed", cause = %error);
            None
        }
    }
}

async fn find(shared: &SharedReceipt, db: &Db, ledger: &Ledger) -> Result<Option<Witnessed>, ReadError> {
    let Some(hour) = ledger::newest_manifest(ledger).await? else { return Ok(None) };
    let mut tx = db.workspace_tx(shared).await?;
    let line = match ledger::manifest_line(&mut tx, hour).await {
        Ok(line) => line,
        Err(ProveError::NoManifest { .. } | ProveError::NotNamed { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    tx.finish_reading().await?;
    let log = Log::Workspace { workspace: shared.workspace(), environment: shared.environment() };
    let row = ops::row(shared, db, (ledger, log)).await?;
    if row.stored.generation != line.signed.generation || row.stored.seq >= line.signed.size {
        return Ok(None);
    }
    let receipt = ops::receipt_at(shared, db, &row, &line.signed).await?;
    let covered = Covered::Receipt(Box::new(receipt.clone()));
    let proof = ledger::manifest_proof(ledger, shared.workspace(), &line, covered).await?;
    let signed = ledger::cosigners(ledger, &proof.cell.checkpoint).into_iter().filter_map(|(witness, seconds)| {
        let at = time::OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
        Some(Line { name: witness.name, vkey: witness.key.to_string(), at })
    });
    let signed: Vec<Line> = signed.collect();
    if signed.is_empty() {
        return Ok(None);
    }
    let cell = &proof.cell.checkpoint.unverified().origin;
    let keys = ledger::published_keys_of_cell(ledger).await?.keys;
    let key = keys.iter().map(|jwk| jwk.verifier()).find(|key| key.name() == cell);
    let cell_key = key.map(ToString::to_string).unwrap_or_default();
    Ok(Some(Witnessed { receipt, proof, signed, cell_key }))
}

impl WitnessedView {
    pub(super) fn of(witnessed: Witnessed, visit: &Visit, vkey: &str) -> Self {
        let Witnessed { receipt, proof, signed, cell_key } = witnessed;
        let lines = signed.into_iter().map(|Line { name, vkey, at }| LineView { name, vkey, at: visit.moment(at) });
        let file = ManifestProof { covered: Covered::Checkpoint(Box::new(receipt.checkpoint)), ..proof };
        Self {
            lines: lines.collect(),
            file: file.to_string(),
            verify: format!("bailiwick verify {FILE} --key '{vkey}' --key '{cell_key}' --policy witnesses.policy"),
            cell_key,
        }
    }
}

/// What the file is called that has the receipt and the line.
pub(super) const FILE: &str = "receipt.manifest";
