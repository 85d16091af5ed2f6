//! Cuts, and what the entries below them say of rows.

use bailiwick_proof::id::Id;
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::Hash;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Cut;
use crate::db::DbError;
use crate::ledger::place::columns;

/// A cut and its MAC, as they stand there.
struct Row {
    generation: i32,
    pruned_to: i64,
    root: Vec<u8>,
    kept: Vec<u8>,
    newest_ms: i64,
    event_id: Uuid,
    cut_at: OffsetDateTime,
    mac: Vec<u8>,
}

impl Row {
    fn read(self) -> Option<(Cut, Vec<u8>)> {
        let cut = Cut {
            generation: u32::try_from(self.generation).ok()?,
            to: u64::try_from(self.pruned_to).ok()?,
            root: Hash::try_from(self.root.as_slice()).ok()?,
            kept: Hash::try_from(self.kept.as_slice()).ok()?,
            newest_ms: u64::try_from(self.newest_ms).ok()?,
            event: Id::from_uuid(self.event_id),
            at: self.cut_at,
        };
        Some((cut, self.mac))
    }
}

/// The first cut of the log that is not below this entry, with its MAC.
pub(super) async fn covering(
    connection: &mut PgConnection,
    log: Log,
    generation: u32,
    at_least: u64,
) -> Result<Option<(Cut, Vec<u8>)>, DbError> {
    let (workspace, environment) = columns(log);
    let row = sqlx::query_as!(
        Row,
        "SELECT generation, pruned_to, root, kept, newest_ms, event_id, cut_at, mac FROM ledger_cuts
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND pruned_to >= $4
         ORDER BY pruned_to LIMIT 1",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(-1),
        i64::try_from(at_least).unwrap_or(i64::MAX)
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(Row::read))
}

/// The log's newest cut with its MAC.
pub(super) async fn newest(connection: &mut PgConnection, log: Log) -> Result<Option<(Cut, Vec<u8>)>, DbError> {
    let (workspace, environment) = columns(log);
    let row = sqlx::query_as!(
        Row,
        "SELECT generation, pruned_to, root, kept, newest_ms, event_id, cut_at, mac FROM ledger_cuts
         WHERE workspace_id = $1 AND environment = $2 ORDER BY generation DESC, pruned_to DESC LIMIT 1",
        workspace,
        environment
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(Row::read))
}

/// What entries before `beyond` say of rows, from `first` on, by their numbers.
pub(in crate::ledger) async fn of_rows(
    connection: &mut PgConnection,
    log: Log,
    generation: u32,
    (first, beyond): (u64, u64),
) -> Result<Vec<(u64, Vec<u8>)>, DbError> {
    let (workspace, environment) = columns(log);
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let rows = sqlx::query!(
        r#"SELECT seq, rows AS "rows!" FROM ledger_openings
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND seq >= $4 AND seq < $5 AND rows IS NOT NULL
         ORDER BY seq"#,
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(-1),
        number(first),
        number(beyond)
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((u64::try_from(row.seq).ok()?, row.rows))).collect())
}

/// The first entry that is there, from this one on.
pub(in crate::ledger) async fn first_there(
    connection: &mut PgConnection,
    log: Log,
    generation: u32,
    first: u64,
) -> Result<Option<u64>, DbError> {
    let (workspace, environment) = columns(log);
    let seq = sqlx::query_scalar!(
        "SELECT seq FROM ledger_entries WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND seq >= $4
         ORDER BY seq LIMIT 1",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(-1),
        i64::try_from(first).unwrap_or(i64::MAX)
    )
    .fetch_optional(connection)
    .await?;
    Ok(seq.and_then(|seq| u64::try_from(seq).ok()))
}
