//! `/v1/workspaces/{workspace}/secrets/{id}/rotations` and `/v1/workspaces/{workspace}/secret-rotations/{id}`.

use axum::extract::State;
use bailiwick_proof::id::{SecretId, SecretRotationId};
use serde_json::json;

use super::{MOST_WATCH_SECONDS, OpenRotation, RotationError, SecretRotation, sql};
use crate::authz::{Granted, may};
use crate::db::{Authority as _, Db};
use crate::http::{
    Begun, Changes, Code, Idempotency, Json, ListQuery, Mutation, Nothing, Page, PathId, Problem, Query, Reply,
};
use crate::jobs::Queue;
use crate::secrets::http::{AccessQuery, find};

/// Tells this list's cursors from others'.
const LIST: u8 = 7;

/// Opens a rotation: a new version beside those that are there.
///
/// # Errors
/// `not_found`, `rotation_open`, `invalid_body`, and those of every change.
pub async fn open(
    granted: Granted<may::UpdateSecret>,
    State(changes): State<Changes>,
    PathId(secret): PathId<SecretId>,
    request: Mutation<OpenRotation>,
) -> Result<Reply, Problem> {
    begin(&granted, &changes, secret, &request.body, request.idempotency).await
}

/// Opens a rotation once; for the API and the console.
///
/// # Errors
/// As [`open`].
pub async fn begin(
    granted: &Granted<may::UpdateSecret>,
    changes: &Changes,
    secret: SecretId,
    new: &OpenRotation,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let (rotation, recorded) = super::open(&mut change.tx, granted.principal(), changes, secret, new).await?;
    let location = format!("/v1/workspaces/{}/secret-rotations/{}", granted.workspace(), rotation.id);
    change.commit(recorded, Reply::created(location, &rotation)?).await
}

/// Says that the new version is deployed; the older ones are revoked from then on. Again is no error.
///
/// # Errors
/// `not_found`, and those of every change.
pub async fn ready(
    granted: Granted<may::UpdateSecret>,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
    PathId(rotation): PathId<SecretRotationId>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    go_on(&granted, &changes, &queue, rotation, request.idempotency).await
}

/// Says so once; for the API and the console.
///
/// # Errors
/// As [`ready`].
pub async fn go_on(
    granted: &Granted<may::UpdateSecret>,
    changes: &Changes,
    queue: &Queue,
    rotation: SecretRotationId,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let (rotation, recorded) = super::ready(&mut change.tx, changes, queue, rotation).await?;
    let reply = Reply::ok(&rotation)?;
    match recorded {
        Some(recorded) => change.commit(recorded, reply).await,
        None => Ok(reply),
    }
}

/// One rotation: how far it is, and its receipt when it is over.
///
/// # Errors
/// `not_found`.
pub async fn get(
    granted: Granted<may::ReadSecrets>,
    State(db): State<Db>,
    PathId(rotation): PathId<SecretRotationId>,
) -> Result<Json<SecretRotation>, Problem> {
    let mut tx = db.workspace_tx(&granted).await?;
    let found = sql::get(&mut tx, rotation).await?;
    tx.finish_reading().await?;
    found.map(Json).ok_or_else(|| Problem::new(Code::NotFound))
}

/// The rotations of a secret, the newest first.
///
/// # Errors
/// `not_found`, `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadSecrets>,
    State(db): State<Db>,
    PathId(secret): PathId<SecretId>,
    Query(AccessQuery { limit, cursor }): Query<AccessQuery>,
) -> Result<Json<Page<SecretRotation>>, Problem> {
    let list = ListQuery::new(limit, cursor);
    let (limit, after) = (list.limit()?, list.after(LIST)?);
    find(&granted, &db, secret).await?;
    let mut tx = db.workspace_tx(&granted).await?;
    let rows = sql::list(&mut tx, secret, after, limit).await?;
    tx.finish_reading().await?;
    Ok(Json(Page::cut(rows, limit, LIST, |row| row.id.uuid())))
}

/// The newest rotation of a secret, for the console.
///
/// # Errors
/// A problem of the database.
pub async fn newest(
    granted: &Granted<may::ReadSecrets>,
    db: &Db,
    secret: SecretId,
) -> Result<Option<SecretRotation>, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let rows = sql::list(&mut tx, secret, None, 1).await?;
    tx.finish_reading().await?;
    Ok(rows.into_iter().next())
}

impl From<RotationError> for Problem {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::NotFound => Self::new(Code::NotFound),
            RotationError::Open(rotation) => {
                Self::new(Code::RotationOpen).member("rotation_id", json!(rotation.to_string()))
            }
            RotationError::Watch => Self::field(
                "/watch_seconds",
                "too_long",
                format!("Choose {MOST_WATCH_SECONDS} seconds (30 days) or less."),
            ),
            RotationError::Change(error) => error.into(),
            RotationError::Enqueue(error) => error.into(),
        }
    }
}
