//! `/v1/workspaces/{workspace}/erasures`.

use axum::extract::State;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::ErasureId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::model::{Erasure, ErasureAnswer, RequestErasure};
use super::request::RequestError;
use super::{EraseError, Eraser, sql};
use crate::authz::{Granted, may};
use crate::db::{Authority as _, Db};
use crate::http::{Begun, Changes, Code, Idempotency, Json, ListQuery, Mutation, Page, PathId, Problem, Query, Reply};
use crate::jobs::Queue;

/// Tells this list's cursors from others'.
const LIST: u8 = 9;

/// `?limit=&cursor=`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureQuery {
    /// See [`ListQuery`].
    pub limit: Option<u16>,
    /// See [`ListQuery`].
    pub cursor: Option<String>,
}

/// Asks for an erasure, or what one would reach.
///
/// # Errors
/// `not_found`, `step_up_required`, `environment_mismatch`, `erasure_under_way`, `subject_misplaced`, `legal_hold`,
/// `retention_altered`, `invalid_body`.
pub async fn request(
    granted: Granted<may::EraseSubject>,
    State(changes): State<Changes>,
    State(eraser): State<Eraser>,
    State(queue): State<Queue>,
    request: Mutation<RequestErasure>,
) -> Result<Reply, Problem> {
    ask(&granted, &changes, &eraser, &queue, &request.body, request.idempotency).await
}

/// Asks once, however often it is sent under one key; for the API and the console.
///
/// # Errors
/// As [`request`].
pub async fn ask(
    granted: &Granted<may::EraseSubject>,
    changes: &Changes,
    eraser: &Eraser,
    queue: &Queue,
    wanted: &RequestErasure,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    refuse_early(granted, wanted)?;
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let name = wanted.subject.as_str();
    let found = eraser.found(granted.workspace(), name).await?;
    if wanted.dry_run {
        return Reply::ok(&ErasureAnswer { fields: found.fields, erasure: None, subject_opening: None });
    }
    let (erasure, r, recorded) = eraser.request(&mut change.tx, queue, name, &found).await?;
    let opening = Some(STANDARD.encode(r));
    let reply = Reply::ok(&ErasureAnswer { fields: found.fields, erasure: Some(erasure), subject_opening: opening })?;
    change.commit(recorded, reply).await
}

/// What needs no look.
fn refuse_early(granted: &Granted<may::EraseSubject>, wanted: &RequestErasure) -> Result<(), Problem> {
    if granted.environment() != Environment::Live {
        let why = "An erasure reaches both environments: ask for it in live.";
        return Err(Problem::new(Code::EnvironmentMismatch).detail(why));
    }
    if !granted.is_stepped_up() {
        return Err(Problem::new(Code::StepUpRequired));
    }
    if !wanted.dry_run && wanted.confirm.as_deref() != Some(wanted.subject.as_str()) {
        let why = "Repeat the subject here, exactly: there is no way back.";
        return Err(Problem::field("/confirm", "not_the_subject", why));
    }
    Ok(())
}

/// One erasure: how far it is, and its certificate.
///
/// # Errors
/// `not_found`.
pub async fn get(
    granted: Granted<may::ReadErasures>,
    State(db): State<Db>,
    PathId(erasure): PathId<ErasureId>,
) -> Result<Json<Erasure>, Problem> {
    find(&granted, &db, erasure).await.map(Json)
}

/// One erasure; for the API and the console.
///
/// # Errors
/// As [`get`].
pub async fn find(granted: &Granted<may::ReadErasures>, db: &Db, erasure: ErasureId) -> Result<Erasure, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let found = sql::get(&mut tx, erasure).await?;
    tx.finish_reading().await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Erasures, the newest first.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadErasures>,
    State(db): State<Db>,
    Query(query): Query<ErasureQuery>,
) -> Result<Json<Page<Erasure>>, Problem> {
    page(&granted, &db, query).await.map(Json)
}

/// A page of erasures; for the API and the console.
///
/// # Errors
/// As [`list`].
pub async fn page(
    granted: &Granted<may::ReadErasures>,
    db: &Db,
    ErasureQuery { limit, cursor }: ErasureQuery,
) -> Result<Page<Erasure>, Problem> {
    let list = ListQuery::new(limit, cursor);
    let (limit, after) = (list.limit()?, list.after(LIST)?);
    let mut tx = db.workspace_tx(granted).await?;
    let rows = sql::list(&mut tx, after, limit).await?;
    tx.finish_reading().await?;
    Ok(Page::cut(rows, limit, LIST, |row| row.id.uuid()))
}

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::NoSuchSubject | EraseError::NoSuchWorkspace => Self::new(Code::NotFound),
            EraseError::NothingFound => Self::new(Code::SubjectMisplaced),
            EraseError::Held(held) => held.into(),
            EraseError::Ledger(error) => error.into(),
            EraseError::Vault(error) => error.into(),
            EraseError::Db(error) => error.into(),
        }
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::UnderWay(erasure) => {
                Self::new(Code::ErasureUnderWay).member("erasure_id", json!(erasure.map(|id| id.to_string())))
            }
            RequestError::Erase(error) => error.into(),
            RequestError::Vault(error) => error.into(),
            RequestError::Enqueue(error) => error.into(),
            RequestError::Db(error) => error.into(),
        }
    }
}
