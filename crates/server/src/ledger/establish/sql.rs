//! What was fixed when the cell was made.

use uuid::Uuid;

use crate::db::{DbError, SystemTx};

const CELL_ID: &str = "cell_id";
const LOG_NAME: &str = "log_name";

/// The cell's id and the name of its logs.
pub(super) async fn facts(tx: &mut SystemTx) -> Result<Option<(Uuid, String)>, DbError> {
    let rows = sqlx::query!("SELECT name, value FROM cell_facts").fetch_all(tx.connection()?).await?;
    let value = |wanted: &str| rows.iter().find(|row| row.name == wanted).map(|row| row.value.clone());
    let cell_id = value(CELL_ID).and_then(|text| Uuid::parse_str(&text).ok());
    Ok(cell_id.zip(value(LOG_NAME)))
}

/// False when somebody else was quicker.
pub(super) async fn insert_facts(tx: &mut SystemTx, cell_id: Uuid, log_name: &str) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "INSERT INTO cell_facts (name, value) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING",
        CELL_ID,
        cell_id.to_string(),
        LOG_NAME,
        log_name
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 2)
}
