//! `/v1/workspaces/{workspace}/projects`.

use axum::extract::State;

use super::model::{CreateProject, Project};
use super::{ops, sql};
use crate::authz::{Granted, may};
use crate::db::{Authority as _, Db};
use crate::entropy::Entropy;
use crate::http::{Begun, Code, Idempotency, Json, ListQuery, Mutation, Page, Problem, Query, Reply};
use crate::vault::LocalSeal;

/// Tells this list's cursors from others'.
const LIST: u8 = 3;

/// Makes a project.
///
/// # Errors
/// `name_taken`, and those of every change.
pub async fn create(
    granted: Granted<may::CreateProject>,
    State(db): State<Db>,
    State(entropy): State<Entropy>,
    State(seal): State<LocalSeal>,
    request: Mutation<CreateProject>,
) -> Result<Reply, Problem> {
    make(&granted, &db, &entropy, &seal, &request.body, request.idempotency).await
}

/// Makes a project once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`create`].
pub async fn make(
    granted: &Granted<may::CreateProject>,
    db: &Db,
    entropy: &Entropy,
    seal: &LocalSeal,
    new: &CreateProject,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let slot = match idempotency.begin(&mut tx, granted.principal().id(), seal).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(slot) => slot,
    };
    let (project, recorded) = ops::create(&mut tx, entropy, new).await?;
    let reply = Reply::created(format!("/v1/workspaces/{}/projects", granted.workspace()), &project)?;
    slot.keep(&mut tx, &reply).await?;
    tx.commit(recorded).await?;
    Ok(reply)
}

/// The environment's projects; of a confined key its own.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadProjects>,
    State(db): State<Db>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Project>>, Problem> {
    let (limit, after) = (query.limit()?, query.after(LIST)?);
    let mut tx = db.workspace_tx(&granted).await?;
    let rows = sql::list(&mut tx, after, limit).await?;
    tx.finish_reading().await?;
    Ok(Json(Page::cut(rows, limit, LIST, |row| row.id.uuid())))
}

impl From<ops::CreateError> for Problem {
    fn from(error: ops::CreateError) -> Self {
        match error {
            ops::CreateError::NameTaken => Self::new(Code::NameTaken),
            ops::CreateError::Db(error) => error.into(),
        }
    }
}
