//! Stored runs of hashes.

use bailiwick_proof::log::Log;
use bailiwick_proof::tile;
use sqlx::PgConnection;

use crate::db::DbError;
use crate::ledger::place::columns;

/// For each run the stored pieces that overlap it, in order: where each begins, and its hashes.
pub(super) async fn runs(
    connection: &mut PgConnection,
    log: Log,
    generation: u32,
    runs: &[tile::Run],
) -> Result<Vec<Vec<(u64, Vec<u8>)>>, DbError> {
    let (workspace, environment) = columns(log);
    let levels: Vec<i16> = runs.iter().map(|run| i16::from(run.tile_level)).collect();
    let starts: Vec<i64> = runs.iter().map(|run| i64::try_from(run.start).unwrap_or(i64::MAX)).collect();
    let ends: Vec<i64> =
        runs.iter().map(|run| i64::try_from(run.start.saturating_add(run.len)).unwrap_or(i64::MAX)).collect();
    let rows = sqlx::query!(
        // A planner without statistics takes a log for a row or two and would read all of it, asking for every piece where
        // the first one begins. A subquery with a limit is not turned around: a run has at most 128 hashes, and the piece
        // that begins before it.
        r#"SELECT wanted.nth AS "nth!", piece.start, piece.hashes
         FROM UNNEST($4::smallint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY AS wanted (tile_level, first, beyond, nth)
         JOIN LATERAL (
             SELECT b.start FROM ledger_hashes b
             WHERE b.workspace_id = $1 AND b.environment = $2 AND b.generation = $3
               AND b.tile_level = wanted.tile_level AND b.start <= wanted.first
             ORDER BY b.start DESC LIMIT 1
         ) opening ON true
         JOIN LATERAL (
             SELECT h.start, h.hashes FROM ledger_hashes h
             WHERE h.workspace_id = $1 AND h.environment = $2 AND h.generation = $3 AND h.tile_level = wanted.tile_level
               AND h.start >= opening.start AND h.start < wanted.beyond
             ORDER BY h.start LIMIT 129
         ) piece ON true
         ORDER BY wanted.nth, piece.start"#,
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        &levels,
        &starts,
        &ends
    )
    .fetch_all(connection)
    .await?;
    let mut found = vec![Vec::new(); runs.len()];
    for row in rows {
        let nth = usize::try_from(row.nth - 1).unwrap_or(usize::MAX);
        if let Some(pieces) = found.get_mut(nth) {
            pieces.push((u64::try_from(row.start).unwrap_or_default(), row.hashes));
        }
    }
    Ok(found)
}
