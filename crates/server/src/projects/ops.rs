//! Make a project.

use bailiwick_proof::id::Id;

use super::model::{CreateProject, Project};
use super::sql;
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};

/// Why no project was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Another project of the environment has this name.
    #[error("the name is in use")]
    NameTaken,
    /// The database failed.
    #[error(transparent)]
    Db(DbError),
}

impl From<DbError> for CreateError {
    fn from(error: DbError) -> Self {
        if error.constraint() == Some("projects_name") { Self::NameTaken } else { Self::Db(error) }
    }
}

/// Makes a project in the transaction's environment.
///
/// # Errors
/// See [`CreateError`].
pub async fn create(
    tx: &mut WorkspaceTx,
    entropy: &Entropy,
    new: &CreateProject,
) -> Result<(Project, Recorded), CreateError> {
    let created_at = tx.context().received_at;
    let project = Project {
        id: Id::from_uuid(entropy.uuid_v7(created_at)),
        name: new.name.to_string(),
        environment: tx.environment(),
        created_at,
    };
    sql::insert(tx, &project).await?;
    let entry = Entry::about(Action::ProjectCreated, project.id).within(Some(project.id));
    let recorded = ledger::stage(tx, entropy, entry);
    Ok((project, recorded))
}
