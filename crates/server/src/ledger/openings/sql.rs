//! The numbers of subjects.

use uuid::Uuid;

use crate::db::{DbError, SystemTx};

/// The numbers of those whose names have these indexes.
pub(super) async fn numbers(
    tx: &mut SystemTx,
    owner: Uuid,
    indexes: &[Vec<u8>],
) -> Result<Vec<(Vec<u8>, u32)>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT name_index AS "index!", number FROM vault_subjects WHERE workspace_id = $1 AND name_index = ANY ($2)"#,
        owner,
        indexes
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.index, u32::try_from(row.number).ok()?))).collect())
}
