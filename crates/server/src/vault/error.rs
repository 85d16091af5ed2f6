//! Why something is not sealed or opened.

use crate::anchor::AnchorError;
use crate::db::DbError;

/// Why something is not sealed or opened. Nothing was decrypted, and nothing is lost: what is sealed still stands there.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key service does not answer and the keys that were remembered are past their lifetime: worth another try later.
    #[error("the key service is not available: {0}")]
    KekUnavailable(String),
    /// The key service answers and refuses: the key is disabled, or the credential is.
    #[error("the key service refuses: {0}")]
    KekRefused(String),
    /// A key is wrapped by a KEK that no provider here has.
    #[error("a data key is wrapped by {kek} version {version}, which is not here; see docs/runbooks/kek-lost.md")]
    KekMissing {
        /// The provider's key.
        kek: String,
        /// Its version.
        version: u32,
    },
    /// The key service answers, and the wrapped key is not one of this cell, this owner and this version.
    #[error("a data key does not unwrap here")]
    WrapRefused,
    /// It is no envelope: cut, or of another version.
    #[error("sealed bytes are malformed: {0}")]
    Malformed(&'static str),
    /// It was sealed by a data key that this owner does not have.
    #[error("sealed bytes name a data key that is not there")]
    UnknownKey,
    /// It does not open: another place, or altered bytes.
    #[error("sealed bytes do not open here")]
    DoesNotOpen,
    /// The workspace was shredded: its keys are gone for good.
    #[error("the workspace was shredded")]
    Shredded,
    /// The person was erased: the key is gone for good.
    #[error("the subject was erased")]
    Erased,
    /// The anchor store lacks what the owner's keys are bound to.
    #[error(
        "the anchor store holds nothing of this owner, though keys were made; see docs/runbooks/anchor-store-lost.md"
    )]
    AnchorMissing,
    /// The cell's own keys are gone from the database, though they were made.
    #[error("the cell's data keys are gone from the database: put a backup of the table vault_deks back")]
    KeysMissing,
    /// The anchor store failed.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl VaultError {
    /// Whether the same call may succeed later, with nothing mended of what is sealed: the keeper, the anchor store or the
    /// database is away, or the keeper refuses until somebody gives the server another credential.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::KekUnavailable(_)
                | Self::KekRefused(_)
                | Self::Db(DbError::Unavailable(_))
                | Self::Anchor(AnchorError::Unavailable { .. })
        )
    }

    /// Whether what is sealed was tampered with: moved, altered, or put there by somebody without the key.
    #[must_use]
    pub const fn is_tampering(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::UnknownKey | Self::DoesNotOpen | Self::WrapRefused)
    }

    /// A word for metrics and entries.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::KekUnavailable(_) => "kek_unavailable",
            Self::KekRefused(_) => "kek_refused",
            Self::KekMissing { .. } => "kek_missing",
            Self::WrapRefused => "wrap_refused",
            Self::Malformed(_) => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::DoesNotOpen => "does_not_open",
            Self::Shredded => "shredded",
            Self::Erased => "erased",
            Self::AnchorMissing => "anchor_missing",
            Self::KeysMissing => "keys_missing",
            Self::Anchor(_) => "anchor",
            Self::Db(_) => "database",
        }
    }
}
