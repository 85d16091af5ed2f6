//! What cannot be read again, whatever is put back: a subject whose key was punctured, a workspace whose binding is gone.
//!
//! The anchor store first, then the database. Whoever is interrupted in between begins again and ends it: what stands in
//! the database meanwhile does not open any more.

use super::anchored::Found;
use super::column::{COLUMNS, RowId, SECRET, SUBJECT_NAME};
use super::error::VaultError;
use super::keys::Place;
use super::ring::{Owner, Vault};
use super::{reseal, sql};
use crate::anchor::AnchorError;
use crate::db::{OperationalPath, SystemTx, Unrecorded};

impl Vault {
    /// The number under which a subject is known, if it is.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn subject(&self, owner: Owner, name: &str) -> Result<Option<u32>, VaultError> {
        let keys = self.complete_keys(owner).await?;
        let indexes = keys.blind_indexes(&SUBJECT_NAME, name.as_bytes())?;
        let mut tx = self.parts().db.system_tx(OperationalPath::Shred).await?;
        let indexes: Vec<_> = indexes.iter().map(|index| index.to_vec()).collect();
        let found = sql::subject(&mut tx, owner.uuid(), &indexes).await?;
        tx.finish_reading().await?;
        let Some((number, sealed)) = found else { return Ok(None) };
        // Whoever can write to the table could have them erased under another number: nobody, or somebody else.
        let row = RowId::new().uuid(owner.uuid()).text(&number.to_string());
        let place = Place { column: &SUBJECT_NAME, row: row.as_bytes(), subject: Some(number) };
        match self.unseal(owner, &place, &sealed).await {
            Ok(opened) if *opened == *name.as_bytes() => return Ok(Some(number)),
            // Somebody was interrupted after the key was gone.
            Err(VaultError::Erased) => return Ok(Some(number)),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        let error = VaultError::Malformed("the name of another subject");
        self.report(owner, &place, &error);
        Err(error)
    }

    /// Punctures subjects' keys: from here on nothing that they sealed opens, here or in any backup.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn puncture(&self, owner: Owner, subjects: &[u32]) -> Result<(), VaultError> {
        loop {
            let (mut anchored, seen) = match self.anchored(owner.uuid()).await? {
                Found::Here(anchored, seen) => (anchored, seen),
                Found::Shredded => return Ok(()),
                Found::Nothing => return Err(VaultError::AnchorMissing),
            };
            let punctured = subjects.iter().filter(|subject| anchored.subjects.puncture(**subject)).count();
            if punctured == 0 {
                break;
            }
            let cell = self.keys(Owner::Cell).await?;
            match self.shelf().replace(owner.uuid(), &cell, &anchored, &seen).await {
                Ok(()) => break,
                // Somebody else was erased at the same moment.
                Err(VaultError::Anchor(AnchorError::Changed { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        self.fetch_anew(owner).await.map(|_| ())
    }

    /// Punctures the keys of subjects whose sealed values are gone from the database already, and forgets their names.
    ///
    /// # Errors
    /// See [`VaultError`]. Again is no error.
    pub async fn forget_subjects(&self, owner: Owner, subjects: &[u32]) -> Result<(), VaultError> {
        self.puncture(owner, subjects).await?;
        let mut tx = self.parts().db.system_tx(OperationalPath::Shred).await?;
        for subject in subjects {
            sql::erase_subject(&mut tx, owner.uuid(), *subject, self.parts().clock.now()).await?;
        }
        Ok(tx.commit_unrecorded(Unrecorded::Keyed).await?)
    }

    /// Takes what a punctured person's key sealed out of the database too, in the caller's transaction, and answers from
    /// how many fields. Versions of secrets are subjects of their own, and nobody's.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn clear_subject(&self, tx: &mut SystemTx, owner: Owner, subject: u32) -> Result<u64, VaultError> {
        let mut cleared = 0;
        let erasable = COLUMNS.into_iter().filter(|column| ![&SUBJECT_NAME, &SECRET].contains(column));
        for stand in erasable.filter_map(|column| column.stand.as_ref()) {
            cleared += reseal::clear(tx, stand, owner.uuid(), subject).await?;
        }
        sql::erase_subject(tx, owner.uuid(), subject, self.parts().clock.now()).await?;
        Ok(cleared)
    }

    /// Makes everything of a workspace unreadable, here and in any backup.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn shred(&self, owner: Owner) -> Result<(), VaultError> {
        self.shelf().shred(owner.uuid(), self.parts().clock.now()).await?;
        self.forget(owner);
        Ok(())
    }

    /// Whether anything is, or was, sealed for this workspace.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn knows(&self, owner: Owner) -> Result<bool, VaultError> {
        Ok(!matches!(self.anchored(owner.uuid()).await?, Found::Nothing))
    }

    /// Takes a shredded workspace's wrapped keys out of the database too, and answers how many.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn clear_keys(&self, tx: &mut SystemTx, owner: Owner) -> Result<u64, VaultError> {
        Ok(sql::delete(tx, owner.uuid()).await?)
    }
}
