//! Published checkpoints, and where a log ends.

use bailiwick_proof::log::Log;
use uuid::Uuid;

use crate::db::{DbError, WorkspaceTx};
use crate::ledger::place::columns;
use crate::ledger::reader::LogTx;

pub(super) async fn checkpoint(tx: &mut LogTx<'_>, generation: u32, size: u64) -> Result<Option<String>, DbError> {
    let (workspace, environment) = columns(tx.log());
    let note = sqlx::query_scalar!(
        "SELECT note FROM ledger_checkpoints
         WHERE workspace_id = $1 AND environment = $2 AND generation = $3 AND size = $4",
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        i64::try_from(size).unwrap_or(-1)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(note)
}

/// Where a log ends.
pub(super) struct Ends {
    pub(super) generation: u32,
    /// What the head or the newest stored checkpoint counts, whichever is more.
    pub(super) size: u64,
    /// What the rows come to.
    pub(super) rows: u64,
}

/// How long the log should be, and how long it is. A log that has lost its head is that of its newest checkpoint.
pub(super) async fn ends(tx: &mut WorkspaceTx, log: Log) -> Result<Ends, DbError> {
    let (workspace, environment) = columns(log);
    let row = sqlx::query!(
        r#"WITH newest AS (
             SELECT c.generation, c.size FROM ledger_checkpoints c WHERE c.workspace_id = $1 AND c.environment = $2
             ORDER BY c.generation DESC, c.size DESC LIMIT 1
         ), head AS (
             SELECT h.generation, h.size FROM ledger_heads h WHERE h.workspace_id = $1 AND h.environment = $2
         ), log AS (
             SELECT coalesce((SELECT generation FROM head), (SELECT generation FROM newest), 1) AS generation
         )
         SELECT log.generation AS "generation!",
             greatest((SELECT size FROM head), (SELECT n.size FROM newest n WHERE n.generation = log.generation), 0) AS "size!",
             coalesce((SELECT e.seq + 1 FROM ledger_entries e WHERE e.workspace_id = $1 AND e.environment = $2
                 AND e.generation = log.generation ORDER BY e.seq DESC LIMIT 1), 0) AS "rows!"
         FROM log"#,
        workspace,
        environment
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(Ends {
        generation: u32::try_from(row.generation).unwrap_or(1),
        size: unsigned(row.size),
        rows: unsigned(row.rows),
    })
}

/// The first number that no row has between the rows next to this event. Ids of events rise with the time, so what is
/// gone has its place there; a thousand numbers are looked at and no more, and none below `floor`.
pub(super) async fn gap_near(tx: &mut WorkspaceTx, log: Log, event: Uuid, floor: u64) -> Result<Option<u64>, DbError> {
    let (workspace, environment) = columns(log);
    let seq = sqlx::query_scalar!(
        r#"WITH after AS (
             SELECT e.generation, e.seq FROM ledger_entries e
             WHERE e.workspace_id = $1 AND e.environment = $2 AND e.event_id > $3 ORDER BY e.event_id LIMIT 1
         ), before AS (
             SELECT e.seq FROM ledger_entries e, after
             WHERE e.workspace_id = $1 AND e.environment = $2 AND e.event_id < $3 AND e.generation = after.generation
             ORDER BY e.event_id DESC LIMIT 1
         ), ends AS (
             SELECT after.generation, least(after.seq, coalesce(before.seq, -1)) AS low,
                 greatest(after.seq, coalesce(before.seq, -1)) AS high FROM after LEFT JOIN before ON true
         )
         SELECT seq AS "seq!" FROM ends, generate_series(greatest(ends.low + 1, $4),
             least(ends.high - 1, greatest(ends.low + 1, $4) + 999)) seq
         WHERE NOT EXISTS (SELECT FROM ledger_entries e WHERE e.workspace_id = $1 AND e.environment = $2
             AND e.generation = ends.generation AND e.seq = seq.seq)
         ORDER BY seq LIMIT 1"#,
        workspace,
        environment,
        event,
        i64::try_from(floor).unwrap_or(i64::MAX)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(seq.map(unsigned))
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
