//! `/v1/workspaces/{workspace}/secrets`.

use axum::extract::State;
use bailiwick_proof::id::{SecretId, WorkspaceId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::kind::Kind;
use super::model::{AddVersion, CreateSecret, RevealSecret, RevealedSecret, Secret, SecretAccess, SecretDetail};
use super::ops::{self, ChangeError};
use super::reveal::{self, MOST_LEASE_SECONDS, RevealError};
use super::sql::{self, SecretFilter};
use super::value::MAX_VALUE_BYTES;
use crate::audit::{self, AuditEvent, EventQuery};
use crate::authz::{Granted, may};
use crate::db::{Authority as _, Db};
use crate::http::{
    Begun, Changes, Code, Idempotency, Json, ListQuery, Mutation, Nothing, Page, PathId, Problem, Query, Reply,
};
use crate::jobs::Queue;
use crate::ledger::{Action, Ledger};

/// Tells this list's cursors from others'.
const LIST: u8 = 6;
/// The largest body with a value: a byte of it may be written in six of JSON, and in three of a form.
pub const BODY_BYTES: usize = 6 * MAX_VALUE_BYTES + 4_096;

/// `?limit=&cursor=&kind=&name=`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretQuery {
    limit: Option<u16>,
    cursor: Option<String>,
    kind: Option<Kind>,
    name: Option<String>,
}

/// `?limit=&cursor=`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessQuery {
    /// See [`ListQuery`].
    pub limit: Option<u16>,
    /// See [`ListQuery`].
    pub cursor: Option<String>,
}

/// Takes a secret in. The answer, which is kept for a retry, has no value.
///
/// # Errors
/// `name_taken`, `invalid_body`, and those of every change.
pub async fn create(
    granted: Granted<may::CreateSecret>,
    State(changes): State<Changes>,
    request: Mutation<CreateSecret>,
) -> Result<Reply, Problem> {
    make(&granted, &changes, &request.body, request.idempotency).await
}

/// Takes a secret in once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`create`].
pub async fn make(
    granted: &Granted<may::CreateSecret>,
    changes: &Changes,
    new: &CreateSecret,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let made = ops::create(&mut change.tx, granted.principal(), &changes.vault, &changes.entropy, new).await;
    let (secret, recorded) = made?;
    let reply = Reply::created(location(granted.workspace(), secret.id), &secret)?;
    change.commit(recorded, reply).await
}

fn location(workspace: WorkspaceId, secret: SecretId) -> String {
    format!("/v1/workspaces/{workspace}/secrets/{secret}")
}

/// The environment's secrets, from the newest.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadSecrets>,
    State(db): State<Db>,
    Query(query): Query<SecretQuery>,
) -> Result<Json<Page<Secret>>, Problem> {
    page(&granted, &db, query).await.map(Json)
}

/// A page of secrets; for the API and the console.
///
/// # Errors
/// As [`list`].
pub async fn page(granted: &Granted<may::ReadSecrets>, db: &Db, query: SecretQuery) -> Result<Page<Secret>, Problem> {
    let SecretQuery { limit, cursor, kind, name } = query;
    if name.as_ref().is_some_and(|name| name.contains('\0')) {
        return Err(Problem::new(Code::InvalidParameter).detail("A name holds no null character."));
    }
    let list = ListQuery::new(limit, cursor);
    let (limit, after) = (list.limit()?, list.after(LIST)?);
    let mut tx = db.workspace_tx(granted).await?;
    let rows = sql::list(&mut tx, after, limit, &SecretFilter { kind, name }).await?;
    tx.finish_reading().await?;
    Ok(Page::cut(rows, limit, LIST, |row| row.id.uuid()))
}

/// One secret with its versions.
///
/// # Errors
/// `not_found`.
pub async fn get(
    granted: Granted<may::ReadSecrets>,
    State(db): State<Db>,
    PathId(secret): PathId<SecretId>,
) -> Result<Json<SecretDetail>, Problem> {
    find(&granted, &db, secret).await.map(Json)
}

/// One secret with its versions; for the API and the console.
///
/// # Errors
/// `not_found`.
pub async fn find<P>(granted: &Granted<P>, db: &Db, secret: SecretId) -> Result<SecretDetail, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let found = ops::detail(&mut tx, secret).await?;
    tx.finish_reading().await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Gives a secret another value.
///
/// # Errors
/// `not_found`, `invalid_body`, and those of every change.
pub async fn add_version(
    granted: Granted<may::UpdateSecret>,
    State(changes): State<Changes>,
    PathId(secret): PathId<SecretId>,
    request: Mutation<AddVersion>,
) -> Result<Reply, Problem> {
    renew(&granted, &changes, secret, &request.body, request.idempotency).await
}

/// Gives a secret another value once; for the API and the console.
///
/// # Errors
/// As [`add_version`].
pub async fn renew(
    granted: &Granted<may::UpdateSecret>,
    changes: &Changes,
    secret: SecretId,
    new: &AddVersion,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let (by, Changes { vault, entropy, .. }) = (granted.principal(), changes);
    let added = ops::add_version(&mut change.tx, by, vault, entropy, secret, &new.value).await?;
    let (detail, recorded) = added.ok_or_else(|| Problem::new(Code::NotFound))?;
    let reply = Reply::created(location(granted.workspace(), secret), &detail)?;
    change.commit(recorded, reply).await
}

/// Shows the value of a secret, after an entry about it was committed.
///
/// # Errors
/// `step_up_required`, `not_found`, `secret_version_gone`, `secret_damaged`, `invalid_body`.
pub async fn reveal(
    granted: Granted<may::RevealSecret>,
    State(changes): State<Changes>,
    PathId(secret): PathId<SecretId>,
    Json(how): Json<RevealSecret>,
) -> Result<Json<RevealedSecret>, Problem> {
    open(granted, &changes, secret, how).await.map(Json)
}

/// The value of a secret; for the API and the console.
///
/// # Errors
/// As [`reveal`].
pub async fn open(
    granted: Granted<may::RevealSecret>,
    changes: &Changes,
    secret: SecretId,
    how: RevealSecret,
) -> Result<RevealedSecret, Problem> {
    let changes = changes.clone();
    // In a task of its own: whoever hangs up the moment they have asked is recorded all the same.
    let task = tokio::spawn(async move { reveal::reveal(&granted, &changes, secret, how).await });
    Ok(task.await.map_err(|error| Problem::internal("reveal", &error))??)
}

/// Who read a secret, the newest reading first.
///
/// # Errors
/// `not_found`, `invalid_parameter`, `invalid_cursor`.
pub async fn accesses(
    granted: Granted<may::ReadAudit>,
    State(db): State<Db>,
    State(ledger): State<Ledger>,
    PathId(secret): PathId<SecretId>,
    Query(query): Query<AccessQuery>,
) -> Result<Json<Page<SecretAccess>>, Problem> {
    readings(&granted, &db, &ledger, secret, query).await.map(|(_, page)| Json(page))
}

/// The secret, and a page of who read it; for the API and the console.
///
/// # Errors
/// As [`accesses`].
pub async fn readings(
    granted: &Granted<may::ReadAudit>,
    db: &Db,
    ledger: &Ledger,
    secret: SecretId,
    AccessQuery { limit, cursor }: AccessQuery,
) -> Result<(Secret, Page<SecretAccess>), Problem> {
    let found = find(granted, db, secret).await?.secret;
    let query = EventQuery {
        limit,
        cursor,
        action: Some(Action::SecretRevealed.as_str().to_owned()),
        target: Some(secret.to_string()),
        ..EventQuery::default()
    };
    let Page { data, next_cursor } = audit::events(granted, db, ledger, query).await?;
    Ok((found, Page { data: data.into_iter().map(reading).collect(), next_cursor }))
}

fn reading(event: AuditEvent) -> SecretAccess {
    let told = |what: &str| event.meta.as_ref().and_then(|meta| meta.get(what)).and_then(Value::as_u64);
    SecretAccess {
        event_id: event.id,
        version: told("version"),
        lease_seconds: told("lease_seconds"),
        read_by: event.actor,
        client_ip: event.client_ip,
        read_at: event.recorded_at,
    }
}

/// Deletes a secret with all its versions.
///
/// # Errors
/// `not_found`.
pub async fn delete(
    granted: Granted<may::DeleteSecret>,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
    PathId(secret): PathId<SecretId>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    remove(&granted, &changes, &queue, secret, request.idempotency).await
}

/// Deletes a secret once; for the API and the console.
///
/// # Errors
/// As [`delete`].
pub async fn remove(
    granted: &Granted<may::DeleteSecret>,
    changes: &Changes,
    queue: &Queue,
    secret: SecretId,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let deleted = ops::delete(&mut change.tx, (queue, &changes.entropy), secret).await?;
    let recorded = deleted.ok_or_else(|| Problem::new(Code::NotFound))?;
    change.commit(recorded, Reply::no_content()).await
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Shape(kind) => Self::field("/value", "shape", kind.shape()),
            ChangeError::NameTaken => Self::new(Code::NameTaken),
            ChangeError::UnknownProject => {
                Self::field("/project_id", "unknown", "This environment has no such project.")
            }
            ChangeError::TooManyVersions => Self::field(
                "/value",
                "too_many_versions",
                "As many versions as can be have a value; rotate the secret, which revokes the older ones.",
            ),
            ChangeError::Vault(error) => error.into(),
            ChangeError::Db(error) => error.into(),
        }
    }
}

impl From<RevealError> for Problem {
    fn from(error: RevealError) -> Self {
        match error {
            RevealError::StepUpRequired => Self::new(Code::StepUpRequired),
            RevealError::Lease => Self::field(
                "/lease_seconds",
                "out_of_range",
                format!("Choose 1 to {MOST_LEASE_SECONDS} seconds; ask again for longer."),
            ),
            RevealError::NotFound => Self::new(Code::NotFound),
            RevealError::Revoked(version) => Self::new(Code::SecretVersionGone).member("version", json!(version)),
            RevealError::Damaged(_alerted) => Self::new(Code::SecretDamaged),
            RevealError::Vault(error) => error.into(),
            RevealError::Db(error) => error.into(),
        }
    }
}
