//! What is handed out of the cell's log: the newest checkpoint with the lines of those witnesses whose lines hold.

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::cosignature::parse_lines;
use bailiwick_proof::log::Log;
use bailiwick_proof::note::{Signature, VerifierKey};
use bailiwick_proof::policy::{Policy, PolicyWitness};
use uuid::Uuid;

use super::sql;
use crate::db::OperationalPath;
use crate::ledger::cell::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::keys;
use crate::ledger::sign::Signed;
use crate::vault::Alert;

/// A stored line, with the checkpoint that it is said to be of.
pub(super) struct StoredLine {
    pub(super) generation: u32,
    pub(super) size: u64,
    pub(super) witness: String,
    pub(super) line: String,
    pub(super) note: String,
}

/// The cell's newest checkpoint that the policy is content with; else the newest with any cosignature; else the newest.
///
/// # Errors
/// See [`LedgerError`].
pub async fn cell_checkpoint(ledger: &Ledger) -> Result<Signed, LedgerError> {
    match newest_cosigned(ledger, None).await? {
        Some(signed) => Ok(signed),
        None => {
            // A cell that was made a moment ago.
            ledger.settle(Log::Cell).await?;
            ledger.checkpoint(Log::Cell).await
        }
    }
}

/// The newest cosigned checkpoint that covers an entry of that generation and number, or any; one that the policy is content
/// with, if there is one. `None` when no witness has cosigned such a one.
pub(in crate::ledger) async fn newest_cosigned(
    ledger: &Ledger,
    covering: Option<(u32, u64)>,
) -> Result<Option<Signed>, LedgerError> {
    let Some(policy) = ledger.policy() else { return Ok(None) };
    let mut tx = ledger.db().system_tx(OperationalPath::ShowManifest).await?;
    let stored = sql::stored(&mut tx, covering).await?;
    tx.finish_reading().await?;
    if stored.is_empty() {
        return Ok(None);
    }
    let known: Vec<VerifierKey> =
        keys::published_of_cell(ledger).await?.keys.iter().map(|jwk| jwk.verifier().clone()).collect();
    let mut newest = None;
    for rows in stored.chunk_by(|one, other| (one.generation, one.size) == (other.generation, other.size)) {
        let Some((signed, checkpoint)) = with_lines(ledger, policy, rows, &known)? else { continue };
        if policy.check(&checkpoint).is_ok() {
            return Ok(Some(signed));
        }
        newest = newest.or(Some(signed));
    }
    Ok(newest)
}

/// Who of the policy has cosigned a checkpoint, and when by their own clocks, in seconds since 1970.
#[must_use]
pub fn cosigners(ledger: &Ledger, checkpoint: &SignedCheckpoint) -> Vec<(PolicyWitness, u64)> {
    let witnesses = ledger.policy().into_iter().flat_map(Policy::witnesses);
    let time = |witness: &PolicyWitness| witness.key.has_cosigned(checkpoint.note()).ok().flatten();
    witnesses.filter_map(|witness| Some((witness.clone(), time(witness)?))).collect()
}

/// One checkpoint with those of its lines that hold; `None` when it is none of the cell's, or no line holds.
fn with_lines(
    ledger: &Ledger,
    policy: &Policy,
    rows: &[StoredLine],
    known: &[VerifierKey],
) -> Result<Option<(Signed, SignedCheckpoint)>, LedgerError> {
    let Some(StoredLine { generation, size, note, .. }) = rows.first() else { return Ok(None) };
    let origin = ledger.origin(Log::Cell, *generation)?.to_string();
    let Ok(checkpoint) = note.parse::<SignedCheckpoint>() else { return Ok(None) };
    if !checkpoint.verify(known).is_ok_and(|found| found.origin == origin && found.size == *size) {
        return Ok(None);
    }
    let mut lines = Vec::new();
    for row in rows {
        match line(policy, row, checkpoint.note().text()) {
            Some(line) => lines.push(line),
            None if policy.witnesses().any(|witness| witness.key.short() == row.witness) => {
                ledger.vault().alerts().raise(Alert {
                    what: "cosignature_forged",
                    of: "ledger_cosignatures",
                    workspace: Uuid::nil(),
                    row: format!("{} at {size}", row.witness),
                });
            }
            // Of a witness that the policy names no more.
            None => {}
        }
    }
    let cosigned = checkpoint.with(&lines).ok().filter(|_| !lines.is_empty());
    Ok(cosigned
        .map(|checkpoint| (Signed { generation: *generation, size: *size, note: checkpoint.to_string() }, checkpoint)))
}

/// A stored line, if a witness of the policy made it over this text.
fn line(policy: &Policy, row: &StoredLine, text: &str) -> Option<Signature> {
    let witness = policy.witnesses().find(|witness| witness.key.short() == row.witness)?;
    let lines = parse_lines(&format!("{}\n", row.line)).ok()?;
    lines.into_iter().find(|line| witness.key.time_of(text, line).is_some())
}

/// The newest size of a generation that the policy is content with, as far as the lines go.
pub(super) fn newest_that_satisfies(ledger: &Ledger, stored: &[StoredLine], generation: u32) -> Option<u64> {
    let policy = ledger.policy()?;
    let of_it = stored.iter().filter(|row| row.generation == generation).collect::<Vec<_>>();
    let by_size = of_it.chunk_by(|one, other| one.size == other.size);
    let content = by_size.filter_map(|rows| {
        let first = rows.first()?;
        let checkpoint: SignedCheckpoint = first.note.parse().ok()?;
        let has = |name: &str| {
            let witness = policy.witnesses().find(|witness| witness.name == name);
            witness.is_some_and(|witness| {
                rows.iter().any(|row| {
                    row.witness == witness.key.short() && line(policy, row, checkpoint.note().text()).is_some()
                })
            })
        };
        policy.is_met(has).then_some(first.size)
    });
    content.max()
}
