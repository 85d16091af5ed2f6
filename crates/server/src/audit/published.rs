//! What everybody may fetch of a workspace's logs who knows its id: the keys, and the daily roots; and the keys of the cell's own log.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::jose::{Jwk, Jwks};
use serde::Serialize;
use utoipa::ToSchema;

use super::ops::ReadError;
use crate::http::{Code, Json, ListQuery, Page, Problem, Query};
use crate::ledger::{self, DailyRoot, Ledger};

/// Tells this list's cursors from others'.
const LIST: u8 = 10;

/// A key set with one member more, which programs that do not know it pass over (RFC 7517 section 5).
#[derive(Serialize)]
struct KeySet {
    #[serde(flatten)]
    keys: Jwks,
    /// The newest daily root of each log, by each key that signed it.
    audit_roots: Vec<String>,
}

/// The root of a log's tree on one day.
#[derive(Serialize, ToSchema)]
pub struct AuditRoot {
    /// The day, UTC, by the server's clock.
    #[schema(value_type = String, format = Date)]
    day: String,
    /// Of which log.
    #[schema(value_type = String)]
    environment: Environment,
    /// The log's generation.
    generation: u32,
    /// Entries that the root covers.
    size: u64,
    /// The key that signed, as the key set names it.
    kid: String,
    /// The checkpoint's text as a compact JWS.
    jws: String,
}

impl From<DailyRoot> for AuditRoot {
    fn from(root: DailyRoot) -> Self {
        let DailyRoot { day, environment, generation, kid, size, jws, .. } = root;
        Self { day: day.to_string(), environment, generation, size, kid, jws }
    }
}

/// The keys that sign a workspace's logs, for everybody: a JWK set whose members have a `vkey` besides, with the newest
/// daily roots.
///
/// # Errors
/// `not_found` for a workspace without logs.
pub async fn keys(State(ledger): State<Ledger>, Path(workspace): Path<String>) -> Result<Response, Problem> {
    let (workspace, keys) = known(&ledger, &workspace).await?;
    let mut roots = ledger::newest_daily_roots(&ledger, workspace).await.map_err(ReadError::from)?;
    roots.retain(|root| root.holds(&ledger, workspace, &keys));
    Ok(key_set(KeySet { keys: Jwks { keys }, audit_roots: roots.into_iter().map(|root| root.jws).collect() }))
}

/// The keys that sign the cell's own log, for everybody.
///
/// # Errors
/// Those of the database and the vault.
pub async fn cell_keys(State(ledger): State<Ledger>) -> Result<Response, Problem> {
    Ok(key_set(ledger::published_keys_of_cell(&ledger).await.map_err(ReadError::from)?))
}

/// The cell's newest checkpoint that witnesses have cosigned, with their lines, for everybody: one that the operator's policy is content
/// with, if there is one. Without witnesses, the newest.
///
/// # Errors
/// Those of the database, the vault and the anchor store.
pub async fn cell_checkpoint(State(ledger): State<Ledger>) -> Result<Response, Problem> {
    let signed = ledger::cell_checkpoint(&ledger).await.map_err(ReadError::from)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], signed.note).into_response())
}

fn key_set(set: impl Serialize) -> Response {
    let mut response = Json(set).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    response
}

/// The daily roots of a workspace's logs, for everybody, the newest first.
///
/// # Errors
/// `not_found` for a workspace without logs; `invalid_parameter`, `invalid_cursor`.
pub async fn roots(
    State(ledger): State<Ledger>,
    Path(workspace): Path<String>,
    Query(list): Query<ListQuery>,
) -> Result<Json<Page<AuditRoot>>, Problem> {
    let (limit, after) = (list.limit()?, list.after(LIST)?);
    let (workspace, keys) = known(&ledger, &workspace).await?;
    let roots = ledger::daily_roots(&ledger, workspace, after, limit).await.map_err(ReadError::from)?;
    let mut page = Page::cut(roots, limit, LIST, |root| root.id);
    page.data.retain(|root| root.holds(&ledger, workspace, &keys));
    Ok(Json(page.map(AuditRoot::from)))
}

/// The workspace, and the keys of its logs that open.
async fn known(ledger: &Ledger, workspace: &str) -> Result<(WorkspaceId, Vec<Jwk>), Problem> {
    let workspace: WorkspaceId = workspace.parse().map_err(|_| Problem::new(Code::NotFound))?;
    let keys = ledger::published_keys(ledger, workspace).await.map_err(ReadError::from)?.keys;
    if keys.is_empty() { Err(Problem::new(Code::NotFound)) } else { Ok((workspace, keys)) }
}
