//! What cannot be read again, whatever is put back: a subject whose key was punctured, a workspace whose binding is gone.
//!
//! The anchor store first, then the database. Whoever is interrupted in between begins again and ends it: what stands in
//! the database meanwhile does not open any more.

use super::alerts::Alert;
use super::anchored::Found;
use super::column::{COLUMNS, RowId, SECRET, SUBJECT_NAME, Stand};
use super::error::VaultError;
use super::keys::Place;
use super::mac::Meaning;
use super::ring::{Owner, Vault};
use super::{reseal, sql};
use crate::anchor::AnchorError;
use crate::db::{DbError, OperationalPath, SystemTx, Unrecorded};

/// The kind of row that says who was erased.
const ERASED: &str = "subject-erased/v1";
/// Rows in one transaction.
const CLEARED_AT_ONCE: i64 = 1_000;

/// How far the clearing of a subject's fields is: where it is lost, it begins anew and finds what is left.
#[derive(Clone, Debug, Default)]
pub struct Clearing {
    column: usize,
    after: Option<Vec<String>>,
}

/// That a subject was erased, as it is vouched for.
fn erased(owner: Owner, number: u32) -> Meaning {
    Meaning::new().uuid(owner.uuid()).bytes(&number.to_be_bytes())
}

/// The columns with what can be erased with a person, the name apart. Versions of secrets are subjects of their own, and
/// nobody's.
fn erasable() -> impl Iterator<Item = &'static Stand> {
    let columns = COLUMNS.into_iter().filter(|column| ![&SUBJECT_NAME, &SECRET].contains(column));
    columns.filter_map(|column| column.stand.as_ref()).filter(|stand| stand.subject.is_some())
}

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
            // A name goes before its key does: it was put under the number of somebody who is erased, and would get their certificate.
            Ok(_) | Err(VaultError::Erased) => {}
            Err(error) => return Err(error),
        }
        let error = VaultError::Malformed("the name of another subject");
        self.report(owner, &place, &error);
        Err(error)
    }

    /// Punctures subjects' keys: from here on nothing that they sealed opens, here or in any backup. Answers how many of them
    /// were not punctured: of those that were erased before, an older copy of the anchor store has brought these back.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn puncture(&self, owner: Owner, subjects: &[u32]) -> Result<u64, VaultError> {
        let punctured = loop {
            let (mut anchored, seen) = match self.anchored(owner.uuid()).await? {
                Found::Here(anchored, seen) => (anchored, seen),
                Found::Shredded => return Ok(0),
                Found::Nothing => return Err(VaultError::AnchorMissing),
            };
            let punctured = subjects.iter().filter(|subject| anchored.subjects.puncture(**subject)).count();
            if punctured == 0 {
                break 0;
            }
            let cell = self.keys(Owner::Cell).await?;
            match self.shelf().replace(owner.uuid(), &cell, &anchored, &seen).await {
                Ok(()) => break punctured,
                // Somebody else was erased at the same moment.
                Err(VaultError::Anchor(AnchorError::Changed { .. })) => {}
                Err(error) => return Err(error),
            }
        };
        self.fetch_anew(owner).await?;
        Ok(u64::try_from(punctured).unwrap_or(u64::MAX))
    }

    /// Punctures the keys of subjects whose sealed values are gone from the database already, and forgets their names.
    ///
    /// # Errors
    /// See [`VaultError`]. Again is no error.
    pub async fn forget_subjects(&self, owner: Owner, subjects: &[u32]) -> Result<(), VaultError> {
        self.puncture(owner, subjects).await?;
        let mut tx = self.parts().db.system_tx(OperationalPath::Shred).await?;
        self.forget_names(&mut tx, owner, subjects).await?;
        Ok(tx.commit_unrecorded(Unrecorded::Keyed).await?)
    }

    /// The numbers of those of an owner's who were erased. One that was written by hand is raised as an alert, and is none of
    /// them: nothing takes a puncture back.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn erased_subjects(&self, tx: &mut SystemTx, owner: Owner) -> Result<Vec<u32>, VaultError> {
        let (keys, told) = (self.all_row_keys(ERASED).await?, sql::erased_subjects(tx, owner.uuid()).await?);
        let (erased, forged): (Vec<_>, Vec<_>) =
            told.into_iter().partition(|(number, mac)| keys.vouches(&erased(owner, *number), mac) == Some(true));
        for (number, _) in forged {
            let (what, of, row) = ("erasure_unvouched", "vault_subjects", number.to_string());
            self.alerts().raise(Alert { what, of, workspace: owner.uuid(), row });
        }
        Ok(erased.into_iter().map(|(number, _)| number).collect())
    }

    /// Those of whom somebody was erased.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn owners_with_erased(&self, tx: &mut SystemTx) -> Result<Vec<Owner>, DbError> {
        Ok(sql::owners_with_erased(tx).await?.into_iter().map(Owner::of).collect())
    }

    /// How many values a subject's key sealed, by the name of their column.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn count_fields(
        &self,
        tx: &mut SystemTx,
        owner: Owner,
        subject: u32,
    ) -> Result<Vec<(&'static str, u64)>, DbError> {
        let mut counts = Vec::new();
        for stand in erasable() {
            counts.push((stand.column, reseal::count(tx, stand, owner.uuid(), subject).await?));
        }
        Ok(counts)
    }

    /// Forgets subjects' names: whoever comes by one again is somebody new, and nothing more is sealed for these.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn forget_names(&self, tx: &mut SystemTx, owner: Owner, subjects: &[u32]) -> Result<(), VaultError> {
        let keys = self.row_keys(ERASED).await?;
        let vouched = subjects.iter().map(|number| (*number, keys.sign(&erased(owner, *number))));
        let vouched: Vec<(u32, Vec<u8>)> = vouched.collect();
        Ok(sql::erase_subjects(tx, owner.uuid(), &vouched, self.parts().clock.now()).await?)
    }

    /// Takes so many of the values that a subject's key sealed out of the database, in the caller's transaction, and answers
    /// how many those were; `None` when the walk is over.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn clear_some(
        &self,
        tx: &mut SystemTx,
        owner: Owner,
        subject: u32,
        walk: &mut Clearing,
    ) -> Result<Option<u64>, DbError> {
        let Some(stand) = erasable().nth(walk.column) else { return Ok(None) };
        let cleared = reseal::clear(tx, stand, (owner.uuid(), subject), walk.after.as_deref(), CLEARED_AT_ONCE).await?;
        let count = u64::try_from(cleared.len()).unwrap_or(u64::MAX);
        match cleared.into_iter().next_back() {
            Some(last) => walk.after = Some(last),
            None => *walk = Clearing { column: walk.column + 1, after: None },
        }
        Ok(Some(count))
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
