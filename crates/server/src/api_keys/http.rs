//! `/v1/workspaces/{workspace}/api-keys` and `GET /v1/key`.

use axum::extract::State;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ApiKeyId, ProjectId, WorkspaceId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::model::{ApiKey, CreateApiKey, CreatedApiKey, Status};
use super::ops::{self, CreateError, Revoked};
use super::sql;
use crate::authz::{Granted, KeyHolder, Scope, may};
use crate::db::{Authority as _, Db};
use crate::http::{
    Begun, Changes, Code, Idempotency, Json, ListQuery, Mutation, Nothing, Page, PathId, Problem, Query, Reply,
};

/// Tells this list's cursors from others'.
const LIST: u8 = 4;

/// `?limit=&cursor=&status=`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyQuery {
    limit: Option<u16>,
    cursor: Option<String>,
    status: Option<Status>,
}

/// What a key can know of itself.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OwnKey {
    #[schema(value_type = String)]
    id: ApiKeyId,
    #[schema(value_type = String)]
    workspace_id: WorkspaceId,
    #[schema(value_type = String)]
    environment: Environment,
    #[schema(value_type = Option<String>)]
    project_id: Option<ProjectId>,
    name: String,
    scopes: Vec<Scope>,
    permissions: Vec<&'static str>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<OffsetDateTime>,
}

/// Makes a key and shows it once.
///
/// # Errors
/// `beyond_own_authority`, `invalid_body`, and those of every change.
pub async fn create(
    granted: Granted<may::CreateKey>,
    State(changes): State<Changes>,
    request: Mutation<CreateApiKey>,
) -> Result<Reply, Problem> {
    make(&granted, &changes, &request.body, request.idempotency).await
}

/// Makes a key once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`create`].
pub async fn make(
    granted: &Granted<may::CreateKey>,
    changes: &Changes,
    new: &CreateApiKey,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let (created, recorded) = ops::create(&mut change.tx, granted, &changes.entropy, new).await?;
    let reply = Reply::created(location(granted.workspace(), &created), &created)?;
    change.commit(recorded, reply).await
}

fn location(workspace: WorkspaceId, created: &CreatedApiKey) -> String {
    format!("/v1/workspaces/{workspace}/api-keys/{}", created.api_key.id)
}

/// The environment's keys, from the newest.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadKeys>,
    State(db): State<Db>,
    Query(query): Query<KeyQuery>,
) -> Result<Json<Page<ApiKey>>, Problem> {
    page(&granted, &db, query).await.map(Json)
}

/// A page of keys; for the API and the console.
///
/// # Errors
/// As [`list`].
pub async fn page(granted: &Granted<may::ReadKeys>, db: &Db, query: KeyQuery) -> Result<Page<ApiKey>, Problem> {
    let KeyQuery { limit, cursor, status } = query;
    let list = ListQuery::new(limit, cursor);
    let (limit, after) = (list.limit()?, list.after(LIST)?);
    let mut tx = db.workspace_tx(granted).await?;
    let rows = sql::list(&mut tx, after, limit, status).await?;
    tx.finish_reading().await?;
    Ok(Page::cut(rows, limit, LIST, |row| row.id.uuid()))
}

/// One key.
///
/// # Errors
/// `not_found`.
pub async fn get(
    granted: Granted<may::ReadKeys>,
    State(db): State<Db>,
    PathId(key): PathId<ApiKeyId>,
) -> Result<Json<ApiKey>, Problem> {
    find(&granted, &db, key).await.map(Json)
}

/// One key; for the API and the console.
///
/// # Errors
/// `not_found`.
pub async fn find(granted: &Granted<may::ReadKeys>, db: &Db, key: ApiKeyId) -> Result<ApiKey, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let found = sql::get(&mut tx, key).await?;
    tx.finish_reading().await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Revokes a key, and answers when no node takes it any more. Again is no error and changes nothing.
///
/// # Errors
/// `not_found`, `revocation_unconfirmed`.
pub async fn revoke(
    granted: Granted<may::RevokeKey>,
    State(changes): State<Changes>,
    PathId(key): PathId<ApiKeyId>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    end(&granted, &changes, key, request.idempotency).await
}

/// Revokes a key; for the API and the console. Whoever asks again waits for all nodes again.
///
/// # Errors
/// As [`revoke`].
pub async fn end(
    granted: &Granted<may::RevokeKey>,
    changes: &Changes,
    key: ApiKeyId,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let (reply, changed) = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => (reply, None),
        Begun::Fresh(mut change) => match ops::revoke(&mut change.tx, &changes.entropy, key).await? {
            None => return Err(Problem::new(Code::NotFound)),
            Some(Revoked::Before) => (Reply::no_content(), None),
            Some(Revoked::Now(recorded)) => {
                let changed = change.tx.xid().await?;
                (change.commit(recorded, Reply::no_content()).await?, Some(changed))
            }
        },
    };
    changes.feed.barrier(changed).await?;
    Ok(reply)
}

/// What the calling key is and may do.
pub async fn own(holder: KeyHolder) -> Json<OwnKey> {
    let key = holder.key();
    Json(OwnKey {
        id: key.id,
        workspace_id: key.workspace,
        environment: key.environment,
        project_id: key.project.project(),
        scopes: key.scopes.iter().collect(),
        permissions: holder.permissions().iter().map(crate::authz::Permission::name).collect(),
        created_at: key.created_at,
        expires_at: key.expires_at,
        name: key.name.to_string(),
    })
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::NoScope => Self::field("/scopes", "empty", "Choose at least one scope."),
            CreateError::AlreadyExpired => {
                Self::field("/expires_at", "in_the_past", "Choose a time in the future, or none.")
            }
            CreateError::UnknownProject => {
                Self::field("/project_id", "unknown", "This environment has no such project.")
            }
            CreateError::BeyondMaker => Self::new(Code::BeyondOwnAuthority),
            CreateError::Denied(denied) => denied.into(),
            CreateError::Db(error) => error.into(),
        }
    }
}
