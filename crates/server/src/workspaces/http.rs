//! `/v1/workspaces`.

use axum::extract::State;

use super::model::{CreateWorkspace, Workspace};
use super::ops::{self, CreateError};
use crate::authz::{Granted, Notary, SignedIn, may};
use crate::context::RequestContext;
use crate::db::Db;
use crate::http::{Begun, Changes, Code, Idempotency, Json, ListQuery, Mutation, Page, Problem, Query, Reply};

/// Tells this list's cursors from others'.
const LIST: u8 = 1;

/// Founds a workspace.
///
/// # Errors
/// `slug_taken`, and those of every change.
pub async fn create(
    person: SignedIn,
    context: RequestContext,
    State(changes): State<Changes>,
    request: Mutation<CreateWorkspace>,
) -> Result<Reply, Problem> {
    found(person, context, &changes, &request.body, request.idempotency).await
}

/// Founds a workspace once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`create`].
pub async fn found(
    person: SignedIn,
    context: RequestContext,
    changes: &Changes,
    new: &CreateWorkspace,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let founding = ops::founding(person, context, &changes.entropy);
    let mut change = match changes.begin(&founding, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let created = ops::create(&mut change.tx, &founding, &changes.notary, &changes.entropy, new).await?;
    let reply = Reply::created(format!("/v1/workspaces/{}", created.workspace.id), &created.workspace)?;
    change.commit(created.recorded, reply).await
}

/// The caller's workspaces, in the order of their founding.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    person: SignedIn,
    State(db): State<Db>,
    State(notary): State<Notary>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Workspace>>, Problem> {
    let (limit, after) = (query.limit()?, query.after(LIST)?);
    let mut tx = db.account_tx(&person).await?;
    let rows = ops::list(&mut tx, &notary, after, limit).await?;
    tx.finish_reading().await?;
    Ok(Json(Page::cut(rows, limit, LIST, |row| row.id.uuid())))
}

/// One workspace.
///
/// # Errors
/// `not_found`, `ambiguous_slug`.
pub async fn get(granted: Granted<may::ReadWorkspace>, State(db): State<Db>) -> Result<Json<Workspace>, Problem> {
    let mut tx = db.workspace_tx(&granted).await?;
    let workspace = ops::get(&mut tx, &granted).await?;
    tx.finish_reading().await?;
    workspace.map(Json).ok_or_else(|| Problem::new(Code::NotFound))
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::SlugTaken => Self::new(Code::SlugTaken),
            CreateError::Gone => Self::new(Code::SessionEnded),
            CreateError::Db(error) => error.into(),
        }
    }
}
