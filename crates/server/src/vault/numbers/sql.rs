//! The table of numbers.

use uuid::Uuid;

use crate::db::{DbError, SystemTx};

/// Until the end of the transaction nobody else gives out numbers of this owner's.
///
/// # Errors
/// [`DbError`].
pub async fn lock(tx: &mut SystemTx, owner: Uuid) -> Result<(), DbError> {
    let (high, low) = owner.as_u64_pair();
    let lock = i64::from_ne_bytes((high ^ low).to_ne_bytes());
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", lock).execute(tx.connection()?).await?;
    Ok(())
}

/// The number that nobody has had yet, as far as this database knows.
pub(super) async fn next(tx: &mut SystemTx, owner: Uuid) -> Result<u32, DbError> {
    let next = sqlx::query_scalar!(
        r#"SELECT coalesce(max(number) + 1, 0) AS "next!" FROM vault_subjects WHERE workspace_id = $1"#,
        owner
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(u32::try_from(next).unwrap_or(u32::MAX))
}

/// Numbers with the names that they stand for, sealed.
pub(super) async fn insert(tx: &mut SystemTx, owner: Uuid, rows: &[(u32, Vec<u8>, Vec<u8>)]) -> Result<(), DbError> {
    let numbers: Vec<i64> = rows.iter().map(|(number, ..)| i64::from(*number)).collect();
    let names: Vec<Vec<u8>> = rows.iter().map(|(_, name, _)| name.clone()).collect();
    let indexes: Vec<Vec<u8>> = rows.iter().map(|(.., index)| index.clone()).collect();
    sqlx::query!(
        "INSERT INTO vault_subjects (workspace_id, number, name_sealed, name_index)
         SELECT $1, * FROM UNNEST($2::bigint[], $3::bytea[], $4::bytea[])",
        owner,
        &numbers,
        &names,
        &indexes
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
