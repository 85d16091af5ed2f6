//! `/v1/workspaces/{workspace}/audit/filters`.

use axum::extract::State;
use bailiwick_proof::id::FilterId;

use super::MOST;
use super::model::{SaveFilter, SavedFilter, SavedFilters};
use super::ops::{self, SaveError};
use super::sql;
use crate::authz::{Denied, Granted, Permission, may};
use crate::db::{Authority as _, ProjectWall};
use crate::http::{Begun, Change, Changes, Code, Idempotency, Json, Mutation, Nothing, PathId, Problem, Reply};
use crate::ledger::Ledger;

/// Saves a filter.
///
/// # Errors
/// `forbidden`, `name_taken`, `invalid_body`, and those of every change.
pub async fn save(
    granted: Granted<may::ReadAudit>,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    request: Mutation<SaveFilter>,
) -> Result<Reply, Problem> {
    add(&granted, &changes, &ledger, &request.body, request.idempotency).await
}

/// Saves a filter once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`save`].
pub(super) async fn add(
    granted: &Granted<may::ReadAudit>,
    changes: &Changes,
    ledger: &Ledger,
    new: &SaveFilter,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    if new.is_empty() {
        return Err(Problem::field("/", "empty", "A filter narrows the log to something.".to_owned()));
    }
    if new.shared && granted.project() != ProjectWall::Unconfined {
        return Err(Denied::Forbidden(Permission::ShareFilters).into());
    }
    let named = ops::name(ledger, granted.workspace(), new).await?;
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    if new.shared {
        may_share(granted, changes, &mut change).await?;
    }
    let (saved, recorded) = ops::save(&mut change.tx, &changes.vault, &changes.entropy, new, &named).await?;
    let reply = Reply::created(format!("/v1/workspaces/{}/audit/filters", granted.workspace()), &saved)?;
    change.commit(recorded, reply).await
}

/// The filters that the caller has.
///
/// # Errors
/// Those of every read.
pub async fn list(
    granted: Granted<may::ReadAudit>,
    State(changes): State<Changes>,
) -> Result<Json<SavedFilters>, Problem> {
    Ok(Json(SavedFilters { filters: all(&granted, &changes).await? }))
}

/// The filters that the caller has; for the API and the console.
///
/// # Errors
/// As [`list`].
pub(in crate::audit) async fn all(
    granted: &Granted<may::ReadAudit>,
    changes: &Changes,
) -> Result<Vec<SavedFilter>, Problem> {
    let mut tx = changes.db.workspace_tx(granted).await?;
    let rows = sql::of(&mut tx, &granted.actor(), None).await?;
    tx.finish_reading().await?;
    let mut filters = Vec::with_capacity(rows.len());
    for row in rows {
        filters.push(ops::open(&changes.vault, granted.workspace(), row).await?);
    }
    Ok(filters)
}

/// Deletes a filter.
///
/// # Errors
/// `not_found`, `forbidden`, and those of every change.
pub async fn delete(
    granted: Granted<may::ReadAudit>,
    State(changes): State<Changes>,
    PathId(filter): PathId<FilterId>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    remove(&granted, &changes, filter, request.idempotency).await
}

/// Deletes a filter once; for the API and the console.
///
/// # Errors
/// As [`delete`].
pub(super) async fn remove(
    granted: &Granted<may::ReadAudit>,
    changes: &Changes,
    filter: FilterId,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let found = sql::of(&mut change.tx, &granted.actor(), Some(filter)).await?;
    let row = found.into_iter().next().ok_or_else(|| Problem::new(Code::NotFound))?;
    if row.owner.is_none() {
        may_share(granted, changes, &mut change).await?;
    }
    let deleted = ops::delete(&mut change.tx, &changes.entropy, &row).await?;
    let recorded = deleted.ok_or_else(|| Problem::new(Code::NotFound))?;
    change.commit(recorded, Reply::no_content()).await
}

/// What is everybody's takes more than reading, asked in the transaction that changes it.
async fn may_share(granted: &Granted<may::ReadAudit>, changes: &Changes, change: &mut Change) -> Result<(), Problem> {
    let (permissions, _) = granted.ceiling(&mut change.tx, &changes.notary).await?;
    if permissions.contains(Permission::ShareFilters) {
        Ok(())
    } else {
        Err(Denied::Forbidden(Permission::ShareFilters).into())
    }
}

impl From<SaveError> for Problem {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::NameTaken => Self::new(Code::NameTaken).detail("There is a filter of this name."),
            SaveError::TooMany => {
                Self::field("/", "too_many", format!("There are {MOST} filters, as many as can be; delete one."))
            }
            SaveError::Vault(error) => error.into(),
            SaveError::Ledger(error) => error.into(),
            SaveError::Db(error) => error.into(),
        }
    }
}
