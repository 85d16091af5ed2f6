//! Two checkpoints of one log, and the proof that the second goes on where the first ended.
//!
//! ```text
//! bailiwick/tlog-consistency@v1
//! <base64 of a hash>               (none to 128: the consistency path of RFC 9162 section 2.1.4)
//!                                  (empty line)
//! <older checkpoint>
//!                                  (empty line)
//! <newer checkpoint>
//! ```
//!
//! The same file is the portable proof of misbehaviour: two roots at one size, both signed by the log's own key. No
//! honest log can have signed both, and whoever has the vkey can see it. A smaller second checkpoint is no such proof: there is
//! no time in a checkpoint, so that whoever kept the first knows that the log shrank, and nobody else does.
//!
//! # Invariants
//! [`Pair::from_str`] accepts exactly what [`Pair`] prints, at most [`MAX_PAIR_BYTES`]. Both checkpoints' signatures are checked
//! before the two are compared; otherwise anybody could forge misbehaviour.

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::merkle::{Hash, ProofError, verify_consistency};
use crate::note::VerifierKey;

/// The longest pair.
pub const MAX_PAIR_BYTES: usize = 1 << 20;
/// More hashes than any consistency path has.
const MAX_PATH: usize = 128;
const HEADER: &str = "bailiwick/tlog-consistency@v1";

/// Two checkpoints with a path between them. Well-formed at most, until it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The hashes by which both roots are made.
    pub path: Vec<Hash>,
    /// What was kept.
    pub older: SignedCheckpoint,
    /// What it is compared with.
    pub newer: SignedCheckpoint,
}

/// What a pair proves: the newer log begins with the older one's entries, unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extends {
    /// The smaller of the two, or an equal one.
    pub older: Checkpoint,
    /// The larger of the two, or an equal one.
    pub newer: Checkpoint,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first in the file.
    Older,
    /// The second in the file.
    Newer,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Older => "older",
            Self::Newer => "newer",
        })
    }
}

/// Why a text is not a pair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPair {
    /// Longer than any pair may be.
    #[error("{0} bytes: a file of two checkpoints has at most {MAX_PAIR_BYTES}")]
    TooLong(usize),
    /// The first line is another one.
    #[error("not a file of two checkpoints: the first line is not \"{HEADER}\"")]
    Header,
    /// There are not two checkpoints behind the path.
    #[error("the file is cut, or not one of two checkpoints")]
    Cut,
    /// A line of the path is no hash, or there are too many.
    #[error("line {0} is not a hash of the path, of which there are at most {MAX_PATH}")]
    Path(usize),
    /// One of the two is not a checkpoint.
    #[error("the {which} checkpoint: {source}")]
    Checkpoint {
        /// Which of the two.
        which: Which,
        /// What is wrong with it.
        source: CheckpointError,
    },
}

impl MalformedPair {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "pair_too_long",
            Self::Header => "pair_header",
            Self::Cut => "pair_cut",
            Self::Path(_) => "pair_path",
            Self::Checkpoint { source, .. } => source.word(),
        }
    }
}

/// Why a well-formed pair does not show that a log only grew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// The signatures of one of the two are refused.
    #[error("the {which} checkpoint: {source}")]
    Checkpoint {
        /// Which of the two.
        which: Which,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// Two logs, or two generations, say nothing about each other.
    #[error("two different logs: {older} and {newer}")]
    OtherOrigin {
        /// The first one's.
        older: String,
        /// The second one's.
        newer: String,
    },
    /// Misbehaviour: both are signed.
    #[error("misbehaviour: the log signed two different roots for its first {size} entries")]
    TwoRoots {
        /// The size of both.
        size: u64,
    },
    /// The second is the smaller. Misbehaviour for whoever kept the first before they were given the second; in a file, two
    /// honest checkpoints in the wrong order look the same.
    #[error("the log shrank from {older} to {newer} entries: entry {newer} and all after it are gone")]
    Shrank {
        /// The first one's size.
        older: u64,
        /// The second one's size.
        newer: u64,
    },
    /// The path does not lead from one root to the other: the log was rewritten, or the path is wrong.
    #[error("the newer checkpoint is not shown to extend the older one: {0}")]
    DoesNotExtend(ProofError),
}

impl PairError {
    /// The first place that is known to be bad; `None` when the pair does not tell.
    #[must_use]
    pub const fn first_bad_seq(&self) -> Option<u64> {
        match self {
            Self::Shrank { newer, .. } => Some(*newer),
            _ => None,
        }
    }

    /// Whether the pair alone convicts the log, before anybody who has its vkey. [`Self::Shrank`] does not: a checkpoint has
    /// no time in it, so that two honest ones in the wrong order give it too.
    #[must_use]
    pub const fn is_misbehaviour(&self) -> bool {
        matches!(self, Self::TwoRoots { .. })
    }

    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Checkpoint { source, .. } => source.word(),
            Self::OtherOrigin { .. } => "other_origin",
            Self::TwoRoots { .. } => "two_roots",
            Self::Shrank { .. } => "shrank",
            Self::DoesNotExtend(error) => error.word(),
        }
    }
}

impl Pair {
    /// Checks both checkpoints under the keys that the caller trusts, and then how they stand to each other.
    ///
    /// # Errors
    /// [`PairError`], the first that applies in the order of its variants; with equal sizes, a difference of the roots comes
    /// before any fault of the path.
    pub fn verify(&self, known: &[VerifierKey]) -> Result<Extends, PairError> {
        let check = |which, signed: &SignedCheckpoint| {
            signed.verify(known).cloned().map_err(|source| PairError::Checkpoint { which, source })
        };
        let older = check(Which::Older, &self.older)?;
        let newer = check(Which::Newer, &self.newer)?;
        if older.origin != newer.origin {
            return Err(PairError::OtherOrigin { older: older.origin, newer: newer.origin });
        }
        match verify_consistency(older.size, &older.root, newer.size, &newer.root, &self.path) {
            Ok(()) => Ok(Extends { older, newer }),
            Err(ProofError::Shrank { old, new }) => Err(PairError::Shrank { older: old, newer: new }),
            Err(ProofError::TwoRoots { size }) => Err(PairError::TwoRoots { size }),
            Err(error) => Err(PairError::DoesNotExtend(error)),
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}\n{}", self.older, self.newer)
    }
}

impl FromStr for Pair {
    type Err = MalformedPair;

    /// # Errors
    /// [`MalformedPair`] for anything that [`Self`] does not print. Nothing is verified.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_PAIR_BYTES {
            return Err(MalformedPair::TooLong(text.len()));
        }
        let rest = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')).ok_or(MalformedPair::Header)?;
        // Neither a checkpoint's text nor its signatures hold an empty line. Without a path, the one behind it comes at once.
        let (path, checkpoints) = match rest.strip_prefix('\n') {
            Some(checkpoints) => (None, checkpoints),
            None => rest.split_once("\n\n").map(|(path, rest)| (Some(path), rest)).ok_or(MalformedPair::Cut)?,
        };
        let parts: Vec<&str> = checkpoints.split("\n\n").collect();
        let [older, older_signatures, newer, newer_signatures] = parts.as_slice() else {
            return Err(MalformedPair::Cut);
        };
        let path = path.into_iter().flat_map(|path| path.split('\n')).enumerate().map(|(number, line)| {
            let hash = Hash::from_base64(line).ok().filter(|_| number < MAX_PATH);
            hash.ok_or(MalformedPair::Path(number + 2))
        });
        let read = |which, text: String| text.parse().map_err(|source| MalformedPair::Checkpoint { which, source });
        Ok(Self {
            path: path.collect::<Result<_, _>>()?,
            older: read(Which::Older, format!("{older}\n\n{older_signatures}\n"))?,
            newer: read(Which::Newer, format!("{newer}\n\n{newer_signatures}"))?,
        })
    }
}
