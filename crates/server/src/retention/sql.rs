//! Settings, holds, and what would go.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{Id, LegalHoldId, WorkspaceId};
use bailiwick_proof::log::Log;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{LegalHold, State};
use crate::db::{DbError, Lock, SystemTx, WorkspaceTx};

/// A row with its MAC.
pub(super) type Standing = (State, Vec<u8>);

struct Row {
    workspace_id: Uuid,
    environment: String,
    version: i64,
    days: Option<i32>,
    next_days: Option<i32>,
    effective_at: Option<OffsetDateTime>,
    mac: Vec<u8>,
    holds: Vec<Uuid>,
}

impl Row {
    fn read(self) -> Option<Standing> {
        let state = State {
            workspace: Id::from_uuid(self.workspace_id),
            environment: self.environment.parse().ok()?,
            version: self.version,
            days: self.days,
            next_days: self.next_days,
            effective_at: self.effective_at,
            holds: self.holds,
        };
        Some((state, self.mac))
    }
}

/// What opens holds of a workspace, and what erases, come one after the other until the transaction ends: a hold that was answered keeps
/// whatever is erased after it, and none is answered amid an erasure. Erasures do not wait for each other.
pub(super) async fn lock_holds(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    erases: bool,
) -> Result<(), DbError> {
    let lock = Lock::Holds(workspace);
    if erases { lock.share(connection).await } else { lock.take(connection).await }
}

/// Makes sure that the log at hand has a row; whether it was made now, and nobody vouches for it yet.
pub(super) async fn ensure(tx: &mut WorkspaceTx, now: OffsetDateTime) -> Result<bool, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let done = sqlx::query!(
        "INSERT INTO ledger_retention (workspace_id, environment, version, changed_at) VALUES ($1, $2, 1, $3)
         ON CONFLICT DO NOTHING",
        workspace,
        environment,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps everybody else from changing the row until the transaction ends.
pub(super) async fn lock(tx: &mut WorkspaceTx) -> Result<(), DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    sqlx::query!(
        "SELECT version FROM ledger_retention WHERE workspace_id = $1 AND environment = $2 FOR UPDATE",
        workspace,
        environment
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(())
}

/// The row of the log at hand.
pub(super) async fn standing(tx: &mut WorkspaceTx) -> Result<Option<Standing>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query_as!(
        Row,
        r#"SELECT r.workspace_id, r.environment, r.version, r.days, r.next_days, r.effective_at, r.mac,
             ARRAY(SELECT h.id FROM legal_holds h WHERE h.workspace_id = $1 AND h.environment = $2
                 AND h.released_at IS NULL ORDER BY h.id) AS "holds!"
         FROM ledger_retention r WHERE r.workspace_id = $1 AND r.environment = $2"#,
        workspace,
        environment
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.and_then(Row::read))
}

/// The database's own clock.
pub(super) async fn clock(tx: &mut WorkspaceTx) -> Result<OffsetDateTime, DbError> {
    Ok(sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(tx.connection()?).await?)
}

/// Writes down what was decided.
pub(super) async fn put(tx: &mut WorkspaceTx, state: &State, now: OffsetDateTime, mac: &[u8]) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE ledger_retention SET version = $3, days = $4, next_days = $5, effective_at = $6, changed_at = $7, mac = $8
         WHERE workspace_id = $1 AND environment = $2",
        state.workspace.uuid(),
        state.environment.as_str(),
        state.version,
        state.days,
        state.next_days,
        state.effective_at,
        now,
        mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

struct HoldRow {
    id: Uuid,
    reason: String,
    opened_by: String,
    opened_at: OffsetDateTime,
    released_by: Option<String>,
    released_at: Option<OffsetDateTime>,
}

impl From<HoldRow> for LegalHold {
    fn from(row: HoldRow) -> Self {
        let HoldRow { id, reason, opened_by, opened_at, released_by, released_at } = row;
        Self { id: Id::from_uuid(id), reason, opened_by, opened_at, released_by, released_at }
    }
}

pub(super) async fn insert_hold(tx: &mut WorkspaceTx, hold: &LegalHold) -> Result<(), DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    sqlx::query!(
        "INSERT INTO legal_holds (workspace_id, environment, id, reason, opened_by, opened_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        workspace,
        environment,
        hold.id.uuid(),
        hold.reason,
        hold.opened_by,
        hold.opened_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn release_hold(
    tx: &mut WorkspaceTx,
    hold: LegalHoldId,
    by: &str,
    at: OffsetDateTime,
) -> Result<(), DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    sqlx::query!(
        "UPDATE legal_holds SET released_by = $4, released_at = $5
         WHERE workspace_id = $1 AND environment = $2 AND id = $3 AND released_at IS NULL",
        workspace,
        environment,
        hold.uuid(),
        by,
        at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn hold(tx: &mut WorkspaceTx, hold: LegalHoldId) -> Result<Option<LegalHold>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query_as!(
        HoldRow,
        "SELECT id, reason, opened_by, opened_at, released_by, released_at FROM legal_holds
         WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment,
        hold.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(LegalHold::from))
}

/// Holds, the newest first, one more than `limit`.
pub(super) async fn holds(tx: &mut WorkspaceTx, after: Option<Uuid>, limit: u16) -> Result<Vec<LegalHold>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query_as!(
        HoldRow,
        "SELECT id, reason, opened_by, opened_at, released_by, released_at FROM legal_holds
         WHERE workspace_id = $1 AND environment = $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        workspace,
        environment,
        after,
        i64::from(limit) + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(LegalHold::from).collect())
}

/// The first entry from this one on that was not recorded before a moment, as its columns say; where the log ends if all were.
pub(super) async fn first_young(tx: &mut WorkspaceTx, from: u64, before: OffsetDateTime) -> Result<u64, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let seq = sqlx::query_scalar!(
        r#"SELECT coalesce(
             (SELECT e.seq FROM ledger_entries e WHERE e.workspace_id = $1 AND e.environment = $2
                 AND e.generation = h.generation AND e.seq >= $3 AND e.recorded_at >= $4 ORDER BY e.seq LIMIT 1),
             h.size) AS "seq!"
         FROM ledger_heads h WHERE h.workspace_id = $1 AND h.environment = $2"#,
        workspace,
        environment,
        i64::try_from(from).unwrap_or(i64::MAX),
        before
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(seq.and_then(|seq| u64::try_from(seq).ok()).unwrap_or_default())
}

/// The logs for which anything is decided.
pub(super) async fn logs(tx: &mut SystemTx) -> Result<Vec<Log>, DbError> {
    let rows =
        sqlx::query!("SELECT workspace_id, environment FROM ledger_retention ORDER BY workspace_id, environment")
            .fetch_all(tx.connection()?)
            .await?;
    let log = |workspace: Uuid, environment: &str| {
        Some(Log::Workspace { workspace: Id::from_uuid(workspace), environment: environment.parse().ok()? })
    };
    Ok(rows.into_iter().filter_map(|row| log(row.workspace_id, &row.environment)).collect())
}

/// The database's own clock.
pub(super) async fn database_clock(tx: &mut SystemTx) -> Result<OffsetDateTime, DbError> {
    Ok(sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(tx.connection()?).await?)
}

/// A log's row, which nobody changes until the transaction ends.
pub(super) async fn locked(
    tx: &mut SystemTx,
    workspace: WorkspaceId,
    environment: Environment,
) -> Result<Option<Standing>, DbError> {
    sqlx::query!(
        "SELECT version FROM ledger_retention WHERE workspace_id = $1 AND environment = $2 FOR NO KEY UPDATE",
        workspace.uuid(),
        environment.as_str()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let row = sqlx::query_as!(
        Row,
        r#"SELECT r.workspace_id, r.environment, r.version, r.days, r.next_days, r.effective_at, r.mac,
             ARRAY(SELECT h.id FROM legal_holds h WHERE h.workspace_id = $1 AND h.environment = $2
                 AND h.released_at IS NULL ORDER BY h.id) AS "holds!"
         FROM ledger_retention r WHERE r.workspace_id = $1 AND r.environment = $2"#,
        workspace.uuid(),
        environment.as_str()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.and_then(Row::read))
}

/// The rows of both logs of a workspace.
pub(super) async fn of_workspace(tx: &mut SystemTx, workspace: WorkspaceId) -> Result<Vec<Standing>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT r.workspace_id, r.environment, r.version, r.days, r.next_days, r.effective_at, r.mac,
             ARRAY(SELECT h.id FROM legal_holds h WHERE h.workspace_id = $1 AND h.environment = r.environment
                 AND h.released_at IS NULL ORDER BY h.id) AS "holds!"
         FROM ledger_retention r WHERE r.workspace_id = $1"#,
        workspace.uuid()
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().filter_map(Row::read).collect())
}

/// The open holds of both logs of a workspace, whatever their rows say.
pub(super) async fn open_of_workspace(tx: &mut SystemTx, workspace: WorkspaceId) -> Result<Vec<Uuid>, DbError> {
    let holds = sqlx::query_scalar!(
        "SELECT id FROM legal_holds WHERE workspace_id = $1 AND released_at IS NULL ORDER BY id",
        workspace.uuid()
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(holds)
}
