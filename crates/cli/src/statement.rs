//! What a verified receipt, checkpoint or pair states: one document, for programs and for people.
//!
//! # Invariants
//! Every function verifies first and takes its facts from what the verification covered.

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::consistency::{Extends, Pair};
use bailiwick_proof::jose::{self, Jwk};
use bailiwick_proof::log::{Log, Origin};
use bailiwick_proof::manifest::proof::{Covered, ManifestProof};
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::receipt::{Receipt, VerifiedReceipt};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::refusal::Refusal;

/// What to say beside a statement with a time in it, for which nobody but the server vouches.
pub(crate) fn remark(statement: &Value) -> Option<&'static str> {
    statement.get("recorded_at")?;
    Some("recorded_at is what the server's clock said; no proof speaks for it")
}

/// The entry and its place in the log.
///
/// # Errors
/// Why the receipt is not verified.
pub(crate) fn of_receipt(receipt: &Receipt, keys: &[VerifierKey]) -> Result<Value, Refusal> {
    let verified = receipt.verify(keys)?;
    let mut statement = about("receipt", &verified.checkpoint.origin);
    add_entry(&mut statement, receipt, &verified);
    add_tree(&mut statement, &verified.checkpoint);
    add_signers(&mut statement, &[&receipt.checkpoint], keys);
    Ok(Value::Object(statement))
}

/// That a manifest names the log with that size and root, and the entry if the file has one.
///
/// # Errors
/// Why the file is not verified.
pub(crate) fn of_manifest(proof: &ManifestProof, keys: &[VerifierKey]) -> Result<Value, Refusal> {
    let verified = proof.verify(keys)?;
    let mut statement = about("manifest", &verified.checkpoint.origin);
    statement.insert("hour".to_owned(), json!(verified.hour));
    statement.insert("logs".to_owned(), json!(verified.logs));
    let checkpoint = match (&proof.covered, &verified.entry) {
        (Covered::Receipt(receipt), Some(entry)) => {
            add_entry(&mut statement, receipt, entry);
            &receipt.checkpoint
        }
        (Covered::Receipt(receipt), None) => &receipt.checkpoint,
        (Covered::Checkpoint(checkpoint), _) => checkpoint.as_ref(),
    };
    add_tree(&mut statement, &verified.checkpoint);
    statement.insert("cell_origin".to_owned(), json!(verified.cell.checkpoint.origin));
    statement.insert("cell_seq".to_owned(), json!(verified.cell.entry.seq));
    statement.insert("cell_size".to_owned(), json!(verified.cell.checkpoint.size));
    statement.insert("cell_root".to_owned(), json!(verified.cell.checkpoint.root.to_base64()));
    add_signers(&mut statement, &[checkpoint, &proof.cell.checkpoint], keys);
    Ok(Value::Object(statement))
}

fn add_entry(statement: &mut Map<String, Value>, receipt: &Receipt, verified: &VerifiedReceipt) {
    statement.insert("seq".to_owned(), json!(verified.entry.seq));
    statement.insert("action".to_owned(), json!(verified.entry.action.as_str()));
    statement.insert("recorded_at".to_owned(), moment(verified.entry.recorded_at_ms));
    statement.insert("trace_id".to_owned(), json!(verified.entry.trace.to_string()));
    let opened = receipt.openings.iter().map(|(field, opening)| (field.to_string(), json!(opening.value)));
    statement.insert("opened".to_owned(), Value::Object(opened.collect()));
    statement.insert("leaf_hash".to_owned(), json!(verified.leaf.to_hex()));
}

/// The size and root that were signed.
///
/// # Errors
/// Why the checkpoint is not verified.
pub(crate) fn of_checkpoint(checkpoint: &SignedCheckpoint, keys: &[VerifierKey]) -> Result<Value, Refusal> {
    let verified = checkpoint.verify(keys)?;
    let mut statement = about("checkpoint", &verified.origin);
    add_tree(&mut statement, verified);
    add_signers(&mut statement, &[checkpoint], keys);
    Ok(Value::Object(statement))
}

/// The size and root that were signed as a daily root.
///
/// # Errors
/// Why the root is not verified.
pub(crate) fn of_daily_root(jws: &str, keys: &[VerifierKey]) -> Result<Value, Refusal> {
    let known: Vec<Jwk> = keys.iter().cloned().map(Jwk::from).collect();
    let verified = jose::verify_checkpoint(jws, &known)?;
    let mut statement = about("daily_root", &verified.origin);
    add_tree(&mut statement, &verified);
    let signed = |jwk: &&Jwk| jose::verify_checkpoint(jws, std::slice::from_ref(*jwk)).is_ok();
    let signers: Vec<String> = known.iter().filter(signed).map(|jwk| jwk.verifier().to_string()).collect();
    statement.insert("signed_by".to_owned(), json!(signers));
    Ok(Value::Object(statement))
}

/// That the newer of two checkpoints extends the older.
///
/// # Errors
/// Why the pair is not verified.
pub(crate) fn of_pair(pair: &Pair, keys: &[VerifierKey]) -> Result<Value, Refusal> {
    let Extends { older, newer } = pair.verify(keys)?;
    let mut statement = about("consistency", &newer.origin);
    statement.insert("older_size".to_owned(), json!(older.size));
    statement.insert("older_root".to_owned(), json!(older.root.to_base64()));
    add_tree(&mut statement, &newer);
    add_signers(&mut statement, &[&pair.older, &pair.newer], keys);
    Ok(Value::Object(statement))
}

/// The kind, and the log that it speaks of, as far as its origin has our form.
fn about(kind: &str, origin: &str) -> Map<String, Value> {
    let mut statement = Map::new();
    let mut add = |name: &str, value: Value| statement.insert(name.to_owned(), value);
    add("verified", json!(true));
    add("kind", json!(kind));
    add("origin", json!(origin));
    if let Ok(origin) = origin.parse::<Origin>() {
        add("log_name", json!(origin.name().as_str()));
        if let Log::Workspace { workspace, environment } = origin.log() {
            add("workspace_id", json!(workspace));
            add("environment", json!(environment));
        }
        add("generation", json!(origin.generation()));
    }
    statement
}

fn add_tree(statement: &mut Map<String, Value>, checkpoint: &Checkpoint) {
    statement.insert("size".to_owned(), json!(checkpoint.size));
    statement.insert("root".to_owned(), json!(checkpoint.root.to_base64()));
}

/// Which of the keys signed all of it.
fn add_signers(statement: &mut Map<String, Value>, checkpoints: &[&SignedCheckpoint], keys: &[VerifierKey]) {
    let signed = |key: &&VerifierKey| {
        let key = std::slice::from_ref(*key);
        checkpoints.iter().any(|checkpoint| checkpoint.verify(key).is_ok())
    };
    let signers: Vec<String> = keys.iter().filter(signed).map(ToString::to_string).collect();
    statement.insert("signed_by".to_owned(), json!(signers));
}

/// RFC 3339, with what milliseconds there are; a number where that has no such spelling.
pub(crate) fn moment(unix_ms: u64) -> Value {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).map_or_else(|| json!(unix_ms), Value::String)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_all_calendars_is_a_number() {
        assert_eq!(moment(1_763_782_979_123), json!("2025-11-22T03:42:59.123Z"));
        assert_eq!(moment((1 << 53) - 1), json!(9_007_199_254_740_991_u64));
    }

    #[test]
    fn a_foreign_origin_is_named_and_not_taken_apart() {
        assert_eq!(Value::Object(about("checkpoint", "example.org/log")).as_object().unwrap().len(), 3);
    }
}
