//! What entries say of rows, page by page; and what staged ones say.

use bailiwick_proof::log::Log;
use uuid::Uuid;

use crate::db::{DbError, SystemTx};
use crate::ledger::place::{self, columns};

/// How far a generation of a log has come.
pub(super) struct Head {
    pub(super) log: Log,
    pub(super) generation: u32,
    pub(super) size: u64,
}

/// An entry and what stands beside it.
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) entry: Vec<u8>,
    pub(super) rows: Option<Vec<u8>>,
}

/// Those of all generations, the first of a log first.
pub(super) async fn heads(tx: &mut SystemTx) -> Result<Vec<Head>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT workspace_id AS "workspace_id!", environment AS "environment!", generation AS "generation!", size AS "size!"
         FROM ledger_heads
         UNION ALL SELECT workspace_id, environment, generation, size FROM ledger_generations
         ORDER BY 1, 2, 3"#
    )
        .fetch_all(tx.connection()?)
        .await?;
    let head = |workspace: Uuid, environment: &str, generation: i32, size: i64| {
        let log = place::log(workspace, environment)?;
        Some(Head { log, generation: u32::try_from(generation).ok()?, size: u64::try_from(size).ok()? })
    };
    Ok(rows.into_iter().filter_map(|row| head(row.workspace_id, &row.environment, row.generation, row.size)).collect())
}

/// Entries from this one on, in their order.
pub(super) async fn entries(tx: &mut SystemTx, head: &Head, first: u64, limit: i64) -> Result<Vec<Row>, DbError> {
    let (workspace, environment) = columns(head.log);
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.seq, e.entry, o.rows AS "rows?" FROM ledger_entries e
             LEFT JOIN ledger_openings o ON o.workspace_id = e.workspace_id AND o.environment = e.environment
                 AND o.generation = e.generation AND o.seq = e.seq
           WHERE e.workspace_id = $1 AND e.environment = $2 AND e.generation = $3 AND e.seq >= $4 AND e.seq < $5
           ORDER BY e.seq LIMIT $6"#,
        workspace,
        environment,
        i32::try_from(head.generation).unwrap_or(-1),
        number(first),
        number(head.size),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows)
}

/// What entries that have no number yet say of rows.
pub(super) async fn staged(tx: &mut SystemTx) -> Result<Vec<Vec<u8>>, DbError> {
    let rows = sqlx::query_scalar!(
        r#"SELECT rows AS "rows!" FROM ledger_staged WHERE rows IS NOT NULL
           UNION ALL SELECT rows FROM cell_ledger_staged WHERE rows IS NOT NULL"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows)
}
