//! Entries that the server says retention pruned: believed only if the log itself says so, with the right root.

use std::collections::BTreeMap;

use bailiwick_proof::chain::ChainVerifier;
use bailiwick_proof::commitment::Field;
use bailiwick_proof::entry::Entry;
use bailiwick_proof::merkle::{Hash, leaf_hash};
use bailiwick_proof::receipt::{MalformedReceipt, Receipt};
use serde_json::Value;

use super::Log;
use crate::failure::{Exit, Failure};
use crate::refusal::Refusal;

/// The server's code for an entry that went.
const ENTRY_PRUNED: &str = "entry_pruned";
/// The action of the entry that says so.
const ACTION: &str = "retention.pruned";

/// What is known of entries that went.
#[derive(Default)]
pub(super) struct Pruned {
    /// So many from the first on were passed over.
    passed: u64,
    /// Where the server says that the log was cut, and by which event's entry.
    told: Option<(u64, String)>,
    /// The root there.
    root: Option<Hash>,
    /// Leaves of entries that tell of a cut, by their numbers.
    certificates: BTreeMap<u64, Hash>,
}

impl Pruned {
    /// Whether the server says of the next entries, these, that they went; only what begins the log can.
    pub(super) fn told(&mut self, first: u64, failure: &Failure) -> bool {
        if failure.stated_code() != ENTRY_PRUNED || first != self.passed {
            return false;
        }
        let to = failure.stated_member("pruned_to").and_then(Value::as_u64);
        let event = failure.stated_member("event_id").and_then(Value::as_str);
        let told = to.zip(event).filter(|(to, _)| *to > first);
        if let Some((to, event)) = told {
            self.told = Some((to, event.to_owned()));
        }
        told.is_some()
    }

    /// The walk has passed over a tile.
    pub(super) fn passed(&mut self, verifier: &ChainVerifier) {
        self.passed = verifier.seq();
        self.note_root(verifier);
    }

    /// The walk has read an entry.
    pub(super) fn hear(&mut self, verifier: &ChainVerifier, entry: &Entry, leaf: Hash) {
        self.note_root(verifier);
        if entry.action.as_str() == ACTION {
            self.certificates.insert(verifier.seq().saturating_sub(1), leaf);
        }
    }

    fn note_root(&mut self, verifier: &ChainVerifier) {
        if self.told.as_ref().is_some_and(|(to, _)| *to == verifier.seq()) {
            self.root = Some(verifier.frontier().root());
        }
    }

    /// How many entries went, as an entry of the log says that was read on the way.
    pub(super) async fn certified(&self, log: &Log, size: u64) -> Result<u64, Failure> {
        let Some((to, event)) = self.told.as_ref().filter(|_| self.passed > 0) else { return Ok(0) };
        let query = [("open", "meta".to_owned())];
        let text = log.client.get_text(&log.path(&["events", event, "receipt"]), &query).await?;
        let receipt: Receipt = text.parse().map_err(|err: MalformedReceipt| Refusal::from(err))?;
        if receipt.index >= size {
            let again = "the log was pruned while it was read: run the check again";
            return Err(Failure::new(Exit::Failure, again));
        }
        let uncertified = |reason: String| Refusal::new("pruned_without_entry", reason).at(Some(0));
        if self.certificates.get(&receipt.index) != Some(&leaf_hash(receipt.entry.as_bytes())) {
            let reason =
                format!("the server says that entries below {to} were pruned, and no entry of the log says so");
            return Err(uncertified(reason).into());
        }
        let entry = Entry::parse(receipt.entry.as_bytes()).map_err(|err| uncertified(err.to_string()))?;
        let meta = receipt.openings.get(&Field::Meta).filter(|meta| meta.opens(Field::Meta, &entry.commitments));
        let meta: Value = meta.and_then(|meta| serde_json::from_str(&meta.value).ok()).unwrap_or_default();
        let told =
            meta.pointer("/data/to").and_then(Value::as_u64).zip(meta.pointer("/data/root").and_then(Value::as_str));
        let root = self.root.map(|root| root.to_hex());
        if told != Some(*to).zip(root.as_deref()) {
            let reason = format!("the entry that tells of pruning tells of another cut than that at {to}");
            return Err(uncertified(reason).into());
        }
        Ok(self.passed)
    }
}
