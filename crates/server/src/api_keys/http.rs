//! `/v1/workspaces/{workspace}/api-keys` and `GET /v1/key`.

use axum::extract::State;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ApiKeyId, ProjectId, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use super::model::{ApiKey, CreateApiKey, CreatedApiKey, RotateApiKey, Status, UpdateApiKey};
use super::ops::{self, ChangeError, Revoked};
use super::rotation;
use super::sql::{self, KeyFilter};
use crate::authz::{Granted, KeyHolder, Scope, may};
use crate::db::{Authority as _, Db};
use crate::http::{
    Begun, Changes, Code, Idempotency, Json, ListQuery, Mutation, Nothing, Page, PathId, Problem, Query, Reply,
};

/// Tells this list's cursors from others'.
const LIST: u8 = 4;
/// Labels that a list is asked for by.
const LABELS: usize = 16;

/// `?limit=&cursor=&status=&label=`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyQuery {
    limit: Option<u16>,
    cursor: Option<String>,
    status: Option<Status>,
    /// `name:value`, each of which must be there.
    #[serde(default)]
    label: Vec<String>,
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
    let (created, recorded) = ops::create(&mut change.tx, granted, &changes.notary, &changes.entropy, new).await?;
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
    let KeyQuery { limit, cursor, status, label } = query;
    let labels: Option<Vec<_>> = label.iter().map(|label| label.split_once(':')).collect();
    let labels = labels.filter(|labels| labels.len() <= LABELS).ok_or(Problem::new(Code::InvalidParameter))?;
    let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let list = ListQuery::new(limit, cursor);
    let (limit, after) = (list.limit()?, list.after(LIST)?);
    let mut tx = db.workspace_tx(granted).await?;
    let rows = sql::list(&mut tx, after, limit, &KeyFilter { status, labels }).await?;
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
pub async fn find<P>(granted: &Granted<P>, db: &Db, key: ApiKeyId) -> Result<ApiKey, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let found = sql::get(&mut tx, key).await?;
    tx.finish_reading().await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Changes a key.
///
/// # Errors
/// `not_found`, `key_not_active`, `key_already_rotated`, `beyond_own_authority`, `invalid_body`, `revocation_unconfirmed`.
pub async fn update(
    granted: Granted<may::UpdateKey>,
    State(changes): State<Changes>,
    PathId(key): PathId<ApiKeyId>,
    request: Mutation<UpdateApiKey>,
) -> Result<Reply, Problem> {
    change(&granted, &changes, key, request.body, request.idempotency).await
}

/// Changes a key; for the API and the console.
///
/// # Errors
/// As [`update`].
pub async fn change(
    granted: &Granted<may::UpdateKey>,
    changes: &Changes,
    key: ApiKeyId,
    new: UpdateApiKey,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let (reply, changed) = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => (reply, None),
        Begun::Fresh(mut change) => {
            let updated = ops::update(&mut change.tx, granted, &changes.notary, &changes.entropy, key, new).await?;
            let (api_key, recorded) = updated.ok_or_else(|| Problem::new(Code::NotFound))?;
            let changed = change.tx.xid().await?;
            (change.commit(recorded, Reply::ok(&api_key)?).await?, Some(changed))
        }
    };
    // It may end sooner now, or work from fewer networks.
    changes.feed.barrier(changed).await?;
    Ok(reply)
}

/// Gives a key a successor, and shows that once.
///
/// # Errors
/// `not_found`, `key_not_active`, `key_already_rotated`, `beyond_own_authority`, `invalid_body`, `revocation_unconfirmed`.
pub async fn rotate(
    granted: Granted<may::RotateKey>,
    State(changes): State<Changes>,
    PathId(key): PathId<ApiKeyId>,
    request: Mutation<RotateApiKey>,
) -> Result<Reply, Problem> {
    succeed(&granted, &changes, key, &request.body, request.idempotency).await
}

/// Gives a key a successor once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`rotate`].
pub async fn succeed(
    granted: &Granted<may::RotateKey>,
    changes: &Changes,
    key: ApiKeyId,
    how: &RotateApiKey,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let (reply, changed) = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => (reply, None),
        Begun::Fresh(mut change) => {
            let rotated =
                rotation::rotate(&mut change.tx, granted, &changes.notary, &changes.entropy, key, how).await?;
            let (created, recorded) = rotated.ok_or_else(|| Problem::new(Code::NotFound))?;
            let changed = change.tx.xid().await?;
            let reply = Reply::created(location(granted.workspace(), &created), &created)?;
            (change.commit(recorded, reply).await?, Some(changed))
        }
    };
    // Its old half ends with the overlap, on every node.
    changes.feed.barrier(changed).await?;
    Ok(reply)
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
        Begun::Fresh(mut change) => match ops::revoke(&mut change.tx, &changes.notary, &changes.entropy, key).await? {
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

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NoScope => Self::field("/scopes", "empty", "Choose at least one scope."),
            ChangeError::AlreadyExpired => {
                Self::field("/expires_at", "in_the_past", "Choose a time in the future, or none.")
            }
            ChangeError::UnknownProject => {
                Self::field("/project_id", "unknown", "This environment has no such project.")
            }
            ChangeError::BeyondMaker => Self::new(Code::BeyondOwnAuthority),
            ChangeError::StepUpRequired => Self::new(Code::StepUpRequired),
            ChangeError::NotActive => Self::new(Code::KeyNotActive),
            ChangeError::AlreadyRotated(successor) => {
                Self::new(Code::KeyAlreadyRotated).member("successor_id", json!(successor.to_string()))
            }
            ChangeError::Nothing => Self::field("", "empty", "Name something that is to be changed."),
            ChangeError::OverlapTooLong => {
                Self::field("/overlap_seconds", "too_long", "Choose 2592000 seconds (30 days) or less.")
            }
            ChangeError::OverlapTooShort => Self::field(
                "/overlap_seconds",
                "too_short",
                "A key that rotates itself goes on for 60 seconds or more, to ask again if the answer is lost.",
            ),
            ChangeError::Denied(denied) => denied.into(),
            ChangeError::Db(error) => error.into(),
        }
    }
}
