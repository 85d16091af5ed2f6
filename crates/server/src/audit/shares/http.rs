//! `/v1/workspaces/{workspace}/audit/events/{id}/shares` and `…/audit/shares`.

use axum::extract::State;
use bailiwick_proof::id::{EventId, ReceiptShareId};
use serde::Deserialize;

use super::model::{CreatedReceiptShare, DAYS, ReceiptShare, ShareReceipt};
use super::ops::{self, ShareError};
use super::sql;
use crate::audit::ops as log;
use crate::authz::may::Needs;
use crate::authz::{Granted, may};
use crate::config::PublicUrl;
use crate::db::{Authority as _, Db};
use crate::http::{
    Begun, Changes, Code, Idempotency, Json, ListQuery, Mutation, Nothing, Page, PathId, Problem, Query, Reply,
};
use crate::ledger::Ledger;

/// Tells this list's cursors from others'.
const LIST: u8 = 22;

/// `?limit=&cursor=&event=`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareQuery {
    /// See [`ListQuery`].
    pub limit: Option<u16>,
    /// See [`ListQuery`].
    pub cursor: Option<String>,
    /// Links to this entry alone.
    pub event: Option<EventId>,
}

/// Makes a link that shows an entry's receipt to whoever has it; shows it once.
///
/// # Errors
/// `not_found`, `invalid_body`, and those of every change.
pub async fn create(
    granted: Granted<may::ShareReceipt>,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    State(public_url): State<PublicUrl>,
    PathId(event): PathId<EventId>,
    request: Mutation<ShareReceipt>,
) -> Result<Reply, Problem> {
    share(&granted, (&changes, &ledger, &public_url), event, &request.body, request.idempotency).await
}

/// Makes a link once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`create`].
pub async fn share(
    granted: &Granted<may::ShareReceipt>,
    (changes, ledger, public_url): (&Changes, &Ledger, &PublicUrl),
    event: EventId,
    wanted: &ShareReceipt,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    log::settle_if_possible(ledger, log::log_of(granted)).await?;
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let made = ops::share(&mut change.tx, &changes.notary, &changes.entropy, event, wanted).await;
    let (share, token, recorded) = made?;
    let location = format!("/v1/workspaces/{}/audit/shares?event={event}", granted.workspace());
    let reply = Reply::created(location, &CreatedReceiptShare { share, url: token.url(public_url) })?;
    change.commit(recorded, reply).await
}

/// Links, the newest first.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadAudit>,
    State(db): State<Db>,
    Query(query): Query<ShareQuery>,
) -> Result<Json<Page<ReceiptShare>>, Problem> {
    page(&granted, &db, query).await.map(Json)
}

/// A page of links; for the API and the console.
///
/// # Errors
/// As [`list`].
pub async fn page<P: Needs>(
    granted: &Granted<P>,
    db: &Db,
    ShareQuery { limit, cursor, event }: ShareQuery,
) -> Result<Page<ReceiptShare>, Problem> {
    let list = ListQuery::new(limit, cursor);
    let (limit, after) = (list.limit()?, list.after(LIST)?);
    let mut tx = db.workspace_tx(granted).await?;
    let rows = sql::list(&mut tx, event, after, limit).await?;
    tx.finish_reading().await?;
    Ok(Page::cut(rows, limit, LIST, |row| row.id.uuid()))
}

/// One link; for the console.
///
/// # Errors
/// `not_found`.
pub async fn find<P: Needs>(granted: &Granted<P>, db: &Db, share: ReceiptShareId) -> Result<ReceiptShare, Problem> {
    let mut tx = db.workspace_tx(granted).await?;
    let found = sql::get(&mut tx, share).await?;
    tx.finish_reading().await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Revokes a link: from the answer on it shows nothing.
///
/// # Errors
/// `not_found`, and those of every change.
pub async fn revoke(
    granted: Granted<may::ShareReceipt>,
    State(changes): State<Changes>,
    PathId(share): PathId<ReceiptShareId>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    end(&granted, &changes, share, request.idempotency).await
}

/// Revokes a link once; for the API and the console.
///
/// # Errors
/// As [`revoke`].
pub async fn end(
    granted: &Granted<may::ShareReceipt>,
    changes: &Changes,
    share: ReceiptShareId,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let revoked = ops::revoke(&mut change.tx, &changes.notary, &changes.entropy, share).await?;
    let recorded = revoked.ok_or_else(|| Problem::new(Code::NotFound))?;
    change.commit(recorded, Reply::no_content()).await
}

impl From<ShareError> for Problem {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::NotFound => Self::new(Code::NotFound),
            ShareError::Days => {
                let (least, most) = (DAYS.start(), DAYS.end());
                Self::field("/days", "out_of_range", format!("A link works for {least} to {most} days."))
            }
            ShareError::Db(error) => error.into(),
        }
    }
}
