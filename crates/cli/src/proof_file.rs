//! What proves something, as it comes in a file or from a server: a receipt, a checkpoint, a pair of
//! checkpoints, a daily root, or a line of a manifest. Recognised by its first line, verified, and only then described.
//!
//! # Invariants
//! No network and no clock. Nothing of an unverified file is shown as a fact.

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::consistency::{MAX_PAIR_BYTES, Pair};
use bailiwick_proof::jose::{self, MAX_JWS_BYTES};
use bailiwick_proof::manifest::proof::{MAX_PROOF_BYTES, ManifestProof};
use bailiwick_proof::note::{MAX_NOTE_BYTES, VerifierKey};
use bailiwick_proof::receipt::{MAX_RECEIPT_BYTES, Receipt};
use serde_json::Value;

use crate::refusal::Refusal;
use crate::statement;

/// What each of the five may have at most; a larger file need not be read to its end.
pub(crate) const MAX_BYTES: usize = MAX_RECEIPT_BYTES;
const _: () = assert!(MAX_PAIR_BYTES == MAX_BYTES && MAX_NOTE_BYTES == MAX_BYTES && MAX_JWS_BYTES == MAX_BYTES);
const _: () = assert!(MAX_PROOF_BYTES == MAX_BYTES);

/// How the first line of a receipt begins, whatever its version.
const RECEIPT: &str = "c2sp.org/tlog-proof@";
/// How the first line of a pair begins, whatever its version.
const PAIR: &str = "bailiwick/tlog-consistency@";

/// How the first line of a manifest's proof begins, whatever its version.
const MANIFEST: &str = "bailiwick/manifest-proof@";
/// How the header of a daily root begins: base64url of `{"`, which begins no line of the others.
const DAILY_ROOT: &str = "eyJ";

/// One of the five, well formed and not yet believed.
#[derive(Debug)]
pub(crate) enum ProofFile {
    /// An entry with the proof that it is in a log.
    Receipt(Box<Receipt>),
    /// A signed size and root.
    Checkpoint(Box<SignedCheckpoint>),
    /// Two checkpoints, and the proof that the newer extends the older.
    Pair(Box<Pair>),
    /// A signed size and root as a compact JWS.
    DailyRoot(String),
    /// That a manifest names a log.
    Manifest(Box<ManifestProof>),
}

impl ProofFile {
    /// Reads one of the five.
    ///
    /// # Errors
    /// When it is none of them, is too large, is cut, or is not in the one form that it may have.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_BYTES {
            let is = |first: &str| bytes.starts_with(first.as_bytes());
            let code = if is(RECEIPT) {
                "receipt_too_long"
            } else if is(PAIR) {
                "pair_too_long"
            } else if is(MANIFEST) {
                "manifest_proof_too_long"
            } else {
                "note_too_long"
            };
            return Err(Refusal::new(code, format!("more than {MAX_BYTES} bytes, which nothing of the kind may have")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Refusal::new("not_text", "it is not text (UTF-8)"))?;
        if text.starts_with(RECEIPT) {
            Ok(Self::Receipt(Box::new(text.parse().map_err(Refusal::from)?)))
        } else if text.starts_with(PAIR) {
            Ok(Self::Pair(Box::new(text.parse().map_err(Refusal::from)?)))
        } else if text.starts_with(MANIFEST) {
            Ok(Self::Manifest(Box::new(text.parse().map_err(Refusal::from)?)))
        } else if text.starts_with(DAILY_ROOT) {
            // As text it has the end of a line that editors and shells add.
            let jws = text.strip_suffix('\n').unwrap_or(text);
            jose::unverified_checkpoint(jws).map_err(Refusal::from)?;
            Ok(Self::DailyRoot(jws.to_owned()))
        } else {
            Ok(Self::Checkpoint(Box::new(text.parse().map_err(Refusal::from)?)))
        }
    }

    /// The checkpoint in it that witnesses may have cosigned: the cell's, where there are two logs. A daily root has none.
    pub(crate) fn witnessed(&self) -> Option<&SignedCheckpoint> {
        match self {
            Self::Receipt(receipt) => Some(&receipt.checkpoint),
            Self::Checkpoint(checkpoint) => Some(checkpoint),
            Self::Pair(pair) => Some(&pair.newer),
            Self::Manifest(proof) => Some(&proof.cell.checkpoint),
            Self::DailyRoot(_) => None,
        }
    }

    /// Verifies it and says what is proved by that.
    ///
    /// # Errors
    /// Why it is not verified.
    pub(crate) fn verify(&self, keys: &[VerifierKey]) -> Result<Value, Refusal> {
        match self {
            Self::Receipt(receipt) => statement::of_receipt(receipt, keys),
            Self::Checkpoint(checkpoint) => statement::of_checkpoint(checkpoint, keys),
            Self::Pair(pair) => statement::of_pair(pair, keys),
            Self::Manifest(proof) => statement::of_manifest(proof, keys),
            Self::DailyRoot(jws) => statement::of_daily_root(jws, keys),
        }
    }
}
