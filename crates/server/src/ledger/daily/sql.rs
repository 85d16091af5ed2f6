//! Daily roots as they are stored.

use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::log::Log;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::DailyRoot;
use crate::db::{DbError, SystemTx};
use crate::ledger::place::columns;
use crate::ledger::sign::Signed;

/// A root that is to be stored.
pub(super) struct NewRoot<'a> {
    pub(super) id: Uuid,
    pub(super) log: Log,
    pub(super) day: Date,
    pub(super) signed: &'a Signed,
    pub(super) kid: &'a str,
    pub(super) jws: &'a str,
}

struct Row {
    id: Uuid,
    environment: String,
    generation: i32,
    day: Date,
    size: i64,
    kid: String,
    jws: String,
}

impl Row {
    fn read(self) -> Option<DailyRoot> {
        Some(DailyRoot {
            id: self.id,
            day: self.day,
            environment: self.environment.parse().ok()?,
            generation: u32::try_from(self.generation).ok()?,
            kid: self.kid,
            size: u64::try_from(self.size).ok()?,
            jws: self.jws,
        })
    }
}

/// Workspaces' logs that have no root of this day, in the order of their places, those after `after`.
pub(super) async fn logs_without(
    tx: &mut SystemTx,
    day: Date,
    after: Option<&(Uuid, String)>,
    limit: i64,
) -> Result<Vec<(Uuid, String)>, DbError> {
    let (workspace, environment) = after.cloned().unwrap_or((Uuid::nil(), "test".to_owned()));
    let rows = sqlx::query!(
        "SELECT h.workspace_id, h.environment FROM ledger_heads h
         WHERE (h.workspace_id, h.environment) > ($2, $3)
           AND NOT EXISTS (SELECT FROM ledger_daily_roots r WHERE r.workspace_id = h.workspace_id
               AND r.environment = h.environment AND r.generation = h.generation AND r.day = $1)
         ORDER BY h.workspace_id, h.environment LIMIT $4",
        day,
        workspace,
        environment,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (row.workspace_id, row.environment)).collect())
}

/// Another node may have been quicker; its root stays.
pub(super) async fn insert(tx: &mut SystemTx, root: &NewRoot<'_>, now: OffsetDateTime) -> Result<(), DbError> {
    let (workspace, environment) = columns(root.log);
    sqlx::query!(
        "INSERT INTO ledger_daily_roots (workspace_id, id, environment, generation, day, size, kid, jws, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT ON CONSTRAINT ledger_daily_roots_once DO NOTHING",
        workspace,
        root.id,
        environment,
        i32::try_from(root.signed.generation).unwrap_or(i32::MAX),
        root.day,
        i64::try_from(root.signed.size).unwrap_or(-1),
        root.kid,
        root.jws,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

pub(super) async fn expire(tx: &mut SystemTx, before: OffsetDateTime) -> Result<(), DbError> {
    sqlx::query!("DELETE FROM ledger_daily_roots WHERE made_at < $1", before).execute(tx.connection()?).await?;
    Ok(())
}

/// Those of days after this one; answers how many they were.
pub(super) async fn withdraw(tx: &mut SystemTx, latest: Date) -> Result<u64, DbError> {
    let done = sqlx::query!("DELETE FROM ledger_daily_roots WHERE day > $1", latest).execute(tx.connection()?).await?;
    Ok(done.rows_affected())
}

/// One more than `limit`, to tell whether there are more.
pub(super) async fn list(
    tx: &mut SystemTx,
    workspace: WorkspaceId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DailyRoot>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, environment, generation, day, size, kid, jws FROM ledger_daily_roots
         WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2)
         ORDER BY id DESC LIMIT $3",
        workspace.uuid(),
        after,
        limit + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().filter_map(Row::read).collect())
}

/// Those of the last day of each log, the live log's first.
pub(super) async fn newest(tx: &mut SystemTx, workspace: WorkspaceId) -> Result<Vec<DailyRoot>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, environment, generation, day, size, kid, jws FROM ledger_daily_roots r
         WHERE workspace_id = $1 AND (generation, day) = (SELECT n.generation, n.day FROM ledger_daily_roots n
             WHERE n.workspace_id = $1 AND n.environment = r.environment
             ORDER BY n.generation DESC, n.day DESC LIMIT 1)
         ORDER BY environment, id DESC",
        workspace.uuid()
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().filter_map(Row::read).collect())
}
