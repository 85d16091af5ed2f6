//! Data keys, as they stand wrapped.

use time::OffsetDateTime;
use uuid::Uuid;

use super::kek::Wrapped;
use crate::db::{DbError, SystemTx};

/// A version of an owner's data key.
#[derive(Clone, Debug)]
pub(super) struct DekRow {
    pub(super) owner: Uuid,
    pub(super) version: u32,
    pub(super) dek: Uuid,
    pub(super) wrapped: Wrapped,
    pub(super) uses: u64,
    pub(super) created_at: OffsetDateTime,
}

/// A row as the database has it.
struct Raw {
    workspace_id: Uuid,
    version: i32,
    dek_id: Uuid,
    wrapped: Vec<u8>,
    kek: String,
    kek_version: i32,
    uses: i64,
    created_at: OffsetDateTime,
}

impl From<Raw> for DekRow {
    fn from(row: Raw) -> Self {
        Self {
            owner: row.workspace_id,
            version: u32::try_from(row.version).unwrap_or_default(),
            dek: row.dek_id,
            wrapped: Wrapped {
                kek: row.kek,
                version: u32::try_from(row.kek_version).unwrap_or_default(),
                bytes: row.wrapped,
            },
            uses: u64::try_from(row.uses).unwrap_or_default(),
            created_at: row.created_at,
        }
    }
}

/// Every version of an owner's key, the oldest first.
pub(super) async fn versions(tx: &mut SystemTx, owner: Uuid) -> Result<Vec<DekRow>, DbError> {
    let rows = sqlx::query_as!(
        Raw,
        "SELECT workspace_id, version, dek_id, wrapped, kek, kek_version, uses, created_at FROM vault_deks
         WHERE workspace_id = $1 ORDER BY version",
        owner
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(DekRow::from).collect())
}

/// The newest version of an owner's key.
pub(super) async fn newest(tx: &mut SystemTx, owner: Uuid) -> Result<Option<u32>, DbError> {
    let newest = sqlx::query_scalar!("SELECT max(version) FROM vault_deks WHERE workspace_id = $1", owner)
        .fetch_one(tx.connection()?)
        .await?;
    Ok(newest.and_then(|version| u32::try_from(version).ok()))
}

/// False when somebody else was quicker.
pub(super) async fn insert(tx: &mut SystemTx, row: &DekRow) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "INSERT INTO vault_deks (workspace_id, version, dek_id, wrapped, kek, kek_version, uses, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        row.owner,
        narrow(row.version),
        row.dek,
        row.wrapped.bytes,
        row.wrapped.kek,
        narrow(row.wrapped.version),
        signed(row.uses),
        row.created_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Reserves so many uses of a version, and answers how many are reserved then; `None` when there is no such version.
pub(super) async fn reserve(tx: &mut SystemTx, owner: Uuid, version: u32, uses: u64) -> Result<Option<u64>, DbError> {
    let reserved = sqlx::query_scalar!(
        "UPDATE vault_deks SET uses = uses + $3 WHERE workspace_id = $1 AND version = $2 RETURNING uses",
        owner,
        narrow(version),
        signed(uses)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(reserved.and_then(|uses| u64::try_from(uses).ok()))
}

/// Owners after this one whose newest version was made before that moment, or is used up.
pub(super) async fn due(
    tx: &mut SystemTx,
    after: Option<Uuid>,
    before: OffsetDateTime,
    used_up: u64,
    limit: i64,
) -> Result<Vec<Uuid>, DbError> {
    let rows = sqlx::query_scalar!(
        "SELECT d.workspace_id FROM vault_deks d
         WHERE ($1::uuid IS NULL OR d.workspace_id > $1) AND (d.created_at < $2 OR d.uses >= $3)
           AND NOT EXISTS (SELECT FROM vault_deks n WHERE n.workspace_id = d.workspace_id AND n.version > d.version)
         ORDER BY d.workspace_id LIMIT $4",
        after,
        before,
        signed(used_up),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows)
}

/// Keys after this one that another KEK wraps, or another version of it.
pub(super) async fn wrapped_otherwise(
    tx: &mut SystemTx,
    (owner, version): (Uuid, u32),
    kek: &str,
    kek_version: u32,
    limit: i64,
) -> Result<Vec<DekRow>, DbError> {
    let rows = sqlx::query_as!(
        Raw,
        "SELECT workspace_id, version, dek_id, wrapped, kek, kek_version, uses, created_at FROM vault_deks
         WHERE (workspace_id, version) > ($1, $2) AND (kek <> $3 OR kek_version <> $4)
         ORDER BY workspace_id, version LIMIT $5",
        owner,
        narrow(version),
        kek,
        narrow(kek_version),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(DekRow::from).collect())
}

/// Puts another wrap in the place of this one; false when it is not there any more.
pub(super) async fn rewrap(tx: &mut SystemTx, row: &DekRow, wrapped: &Wrapped) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "UPDATE vault_deks SET wrapped = $4, kek = $5, kek_version = $6
         WHERE workspace_id = $1 AND version = $2 AND wrapped = $3",
        row.owner,
        narrow(row.version),
        row.wrapped.bytes,
        wrapped.bytes,
        wrapped.kek,
        narrow(wrapped.version)
    )
    .execute(tx.connection()?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many data keys each version of each KEK wraps.
pub(super) async fn by_kek(tx: &mut SystemTx) -> Result<Vec<(String, u32, u64)>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT kek, kek_version, count(*) AS "count!" FROM vault_deks GROUP BY kek, kek_version ORDER BY kek, kek_version"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| (row.kek, u32::try_from(row.kek_version).unwrap_or_default(), unsigned(row.count)))
        .collect())
}

/// When the oldest version that still seals was made, and how often the most used one was.
pub(super) async fn extremes(tx: &mut SystemTx) -> Result<(Option<OffsetDateTime>, u64), DbError> {
    let row = sqlx::query!(
        r#"SELECT min(created_at) AS oldest, coalesce(max(uses), 0) AS "uses!" FROM vault_deks d
         WHERE NOT EXISTS (SELECT FROM vault_deks n WHERE n.workspace_id = d.workspace_id AND n.version > d.version)"#
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok((row.oldest, u64::try_from(row.uses).unwrap_or_default()))
}

/// The number of the subject whose name has one of these indexes, and the name, sealed.
pub(super) async fn subject(
    tx: &mut SystemTx,
    owner: Uuid,
    indexes: &[Vec<u8>],
) -> Result<Option<(u32, Vec<u8>)>, DbError> {
    let row = sqlx::query!(
        "SELECT number, name_sealed FROM vault_subjects WHERE workspace_id = $1 AND name_index = ANY ($2)",
        owner,
        indexes
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.and_then(|row| Some((u32::try_from(row.number).ok()?, row.name_sealed.unwrap_or_default()))))
}

/// Forgets subjects' names; their numbers, each with its MAC, are never given again.
pub(super) async fn erase_subjects(
    tx: &mut SystemTx,
    owner: Uuid,
    erased: &[(u32, Vec<u8>)],
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let numbers: Vec<i64> = erased.iter().map(|(number, _)| i64::from(*number)).collect();
    let macs: Vec<Vec<u8>> = erased.iter().map(|(_, mac)| mac.clone()).collect();
    sqlx::query!(
        "UPDATE vault_subjects s SET name_sealed = NULL, name_index = NULL, erased_at = coalesce(s.erased_at, $4),
             erased_mac = e.mac
         FROM UNNEST($2::bigint[], $3::bytea[]) AS e (number, mac) WHERE s.workspace_id = $1 AND s.number = e.number",
        owner,
        &numbers,
        &macs,
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// The numbers that stand as those of an owner's erased subjects, with their MACs.
pub(super) async fn erased_subjects(tx: &mut SystemTx, owner: Uuid) -> Result<Vec<(u32, Vec<u8>)>, DbError> {
    let rows = sqlx::query!(
        "SELECT number, erased_mac FROM vault_subjects WHERE workspace_id = $1 AND erased_at IS NOT NULL ORDER BY number",
        owner
    )
    .fetch_all(tx.connection()?)
    .await?;
    let read = |number: i64, mac: Option<Vec<u8>>| Some((u32::try_from(number).ok()?, mac.unwrap_or_default()));
    Ok(rows.into_iter().filter_map(|row| read(row.number, row.erased_mac)).collect())
}

/// Those of whose subjects one was erased.
pub(super) async fn owners_with_erased(tx: &mut SystemTx) -> Result<Vec<Uuid>, DbError> {
    let owners =
        sqlx::query_scalar!("SELECT DISTINCT workspace_id FROM vault_subjects WHERE erased_at IS NOT NULL ORDER BY 1")
            .fetch_all(tx.connection()?)
            .await?;
    Ok(owners)
}

/// Takes an owner's keys away.
pub(super) async fn delete(tx: &mut SystemTx, owner: Uuid) -> Result<u64, DbError> {
    let done = sqlx::query!("DELETE FROM vault_deks WHERE workspace_id = $1", owner).execute(tx.connection()?).await?;
    Ok(done.rows_affected())
}

/// A version that cannot be stored fails the table's check.
fn narrow(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(-1)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
