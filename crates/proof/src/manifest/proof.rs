//! That a log stands in a manifest, and the manifest in the cell's log: three proofs in one file.
//!
//! ```text
//! bailiwick/manifest-proof@v1
//! salt <base64 of the salt, 32 bytes>
//! index <place of the line>
//! <base64 of a hash>               (none to 64, the line's sibling first)
//!                                  (empty line)
//! <checkpoint, or receipt>         of the log whose line it is
//!                                  (empty line)
//! <receipt>                        of the manifest's entry in the cell's log, with its meta opened
//! ```
//!
//! The entry's action is `ledger.manifest_published`, and in its meta `data` is `{"hour":"2026-01-31T13:00:00Z","logs":<lines>,"root":"<64
//! hex>"}`. Whoever verifies ends at the cell's signed checkpoint, which witnesses cosign: a log that the cell stops to name, or names
//! differently to others, is seen.
//!
//! # Invariants
//! [`ManifestProof::from_str`] accepts exactly what [`ManifestProof`] prints, at most [`MAX_PROOF_BYTES`]. Nothing in it is believed before
//! [`ManifestProof::verify`] has passed.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{SALT_BYTES, line};
use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::commitment::Field;
use crate::decimal;
use crate::log::{Log, Origin};
use crate::merkle::{Hash, ProofError, leaf_hash, verify_inclusion};
use crate::note::VerifierKey;
use crate::receipt::{MalformedReceipt, Receipt, ReceiptError, VerifiedReceipt};

/// The longest of these files.
pub const MAX_PROOF_BYTES: usize = 1 << 20;
/// The action of a manifest's entry.
pub const ACTION: &str = "ledger.manifest_published";
/// The most hashes that an inclusion path can have.
const MAX_PATH: usize = 64;
const HEADER: &str = "bailiwick/manifest-proof@v1";
const RECEIPT: &str = "c2sp.org/tlog-proof@v1\n";

/// What of the log the line vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covered {
    /// Its checkpoint.
    Checkpoint(Box<SignedCheckpoint>),
    /// An entry, up to the checkpoint.
    Receipt(Box<Receipt>),
}

/// A line with its proofs. Well-formed at most, until it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestProof {
    /// By which the line names its log.
    pub salt: [u8; SALT_BYTES],
    /// The line's place.
    pub index: u64,
    /// The hashes by which the line becomes the manifest's root, its sibling first.
    pub path: Vec<Hash>,
    /// The log's checkpoint, or a receipt that ends at it.
    pub covered: Covered,
    /// The manifest's entry in the cell's log.
    pub cell: Receipt,
}

/// What a verified file proves: when the cell signed its checkpoint, the manifest of that hour named the log with that size and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InManifest {
    /// The log.
    pub origin: Origin,
    /// The log's size and root.
    pub checkpoint: Checkpoint,
    /// The log's entry, if the file has a receipt.
    pub entry: Option<VerifiedReceipt>,
    /// The hour, by the server's clock, as in `2026-01-31T13:00:00Z`.
    pub hour: String,
    /// How many logs the manifest names.
    pub logs: u64,
    /// The manifest's entry, with the cell's size and root.
    pub cell: VerifiedReceipt,
}

/// Why a text is no such file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedManifestProof {
    /// Longer than any may be.
    #[error("{0} bytes: a manifest proof has at most {MAX_PROOF_BYTES}")]
    TooLong(usize),
    /// The first line is another one.
    #[error("not a manifest proof: the first line is not \"{HEADER}\"")]
    Header,
    /// There are not three parts with empty lines between them.
    #[error("the manifest proof is cut, or not one")]
    Cut,
    /// The second line is not `salt` and the base64 of 32 bytes.
    #[error("the second line is not \"salt \" and the base64 of 32 bytes")]
    Salt,
    /// The third line is not `index` and a number.
    #[error("the third line is not \"index \" and a decimal number below 2^53")]
    Index,
    /// A line of the path is no hash, or there are too many.
    #[error("line {0} is not a hash of the path, of which there are at most {MAX_PATH}")]
    Path(usize),
    /// The second part is no checkpoint.
    #[error("the log's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// One of the receipts is none.
    #[error(transparent)]
    Receipt(#[from] MalformedReceipt),
}

impl MalformedManifestProof {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "manifest_proof_too_long",
            Self::Header => "manifest_proof_header",
            Self::Cut => "manifest_proof_cut",
            Self::Salt => "manifest_proof_salt",
            Self::Index => "manifest_proof_index",
            Self::Path(_) => "manifest_proof_path",
            Self::Checkpoint(error) => error.word(),
            Self::Receipt(error) => error.word(),
        }
    }
}

/// Why a well-formed file proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestProofError {
    /// The log's checkpoint is refused.
    #[error("the log's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The log's receipt is refused.
    #[error("the log's receipt: {0}")]
    Receipt(ReceiptError),
    /// The receipt of the manifest's entry is refused.
    #[error("the cell's receipt: {0}")]
    Cell(ReceiptError),
    /// The two are not a log of a workspace and the log of its cell.
    #[error("{origin} is not of the cell whose log is {cell}")]
    OtherCell {
        /// Whose line it would be.
        origin: String,
        /// Where the entry is.
        cell: String,
    },
    /// The entry is not that of a manifest, or its meta is not opened.
    #[error("entry {seq} of the cell's log is not that of a manifest, with its meta opened")]
    NotAManifest {
        /// The entry.
        seq: u64,
    },
    /// The line is not in that manifest.
    #[error("the manifest of {hour} does not name this log with this size and root: {source}")]
    NotInManifest {
        /// The hour.
        hour: String,
        /// What is wrong with the path.
        source: ProofError,
    },
}

impl ManifestProofError {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Checkpoint(error) => error.word(),
            Self::Receipt(error) | Self::Cell(error) => error.word(),
            Self::OtherCell { .. } => "other_cell",
            Self::NotAManifest { .. } => "not_a_manifest",
            Self::NotInManifest { .. } => "not_in_manifest",
        }
    }

    /// The place in the workspace's log at which something is wrong, where one is known.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        match self {
            Self::Receipt(error) => error.seq(),
            _ => None,
        }
    }
}

/// What the entry of a manifest says.
#[derive(Deserialize)]
struct Meta {
    data: Told,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    hour: String,
    logs: u64,
    root: String,
}

impl Covered {
    fn verify(&self, known: &[VerifierKey]) -> Result<(Checkpoint, Option<VerifiedReceipt>), ManifestProofError> {
        match self {
            Self::Checkpoint(signed) => Ok((signed.verify(known)?.clone(), None)),
            Self::Receipt(receipt) => {
                let verified = receipt.verify(known).map_err(ManifestProofError::Receipt)?;
                Ok((verified.checkpoint.clone(), Some(verified)))
            }
        }
    }

    /// The origin that the checkpoint names, signed or not.
    #[must_use]
    pub fn origin(&self) -> &str {
        match self {
            Self::Checkpoint(signed) => &signed.unverified().origin,
            Self::Receipt(receipt) => &receipt.checkpoint.unverified().origin,
        }
    }
}

impl ManifestProof {
    /// Checks everything, under the keys of the log and of the cell that the caller trusts.
    ///
    /// # Errors
    /// [`ManifestProofError`], the first that applies in this order: the log's part; the cell's receipt; that both are of one cell; the
    /// manifest's entry; the line's path.
    pub fn verify(&self, known: &[VerifierKey]) -> Result<InManifest, ManifestProofError> {
        let (checkpoint, entry) = self.covered.verify(known)?;
        let cell = self.cell.verify(known).map_err(ManifestProofError::Cell)?;
        let other = || ManifestProofError::OtherCell {
            origin: checkpoint.origin.clone(),
            cell: cell.checkpoint.origin.clone(),
        };
        let origin: Origin = checkpoint.origin.parse().map_err(|_| other())?;
        if origin.name() != cell.origin.name() || cell.origin.log() != Log::Cell || origin.log() == Log::Cell {
            return Err(other());
        }
        let not_a_manifest = || ManifestProofError::NotAManifest { seq: self.cell.index };
        let Told { hour, logs, root } = self.told().ok_or_else(not_a_manifest)?;
        let root = Hash::from_hex(&root).ok().filter(|_| is_hour(&hour)).ok_or_else(not_a_manifest)?;
        let leaf = leaf_hash(line(&self.salt, &origin, &checkpoint).as_bytes());
        verify_inclusion(self.index, logs, &leaf, &self.path, &root)
            .map_err(|source| ManifestProofError::NotInManifest { hour: hour.clone(), source })?;
        Ok(InManifest { origin, checkpoint, entry, hour, logs, cell })
    }

    /// What the cell's entry says, which its verified opening vouches for.
    fn told(&self) -> Option<Told> {
        let entry = crate::entry::Entry::parse(self.cell.entry.as_bytes()).ok()?;
        let opened = self.cell.openings.get(&Field::Meta).filter(|_| entry.action.as_str() == ACTION)?;
        serde_json::from_str::<Meta>(&opened.value).ok().map(|meta| meta.data)
    }
}

/// `2026-01-31T13:00:00Z`, as far as the shape goes.
fn is_hour(text: &str) -> bool {
    let shape = b"0000-00-00T00:00:00Z";
    let fits = |(byte, shape): (u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
    text.len() == shape.len() && text.bytes().zip(shape).all(fits) && text.ends_with(":00:00Z")
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint(signed) => fmt::Display::fmt(signed, f),
            Self::Receipt(receipt) => fmt::Display::fmt(receipt, f),
        }
    }
}

impl fmt::Display for ManifestProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nsalt {}\nindex {}", STANDARD.encode(self.salt), self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}\n{}", self.covered, self.cell)
    }
}

impl FromStr for ManifestProof {
    type Err = MalformedManifestProof;

    /// # Errors
    /// [`MalformedManifestProof`] for anything that [`Self`] does not print. Nothing is verified.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        type Malformed = MalformedManifestProof;
        if text.len() > MAX_PROOF_BYTES {
            return Err(Malformed::TooLong(text.len()));
        }
        let rest = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')).ok_or(Malformed::Header)?;
        let (head, parts) = rest.split_once("\n\n").ok_or(Malformed::Cut)?;
        let mut lines = head.split('\n');
        let salt = lines.next().and_then(|line| line.strip_prefix("salt ")).ok_or(Malformed::Salt)?;
        let salt = STANDARD.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(Malformed::Salt)?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(Malformed::Index)?;
        let index = decimal::parse(index).filter(|index| *index < decimal::BOUND).ok_or(Malformed::Index)?;
        let path = lines
            .enumerate()
            .map(|(number, line)| {
                let hash = Hash::from_base64(line).ok().filter(|_| number < MAX_PATH);
                hash.ok_or(Malformed::Path(number + 4))
            })
            .collect::<Result<_, _>>()?;
        // A receipt holds its first line nowhere else, so the last one begins the cell's.
        let begin = parts.rfind(&format!("\n{RECEIPT}")).ok_or(Malformed::Cut)?;
        let (covered, cell) = parts.split_at_checked(begin).ok_or(Malformed::Cut)?;
        let cell = cell.strip_prefix('\n').ok_or(Malformed::Cut)?.parse()?;
        let covered = if covered.starts_with(RECEIPT) {
            Covered::Receipt(Box::new(covered.parse()?))
        } else {
            Covered::Checkpoint(Box::new(covered.parse()?))
        };
        Ok(Self { salt, index, path, covered, cell })
    }
}
