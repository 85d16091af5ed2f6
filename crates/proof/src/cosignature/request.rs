//! What a log asks of a witness (C2SP tlog-witness, `add-checkpoint`).
//!
//! ```text
//! old <size of the checkpoint that the witness cosigned last>
//! <base64 of a hash>               (none to 63: the consistency path from there)
//!                                  (empty line)
//! <checkpoint>
//! ```

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::decimal;
use crate::merkle::Hash;

/// The longest request.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// The most hashes of a path.
const MAX_PATH: usize = 63;

/// A request, well-formed at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness is thought to have cosigned last.
    pub old: u64,
    /// How the checkpoint extends the tree of that size.
    pub path: Vec<Hash>,
    /// What is to be cosigned.
    pub checkpoint: SignedCheckpoint,
}

/// Why a text is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedRequest {
    /// Longer than any may be.
    #[error("{0} bytes: a request has at most {MAX_REQUEST_BYTES}")]
    TooLong(usize),
    /// The first line is not `old` and a number.
    #[error("the first line is not \"old \" and a decimal number below 2^53")]
    Old,
    /// There is no empty line with a checkpoint behind it.
    #[error("the request is cut: no checkpoint follows the proof")]
    Cut,
    /// A line of the path is no hash, or there are too many.
    #[error("line {0} is not a hash of the path, of which there are at most {MAX_PATH}")]
    Path(usize),
    /// What follows is no checkpoint.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

impl MalformedRequest {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "request_too_long",
            Self::Old => "request_old",
            Self::Cut => "request_cut",
            Self::Path(_) => "request_path",
            Self::Checkpoint(error) => error.word(),
        }
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for AddCheckpoint {
    type Err = MalformedRequest;

    /// # Errors
    /// [`MalformedRequest`] for anything that [`Self`] does not print. Nothing is verified.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_REQUEST_BYTES {
            return Err(MalformedRequest::TooLong(text.len()));
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(MalformedRequest::Cut)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).ok_or(MalformedRequest::Old)?;
        let old = decimal::parse(old).filter(|old| *old < decimal::BOUND).ok_or(MalformedRequest::Old)?;
        let path = lines.enumerate().map(|(number, line)| {
            let hash = Hash::from_base64(line).ok().filter(|_| number < MAX_PATH);
            hash.ok_or(MalformedRequest::Path(number + 2))
        });
        Ok(Self { old, path: path.collect::<Result<_, _>>()?, checkpoint: checkpoint.parse()? })
    }
}
