//! `/v1/workspaces/{workspace}/projects`.

use axum::extract::State;

use super::model::{CreateProject, Project};
use super::{ops, sql};
use crate::authz::{Granted, may};
use crate::db::{Authority as _, Db};
use crate::http::{Begun, Changes, Code, Idempotency, Json, ListQuery, Mutation, Page, Problem, Query, Reply};

/// Tells this list's cursors from others'.
const LIST: u8 = 3;

/// Makes a project.
///
/// # Errors
/// `name_taken`, and those of every change.
pub async fn create(
    granted: Granted<may::CreateProject>,
    State(changes): State<Changes>,
    request: Mutation<CreateProject>,
) -> Result<Reply, Problem> {
    make(&granted, &changes, &request.body, request.idempotency).await
}

/// Makes a project once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`create`].
pub async fn make(
    granted: &Granted<may::CreateProject>,
    changes: &Changes,
    new: &CreateProject,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let (project, recorded) = ops::create(&mut change.tx, &changes.entropy, new).await?;
    let reply = Reply::created(format!("/v1/workspaces/{}/projects", granted.workspace()), &project)?;
    change.commit(recorded, reply).await
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
