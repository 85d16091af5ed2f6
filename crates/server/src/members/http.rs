//! `/v1/workspaces/{workspace}/members`.

use axum::extract::State;

use super::{Member, sql};
use crate::authz::{Granted, may};
use crate::db::Db;
use crate::http::{Json, ListQuery, Page, Problem, Query};

/// Tells this list's cursors from others'.
const LIST: u8 = 2;

/// The members.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadMembers>,
    State(db): State<Db>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Member>>, Problem> {
    let (limit, after) = (query.limit()?, query.after(LIST)?);
    let mut tx = db.workspace_tx(&granted).await?;
    let rows = sql::list(&mut tx, after, limit).await?;
    tx.finish_reading().await?;
    Ok(Json(Page::cut(rows, limit, LIST, |row| row.user_id.uuid())))
}
