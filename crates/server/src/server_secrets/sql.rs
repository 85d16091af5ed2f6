//! Versions of the server's secrets.

use time::OffsetDateTime;

use super::{Listed, Purpose};
use crate::db::{DbError, SystemTx};

pub(super) async fn insert(
    tx: &mut SystemTx,
    purpose: Purpose,
    number: u32,
    sealed: &[u8],
    now: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO server_secrets (purpose, version, value_sealed, created_at) VALUES ($1, $2, $3, $4)",
        purpose.as_str(),
        column(number),
        sealed,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// What is there, the oldest first. A row with a purpose or number that we do not give is none of ours.
pub(super) async fn sealed(tx: &mut SystemTx) -> Result<Vec<(Purpose, u32, Vec<u8>)>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT purpose, version, value_sealed AS "value_sealed!" FROM server_secrets
         WHERE value_sealed IS NOT NULL ORDER BY purpose, version"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.filter_map(|row| Some((Purpose::of(&row.purpose)?, number(row.version)?, row.value_sealed))).collect())
}

pub(super) async fn highest(tx: &mut SystemTx, purpose: Purpose) -> Result<Option<u32>, DbError> {
    let highest = sqlx::query_scalar!("SELECT max(version) FROM server_secrets WHERE purpose = $1", purpose.as_str())
        .fetch_one(tx.connection()?)
        .await?;
    Ok(highest.and_then(number))
}

/// Destroys values, and answers whose were there.
pub(super) async fn destroy(
    tx: &mut SystemTx,
    purpose: Purpose,
    numbers: &[u32],
    now: OffsetDateTime,
) -> Result<Vec<u32>, DbError> {
    let numbers: Vec<i32> = numbers.iter().map(|number| column(*number)).collect();
    let destroyed = sqlx::query_scalar!(
        "UPDATE server_secrets SET value_sealed = NULL, destroyed_at = $3
         WHERE purpose = $1 AND version = ANY ($2) AND value_sealed IS NOT NULL RETURNING version",
        purpose.as_str(),
        &numbers,
        now
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(destroyed.into_iter().filter_map(number).collect())
}

pub(super) async fn list(tx: &mut SystemTx) -> Result<Vec<Listed>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT purpose, version, created_at, destroyed_at FROM server_secrets ORDER BY purpose, version"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    let rows = rows.into_iter().map(|row| Listed {
        purpose: row.purpose,
        number: number(row.version).unwrap_or_default(),
        created_at: row.created_at,
        destroyed_at: row.destroyed_at,
    });
    Ok(rows.collect())
}

fn column(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn number(column: i32) -> Option<u32> {
    u32::try_from(column).ok()
}
