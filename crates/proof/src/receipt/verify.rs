//! Checking a receipt, in the order in which `docs/reference/ledger-format.md` gives the reasons.

use super::Receipt;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::commitment::Field;
use crate::entry::{Entry, EntryError};
use crate::log::Origin;
use crate::merkle::{Hash, ProofError, leaf_hash, verify_inclusion};
use crate::note::VerifierKey;

/// What a receipt proves: at the time of that checkpoint, this entry stood at its place in that log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReceipt {
    /// The log.
    pub origin: Origin,
    /// The entry. Its fields read as the receipt's openings say; of the others nothing is known.
    pub entry: Entry,
    /// The entry's hash in the tree.
    pub leaf: Hash,
    /// The log's size and root.
    pub checkpoint: Checkpoint,
}

/// Why a well-formed receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The checkpoint's signatures are refused.
    #[error("the receipt's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The bytes of the entry are none.
    #[error("entry {seq}: {source}")]
    NotAnEntry {
        /// The receipt's index.
        seq: u64,
        /// What is wrong with it.
        source: EntryError,
    },
    /// The entry says that it is of another workspace, environment or generation than the checkpoint, or the checkpoint is not of one of our logs.
    #[error("entry {seq} belongs to another log than the checkpoint, which is that of {origin}")]
    OtherLog {
        /// The receipt's index.
        seq: u64,
        /// The checkpoint's origin.
        origin: String,
    },
    /// The entry says that it stands somewhere else.
    #[error("entry {seq} says that it is entry {found}")]
    OtherSeq {
        /// The receipt's index.
        seq: u64,
        /// What the entry says.
        found: u64,
    },
    /// The proof does not lead from the entry to the signed root.
    #[error("entry {seq}: {source}")]
    NotProved {
        /// The receipt's index.
        seq: u64,
        /// What is wrong with the proof.
        source: ProofError,
    },
    /// An opening does not give the entry's commitment.
    #[error("entry {seq}: what is shown as its {field} is not what it was committed to")]
    WrongOpening {
        /// The receipt's index.
        seq: u64,
        /// Whose opening.
        field: Field,
    },
}

impl ReceiptError {
    /// The place in the log at which something is wrong; `None` when the fault is the checkpoint's.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        match self {
            Self::Checkpoint(_) => None,
            Self::NotAnEntry { seq, .. }
            | Self::OtherLog { seq, .. }
            | Self::OtherSeq { seq, .. }
            | Self::NotProved { seq, .. }
            | Self::WrongOpening { seq, .. } => Some(*seq),
        }
    }

    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Checkpoint(error) => error.word(),
            Self::NotAnEntry { source, .. } => source.word(),
            Self::OtherLog { .. } => "other_log",
            Self::OtherSeq { .. } => "other_seq",
            Self::NotProved { source, .. } => source.word(),
            Self::WrongOpening { .. } => "wrong_opening",
        }
    }
}

impl Receipt {
    /// Checks everything, under the keys that the caller trusts.
    ///
    /// # Errors
    /// [`ReceiptError`], the first that applies in this order: the checkpoint's signatures; the form of the entry; that it is of the
    /// checkpoint's log, and at the receipt's index; that the proof leads to the checkpoint's root; each opening.
    pub fn verify(&self, known: &[VerifierKey]) -> Result<VerifiedReceipt, ReceiptError> {
        let seq = self.index;
        let checkpoint = self.checkpoint.verify(known)?;
        let entry = Entry::parse(self.entry.as_bytes()).map_err(|source| ReceiptError::NotAnEntry { seq, source })?;
        let other_log = || ReceiptError::OtherLog { seq, origin: checkpoint.origin.clone() };
        let origin: Origin = checkpoint.origin.parse().map_err(|_| other_log())?;
        if entry.log != origin.log() || entry.generation != origin.generation() {
            return Err(other_log());
        }
        if entry.seq != seq {
            return Err(ReceiptError::OtherSeq { seq, found: entry.seq });
        }
        let leaf = leaf_hash(self.entry.as_bytes());
        verify_inclusion(seq, checkpoint.size, &leaf, &self.path, &checkpoint.root)
            .map_err(|source| ReceiptError::NotProved { seq, source })?;
        match self.openings.iter().find(|(field, opening)| !opening.opens(**field, &entry.commitments)) {
            Some((field, _)) => Err(ReceiptError::WrongOpening { seq, field: *field }),
            None => Ok(VerifiedReceipt { origin, entry, leaf, checkpoint: checkpoint.clone() }),
        }
    }
}
