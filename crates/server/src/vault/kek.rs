//! The cell's key (KEK), which wraps data keys and nothing else, and the providers that keep it.
//!
//! A provider answers to a name that stands beside each wrapped key. Any number of them may be configured: the chosen one
//! wraps, and each unwraps what it wrapped, so that a cell moves from one to another without a pause.

mod local;
mod transit;

use uuid::Uuid;
use zeroize::Zeroizing;

pub use local::{LocalFile, LocalFileError};
pub use transit::Transit;

use super::error::VaultError;
use crate::config::{self, KekKeeper};
use crate::entropy::Entropy;

/// A wrapped key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// The provider's name.
    pub kek: String,
    /// Which version of its key.
    pub version: u32,
    /// What it answered.
    pub bytes: Vec<u8>,
}

/// What a data key is, as its wrap is bound to it: cell, owner (nil for the cell's own), line of keys, version.
pub(super) fn about(cell: Uuid, owner: Uuid, dek: Uuid, version: u32) -> Vec<u8> {
    let ids = [cell, owner, dek].map(Uuid::into_bytes);
    [ids.as_flattened(), version.to_be_bytes().as_slice()].concat()
}

/// Somebody who keeps a KEK.
#[derive(Debug)]
pub enum Kek {
    /// A file on this machine.
    Local(LocalFile),
    /// The transit engine of Vault or OpenBao.
    Transit(Transit),
}

impl Kek {
    /// By which name wrapped keys know it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Local(file) => file.name(),
            Self::Transit(transit) => transit.name(),
        }
    }

    /// Wraps a key, bound to what it is (`about`), under the newest version.
    ///
    /// # Errors
    /// [`VaultError::KekUnavailable`], [`VaultError::KekRefused`].
    pub async fn wrap(&self, about: &[u8], key: &[u8]) -> Result<Wrapped, VaultError> {
        let (version, bytes) = match self {
            Self::Local(file) => file.wrap(about, key)?,
            Self::Transit(transit) => transit.wrap(about, key).await?,
        };
        Ok(Wrapped { kek: self.name().to_owned(), version, bytes })
    }

    /// Unwraps what was wrapped about the same.
    ///
    /// # Errors
    /// [`VaultError::WrapRefused`] when it was not, [`VaultError::KekMissing`], [`VaultError::KekUnavailable`],
    /// [`VaultError::KekRefused`].
    pub async fn unwrap(&self, about: &[u8], wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        match self {
            Self::Local(file) => file.unwrap(about, wrapped),
            Self::Transit(transit) => transit.unwrap(about, wrapped).await,
        }
    }

    /// The version that wraps.
    ///
    /// # Errors
    /// [`VaultError::KekUnavailable`], [`VaultError::KekRefused`].
    pub async fn newest(&self) -> Result<u32, VaultError> {
        match self {
            Self::Local(file) => file.newest(),
            Self::Transit(transit) => transit.newest().await,
        }
    }

    /// Makes another version, which wraps from now on, and answers its number.
    ///
    /// # Errors
    /// [`VaultError::KekUnavailable`], [`VaultError::KekRefused`].
    pub async fn rotate(&self) -> Result<u32, VaultError> {
        match self {
            Self::Local(file) => file.rotate(),
            Self::Transit(transit) => transit.rotate().await,
        }
    }
}

/// The providers that are configured.
#[derive(Debug)]
pub struct Keks {
    chosen: Kek,
    others: Vec<Kek>,
}

/// Why the providers are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    /// The file does not serve.
    #[error(transparent)]
    File(#[from] LocalFileError),
    /// No client can be made.
    #[error(transparent)]
    Client(#[from] VaultError),
    /// The chosen keeper is not configured.
    #[error("vault.kek names a keeper of which nothing is set")]
    NotConfigured,
}

impl Keks {
    /// All that are configured; `keeper` wraps.
    ///
    /// # Errors
    /// See [`KekError`].
    pub fn configured(settings: &config::Vault, keeper: KekKeeper, entropy: &Entropy) -> Result<Self, KekError> {
        let file = settings.kek_file.as_deref().map(|path| LocalFile::open(path, entropy)).transpose()?;
        let transit = settings.transit.clone().map(Transit::new).transpose()?;
        let (local, transit) = (file.map(Kek::Local), transit.map(Kek::Transit));
        let (chosen, other) = match keeper {
            KekKeeper::Local => (local, transit),
            KekKeeper::Transit => (transit, local),
        };
        Ok(Self::new(chosen.ok_or(KekError::NotConfigured)?, other.into_iter().collect()))
    }

    /// The one that wraps, and those that only unwrap.
    #[must_use]
    pub fn new(chosen: Kek, others: Vec<Kek>) -> Self {
        Self { chosen, others }
    }

    /// The one that wraps.
    #[must_use]
    pub fn chosen(&self) -> &Kek {
        &self.chosen
    }

    /// Whether one of them did not answer when it was last asked: whoever waits for it need not wait behind others.
    pub(super) fn is_one_silent(&self) -> bool {
        std::iter::once(&self.chosen).chain(&self.others).any(|kek| match kek {
            Kek::Local(_) => false,
            Kek::Transit(transit) => transit.is_silent(),
        })
    }

    /// Unwraps by whoever wrapped it.
    ///
    /// # Errors
    /// As [`Kek::unwrap`].
    pub(super) async fn unwrap(&self, about: &[u8], wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let mut all = std::iter::once(&self.chosen).chain(&self.others);
        let missing = || VaultError::KekMissing { kek: wrapped.kek.clone(), version: wrapped.version };
        all.find(|kek| kek.name() == wrapped.kek).ok_or_else(missing)?.unwrap(about, wrapped).await
    }
}
