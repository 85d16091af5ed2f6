//! Sealing anew, column by column of the registry: what older keys sealed, under the newest.
//!
//! The version stands in each envelope, so that what is left to do is found by looking: an interrupted run is begun again,
//! and two at once do no harm. A row that somebody else changes meanwhile is theirs.

mod sql;

pub(super) use sql::{clear, count};

use uuid::Uuid;

use super::column::{COLUMNS, Column, OwnedBy, RowId, Stand};
use super::error::VaultError;
use super::keys::{Keys, Place};
use super::ring::{Owner, Vault};
use crate::db::{OperationalPath, Unrecorded};

/// Rows in one transaction.
const PAGE: i64 = 200;

/// A sealed value as it stands in its row.
#[derive(Debug)]
struct Found {
    /// The primary key, each part as text.
    key: Vec<String>,
    subject: Option<i64>,
    sealed: Vec<u8>,
}

/// What came of sealing anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were.
    pub done: u64,
    /// Values that do not open: they stay as they are, and each is an alert.
    pub refused: u64,
    /// Values whose subject was erased.
    pub erased: u64,
}

impl Vault {
    /// Seals under the owner's newest key whatever an older one sealed.
    ///
    /// # Errors
    /// [`VaultError`] when the keeper, the anchor store or the database is away: what was done stays done.
    pub async fn reseal(&self, owner: Owner, mut progress: impl FnMut(u64)) -> Result<Resealed, VaultError> {
        let keys = self.fetch_anew(owner).await?;
        let mut resealed = Resealed::default();
        for column in COLUMNS {
            let Some(stand) = column.stand.as_ref().filter(|stand| is_owned(stand, owner)) else { continue };
            let mut after = None;
            loop {
                let mut tx = self.parts().db.system_tx(OperationalPath::RotateVault).await?;
                let found = sql::sealed_otherwise(&mut tx, stand, owner.uuid(), after, keys.version()?, PAGE).await?;
                let Some(last) = found.last() else {
                    tx.finish_reading().await?;
                    break;
                };
                after = Some(last.key.clone());
                let mut sealer = self.sealer(owner, u32::try_from(found.len()).unwrap_or(u32::MAX)).await?;
                for row in &found {
                    let (id, subject) = (row_id(row), row.subject.and_then(|number| u32::try_from(number).ok()));
                    let place = Place { column, row: id.as_bytes(), subject };
                    match keys.open(&place, &row.sealed) {
                        Ok(plaintext) => {
                            let sealed = sealer.seal(&place, &plaintext)?;
                            let index = index(&keys, column, stand, &plaintext)?;
                            resealed.done +=
                                u64::from(sql::replace(&mut tx, stand, row, &sealed, index.as_deref()).await?);
                        }
                        Err(VaultError::Erased) => resealed.erased += 1,
                        Err(error) => {
                            self.report(owner, &place, &error);
                            resealed.refused += 1;
                        }
                    }
                }
                tx.commit_unrecorded(Unrecorded::Keyed).await?;
                progress(resealed.done);
            }
        }
        if owner == Owner::Cell {
            resealed.done += self.shelf().reseal(&keys).await?;
        }
        Ok(resealed)
    }

    /// Everybody who has a key, the cell first.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn everybody(&self) -> Result<Vec<Owner>, VaultError> {
        let mut tx = self.parts().db.system_tx(OperationalPath::RotateVault).await?;
        let owners = sql::owners(&mut tx).await?;
        tx.finish_reading().await?;
        Ok(owners.into_iter().map(Owner::of).collect())
    }
}

/// Whether rows of this owner may stand there.
fn is_owned(stand: &Stand, owner: Owner) -> bool {
    stand.owner == OwnedBy::Workspace || owner == Owner::Cell
}

fn row_id(row: &Found) -> RowId {
    row.key.iter().fold(RowId::new(), |id, part| id.text(part))
}

fn index(keys: &Keys, column: &'static Column, stand: &Stand, plaintext: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
    let Some(index) = &stand.index else { return Ok(None) };
    keys.blind_index(column, (index.of)(plaintext)).map(|index| Some(index.to_vec()))
}

/// The nil uuid is the cell's, where rows of it stand among those of workspaces.
fn workspace_of(stand: &Stand, owner: Uuid) -> Option<Uuid> {
    (stand.owner == OwnedBy::Workspace).then_some(owner)
}
