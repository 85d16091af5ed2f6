//! `/v1/workspaces`.

use axum::extract::State;

use super::model::{CreateWorkspace, Workspace};
use super::ops::{self, CreateError};
use crate::authz::{Granted, SignedIn, may};
use crate::context::RequestContext;
use crate::db::Db;
use crate::entropy::Entropy;
use crate::http::{Begun, Code, Idempotency, Json, ListQuery, Mutation, Page, Problem, Query, Reply};
use crate::vault::LocalSeal;

/// Tells this list's cursors from others'.
const LIST: u8 = 1;

/// Founds a workspace.
///
/// # Errors
/// `slug_taken`, and those of every change.
pub async fn create(
    person: SignedIn,
    context: RequestContext,
    State(db): State<Db>,
    State(entropy): State<Entropy>,
    State(seal): State<LocalSeal>,
    request: Mutation<CreateWorkspace>,
) -> Result<Reply, Problem> {
    found(person, context, &db, &entropy, &seal, &request.body, request.idempotency).await
}

/// Founds a workspace once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`create`].
pub async fn found(
    person: SignedIn,
    context: RequestContext,
    db: &Db,
    entropy: &Entropy,
    seal: &LocalSeal,
    new: &CreateWorkspace,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let user = person.user();
    let founding = ops::founding(person, context, entropy);
    let mut tx = db.workspace_tx(&founding).await?;
    let slot = match idempotency.begin(&mut tx, user.uuid(), seal).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(slot) => slot,
    };
    let created = ops::create(&mut tx, &founding, entropy, new).await?;
    let reply = Reply::created(format!("/v1/workspaces/{}", created.workspace.id), &created.workspace)?;
    slot.keep(&mut tx, &reply).await?;
    tx.commit(created.recorded).await?;
    Ok(reply)
}

/// The caller's workspaces, in the order of their founding.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    person: SignedIn,
    State(db): State<Db>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Workspace>>, Problem> {
    let (limit, after) = (query.limit()?, query.after(LIST)?);
    let mut tx = db.account_tx(&person).await?;
    let rows = ops::list(&mut tx, after, limit).await?;
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
            CreateError::Db(error) => error.into(),
        }
    }
}
