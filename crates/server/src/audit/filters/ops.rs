//! Save, open and delete.

use bailiwick_proof::id::{FilterId, Id, WorkspaceId};
use serde_json::json;

use super::model::{SaveFilter, SavedFilter, day_text};
use super::sql::{self, Row, Sealed};
use crate::audit::model::Subject;
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry, Ledger, LedgerError};
use crate::vault::{AUDIT_FILTER_ACTOR, AUDIT_FILTER_TARGET, Column, Owner, Place, RowId, Vault, VaultError};

/// Why a filter was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// There is one of this name.
    #[error("there is a filter of this name")]
    NameTaken,
    /// There are as many as can be.
    #[error("as many filters are saved as can be")]
    TooMany,
    /// It could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Nobody could be given a number.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database failed.
    #[error(transparent)]
    Db(DbError),
}

impl From<DbError> for SaveError {
    fn from(error: DbError) -> Self {
        if error.constraint() == Some("audit_filters_name") { Self::NameTaken } else { Self::Db(error) }
    }
}

/// Whom a filter names, with their numbers: given in a transaction of their own, before the filter's begins.
pub(super) struct Named {
    actor: Option<u32>,
    target: Option<u32>,
}

/// Finds or gives the numbers of whom a filter names.
///
/// # Errors
/// [`LedgerError`].
pub(super) async fn name(ledger: &Ledger, workspace: WorkspaceId, new: &SaveFilter) -> Result<Named, LedgerError> {
    let (actor, target) = (new.actor.as_ref().map(Subject::as_str), new.target.as_ref().map(Subject::as_str));
    let numbers = ledger.subject_numbers(workspace, actor.into_iter().chain(target)).await?;
    let of = |name: Option<&str>| name.and_then(|name| numbers.get(name).copied());
    Ok(Named { actor: of(actor), target: of(target) })
}

/// Saves a filter, for the principal alone or for all.
///
/// # Errors
/// See [`SaveError`].
pub(super) async fn save(
    tx: &mut WorkspaceTx,
    vault: &Vault,
    entropy: &Entropy,
    new: &SaveFilter,
    named: &Named,
) -> Result<(SavedFilter, Recorded), SaveError> {
    let now = tx.context().received_at;
    let id: FilterId = Id::from_uuid(entropy.uuid_v7(now));
    let saved_by = tx.actor().to_owned();
    let workspace = tx.workspace();
    let row = Row {
        id,
        owner: (!new.shared).then(|| saved_by.clone()),
        name: new.name.to_string(),
        action: new.action.as_ref().map(ToString::to_string),
        actor: seal(vault, (workspace, id), &AUDIT_FILTER_ACTOR, new.actor.as_ref(), named.actor).await?,
        target: seal(vault, (workspace, id), &AUDIT_FILTER_TARGET, new.target.as_ref(), named.target).await?,
        from: new.from,
        to: new.to,
        saved_by,
        saved_at: now,
    };
    if !sql::insert(tx, &row).await? {
        return Err(SaveError::TooMany);
    }
    let text = |word: &Option<Subject>| word.as_ref().map(|word| word.as_str().to_owned());
    let saved = shown(row, (text(&new.actor), text(&new.target)), false);
    let entry = Entry::about(Action::AuditFilterSaved, id).with(json!({ "shared": saved.shared }));
    Ok((saved, ledger::stage(tx, entropy, entry)))
}

/// A filter with whom it names, as far as nobody of them was erased.
///
/// # Errors
/// [`VaultError`] when the keys are not to be had.
pub(super) async fn open(vault: &Vault, workspace: WorkspaceId, row: Row) -> Result<SavedFilter, VaultError> {
    let place = (workspace, row.id);
    let actor = unseal(vault, place, &AUDIT_FILTER_ACTOR, &row.actor).await?;
    let target = unseal(vault, place, &AUDIT_FILTER_TARGET, &row.target).await?;
    let is_gone = |sealed: &Sealed, opened: &Option<String>| {
        (sealed.subject.is_some() || sealed.bytes.is_some()) && opened.is_none()
    };
    let erased = is_gone(&row.actor, &actor) || is_gone(&row.target, &target);
    Ok(shown(row, (actor, target), erased))
}

/// Deletes a filter; `None` if it is gone.
///
/// # Errors
/// [`DbError`].
pub(super) async fn delete(tx: &mut WorkspaceTx, entropy: &Entropy, row: &Row) -> Result<Option<Recorded>, DbError> {
    if !sql::delete(tx, row.id).await? {
        return Ok(None);
    }
    let entry = Entry::about(Action::AuditFilterDeleted, row.id).with(json!({ "shared": row.owner.is_none() }));
    Ok(Some(ledger::stage(tx, entropy, entry)))
}

fn shown(row: Row, (actor, target): (Option<String>, Option<String>), erased: bool) -> SavedFilter {
    SavedFilter {
        id: row.id,
        name: row.name,
        action: row.action,
        actor,
        target,
        from: row.from.map(day_text),
        to: row.to.map(day_text),
        shared: row.owner.is_none(),
        erased,
        saved_by: row.saved_by,
        saved_at: row.saved_at,
    }
}

fn row_id((workspace, id): (WorkspaceId, FilterId)) -> RowId {
    RowId::new().uuid(workspace.uuid()).uuid(id.uuid())
}

async fn seal(
    vault: &Vault,
    at: (WorkspaceId, FilterId),
    column: &'static Column,
    word: Option<&Subject>,
    subject: Option<u32>,
) -> Result<Sealed, VaultError> {
    let Some(word) = word else { return Ok(Sealed::default()) };
    let row = row_id(at);
    let place = Place { column, row: row.as_bytes(), subject };
    let bytes = vault.seal(Owner::Workspace(at.0), &place, word.as_str().as_bytes()).await?;
    Ok(Sealed { bytes: Some(bytes), subject })
}

/// Nothing of somebody who was erased, nor of what was altered.
async fn unseal(
    vault: &Vault,
    at: (WorkspaceId, FilterId),
    column: &'static Column,
    sealed: &Sealed,
) -> Result<Option<String>, VaultError> {
    let Some(bytes) = &sealed.bytes else { return Ok(None) };
    let row = row_id(at);
    let place = Place { column, row: row.as_bytes(), subject: sealed.subject };
    match vault.unseal(Owner::Workspace(at.0), &place, bytes).await {
        Ok(word) => Ok(std::str::from_utf8(&word).ok().map(str::to_owned)),
        Err(VaultError::Erased | VaultError::Shredded) => Ok(None),
        Err(error) => Err(error),
    }
}
