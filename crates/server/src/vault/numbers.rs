//! Numbers of subjects: who, or what, can be made unreadable on its own.
//!
//! The anchor store derives a subject's key by its number, so a number is never given twice. That it was given is said by
//! the database, which may be put back to yesterday; that its key is gone, by the anchor store. A number is given only if
//! neither knows it.

mod sql;

use super::column::{RowId, SUBJECT_NAME};
use super::error::VaultError;
use super::keys::{Keys, Place};
use super::ring::{Owner, Vault};
use super::sealer::Sealer;
use crate::db::{DbError, OperationalPath, SystemTx, Unrecorded};

pub use sql::lock as lock_numbers;

/// The first of these numbers and of those after it whose key is there.
///
/// # Errors
/// [`DbError`].
pub async fn free_numbers(tx: &mut SystemTx, owner: Owner, keys: &Keys, count: usize) -> Result<Vec<u32>, DbError> {
    let first = sql::next(tx, owner.uuid()).await?;
    Ok((first..=u32::MAX).filter(|number| !keys.is_erased(*number)).take(count).collect())
}

/// Gives these numbers to subjects of these names.
///
/// # Errors
/// See [`VaultError`]; the sealer has to have a use for each.
pub async fn give_numbers(
    tx: &mut SystemTx,
    owner: Owner,
    sealer: &mut Sealer,
    given: &[(u32, &str)],
) -> Result<(), VaultError> {
    let mut rows = Vec::with_capacity(given.len());
    sealer.announce(&given.iter().map(|(number, _)| *number).collect())?;
    for (number, name) in given {
        let row = RowId::new().uuid(owner.uuid()).text(&number.to_string());
        let place = Place { column: &SUBJECT_NAME, row: row.as_bytes(), subject: Some(*number) };
        let sealed = sealer.seal(&place, name.as_bytes())?;
        let index = sealer.keys().blind_index(&SUBJECT_NAME, name.as_bytes())?;
        rows.push((*number, sealed, index.to_vec()));
    }
    Ok(sql::insert(tx, owner.uuid(), &rows).await?)
}

impl Vault {
    /// A number for a subject of this name, which nobody had before. It is given whatever becomes of the caller's own
    /// transaction.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn new_subject(&self, owner: Owner, name: &str) -> Result<u32, VaultError> {
        // Nothing new is taken for a workspace that another process has just shredded.
        self.latest_keys(owner).await?;
        let mut sealer = self.sealer(owner, 1).await?;
        let mut tx = self.parts().db.system_tx(OperationalPath::OpenVault).await?;
        lock_numbers(&mut tx, owner.uuid()).await?;
        let free = free_numbers(&mut tx, owner, sealer.keys(), 1).await?;
        let number = *free.first().ok_or(VaultError::Malformed("of a subject beyond the last number"))?;
        give_numbers(&mut tx, owner, &mut sealer, &[(number, name)]).await?;
        tx.commit_unrecorded(Unrecorded::Keyed).await?;
        Ok(number)
    }
}
