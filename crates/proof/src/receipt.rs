//! Receipts (C2SP tlog-proof): an entry, and the proof that it stands in a log.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64 of extra>
//! index <seq>
//! <base64 of a hash>               (none to 64, the leaf's sibling first)
//!                                  (empty line)
//! <checkpoint>
//!
//! extra = {"entry":"<the entry's bytes as a JSON string>","openings":{"actor":{"r":"<base64>","value":"…"},…}}
//! ```
//!
//! `extra` is canonical JSON and holds the openings of any of the four fields, or of none: a receipt without openings proves as
//! much, and tells less.
//!
//! # Invariants
//! [`Receipt::from_str`] accepts exactly what [`Receipt`] prints, at most [`MAX_RECEIPT_BYTES`]. Nothing in a receipt
//! may be believed, or shown as fact, until [`Receipt::verify`] has passed.

mod extra;
mod verify;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::canonical::NotCanonical;
use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::commitment::{Field, Opening};
use crate::decimal;
use crate::merkle::Hash;

pub use verify::{ReceiptError, VerifiedReceipt};

/// The longest receipt.
pub const MAX_RECEIPT_BYTES: usize = 1 << 20;
/// The most hashes that an inclusion path can have.
const MAX_PATH: usize = 64;
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An entry with its proof. Well-formed at most, until it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry as it is stored; its bytes are hashed as they are.
    pub entry: String,
    /// What is revealed of it.
    pub openings: BTreeMap<Field, Opening>,
    /// The entry's place in the log.
    pub index: u64,
    /// The hashes by which the entry becomes the root, its sibling first.
    pub path: Vec<Hash>,
    /// The size and root that the log has signed.
    pub checkpoint: SignedCheckpoint,
}

/// Why a text is not a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedReceipt {
    /// Longer than any receipt may be.
    #[error("{0} bytes: a receipt has at most {MAX_RECEIPT_BYTES}")]
    TooLong(usize),
    /// The first line is another one.
    #[error("not a receipt: the first line is not \"{HEADER}\"")]
    Header,
    /// There is no empty line with a checkpoint behind it, as when a file was cut.
    #[error("the receipt is cut, or not one: no checkpoint follows the proof")]
    Cut,
    /// The second line is not `extra` and base64.
    #[error("the second line is not \"extra \" and base64")]
    Extra,
    /// What is in `extra` is not canonical JSON.
    #[error("extra: {0}")]
    ExtraNotCanonical(#[from] NotCanonical),
    /// What is in `extra` is JSON without the members that belong there, or with others.
    #[error("extra does not hold an entry and openings, and nothing else")]
    ExtraMembers,
    /// The third line is not `index` and a number.
    #[error("the third line is not \"index \" and a decimal number below 2^53")]
    Index,
    /// A line of the path is no hash, or there are too many.
    #[error("line {0} is not a hash of the path, of which there are at most {MAX_PATH}")]
    Path(usize),
    /// What follows the empty line is not a checkpoint.
    #[error("the receipt's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

impl MalformedReceipt {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "receipt_too_long",
            Self::Header => "receipt_header",
            Self::Cut => "receipt_cut",
            Self::Extra => "receipt_extra",
            Self::ExtraNotCanonical(error) => error.word(),
            Self::ExtraMembers => "receipt_extra_members",
            Self::Index => "receipt_index",
            Self::Path(_) => "receipt_path",
            Self::Checkpoint(error) => error.word(),
        }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extra = STANDARD.encode(extra::to_string(&self.entry, &self.openings));
        writeln!(f, "{HEADER}\nextra {extra}\nindex {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Receipt {
    type Err = MalformedReceipt;

    /// # Errors
    /// [`MalformedReceipt`] for anything that [`Self`] does not print. Nothing is verified.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_RECEIPT_BYTES {
            return Err(MalformedReceipt::TooLong(text.len()));
        }
        let rest =
            text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')).ok_or(MalformedReceipt::Header)?;
        let (proof, checkpoint) = rest.split_once("\n\n").ok_or(MalformedReceipt::Cut)?;
        let mut lines = proof.split('\n');
        let extra = lines.next().and_then(|line| line.strip_prefix("extra ")).ok_or(MalformedReceipt::Extra)?;
        let extra = STANDARD.decode(extra).map_err(|_| MalformedReceipt::Extra)?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(MalformedReceipt::Index)?;
        let index = decimal::parse(index).filter(|index| *index < decimal::BOUND).ok_or(MalformedReceipt::Index)?;
        let path = lines
            .enumerate()
            .map(|(number, line)| {
                let hash = Hash::from_base64(line).ok().filter(|_| number < MAX_PATH);
                hash.ok_or(MalformedReceipt::Path(number + 4))
            })
            .collect::<Result<_, _>>()?;
        let (entry, openings) = extra::parse(&extra)?;
        Ok(Self { entry, openings, index, path, checkpoint: checkpoint.parse()? })
    }
}
