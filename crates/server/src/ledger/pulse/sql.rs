//! What waits to be numbered.

use time::OffsetDateTime;

use super::Waiting;
use crate::db::{DbError, SystemTx};

/// By log, the oldest staged row and how many there are. Of more than 100,000 rows not all are looked at.
pub(super) async fn waiting(tx: &mut SystemTx) -> Result<Vec<Waiting>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT workspace_id AS "workspace!", environment AS "environment!", min(staged_at) AS "oldest!: OffsetDateTime", count(*) AS "count!" FROM (
             (SELECT workspace_id, environment, staged_at FROM ledger_staged
              WHERE isfinite(staged_at) LIMIT 100000)
             UNION ALL
             (SELECT '00000000-0000-0000-0000-000000000000'::uuid, 'live', staged_at FROM cell_ledger_staged
              WHERE isfinite(staged_at) LIMIT 100000)) AS staged
         GROUP BY workspace_id, environment"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    let waiting = rows.into_iter().map(|row| Waiting {
        workspace: row.workspace,
        environment: row.environment,
        oldest: row.oldest,
        count: u64::try_from(row.count).unwrap_or_default(),
    });
    Ok(waiting.collect())
}
