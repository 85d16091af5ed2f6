//! Found, list, get.

use bailiwick_proof::id::{Id, WorkspaceId};

use super::model::{CreateWorkspace, Workspace};
use super::sql;
use crate::authz::may;
use crate::authz::{Founding, Granted, Notary, Role, SignedIn, await_person, is_still};
use crate::context::RequestContext;
use crate::db::{AccountTx, DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};

/// Why no workspace was founded.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The founder has a workspace with this slug.
    #[error("one of the founder's workspaces has this slug")]
    SlugTaken,
    /// The founder has deleted their account, or has another address, since they were let in.
    #[error("the founder is not who signed in any more")]
    Gone,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A workspace and the proof that its founding was recorded.
pub struct Created {
    /// The workspace.
    pub workspace: Workspace,
    /// For the commit.
    pub recorded: Recorded,
}

/// The authority to found one workspace, under an id that nobody can know yet.
#[must_use]
pub fn founding(person: SignedIn, context: RequestContext, entropy: &Entropy) -> Founding {
    let fresh = Id::from_uuid(entropy.uuid_v7(context.received_at));
    Founding::of(fresh, person, context)
}

/// Makes the workspace and its founder's membership as owner.
///
/// # Errors
/// See [`CreateError`].
pub async fn create(
    tx: &mut WorkspaceTx,
    founding: &Founding,
    notary: &Notary,
    entropy: &Entropy,
    new: &CreateWorkspace,
) -> Result<Created, CreateError> {
    let user = founding.founder().user();
    await_person(tx, founding.founder()).await?;
    if sql::founder_has_slug(tx, user, &new.slug).await? {
        return Err(CreateError::SlugTaken);
    }
    let created_at = tx.context().received_at;
    let founded = sql::insert_workspace(tx, notary, new, created_at).await?;
    let joined = sql::insert_member(tx, notary, user, Role::Owner, created_at).await?;
    if !is_still(tx, founding.founder()).await? {
        return Err(CreateError::Gone);
    }
    let entry = Entry::about(Action::WorkspaceCreated, tx.workspace()).changing([founded, joined]);
    let recorded = ledger::stage(tx, entropy, entry);
    let workspace = Workspace {
        id: tx.workspace(),
        name: new.name.to_string(),
        slug: new.slug.to_string(),
        role: Some(Role::Owner),
        created_at,
    };
    Ok(Created { workspace, recorded })
}

/// The person's workspaces by id, which is the order of their making: one more than `limit`, to tell whether there are more.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut AccountTx,
    notary: &Notary,
    after: Option<uuid::Uuid>,
    limit: u16,
) -> Result<Vec<Workspace>, DbError> {
    sql::list(tx, notary, after, usize::from(limit) + 1).await
}

/// One of the person's workspaces.
///
/// # Errors
/// [`DbError`].
pub async fn of_person(
    tx: &mut AccountTx,
    notary: &Notary,
    workspace: WorkspaceId,
) -> Result<Option<Workspace>, DbError> {
    let before = uuid::Uuid::from_u128(workspace.uuid().as_u128().saturating_sub(1));
    let first = sql::list(tx, notary, Some(before), 1).await?.into_iter().next();
    Ok(first.filter(|found| found.id == workspace))
}

/// How paths name the workspace at hand; nothing where it is gone.
///
/// # Errors
/// [`DbError`].
pub async fn slug(tx: &mut WorkspaceTx) -> Result<String, DbError> {
    Ok(sql::get(tx, None).await?.map(|workspace| workspace.slug).unwrap_or_default())
}

/// The workspace at hand.
///
/// # Errors
/// [`DbError`].
pub async fn get(tx: &mut WorkspaceTx, granted: &Granted<may::ReadWorkspace>) -> Result<Option<Workspace>, DbError> {
    sql::get(tx, granted.role()).await
}
