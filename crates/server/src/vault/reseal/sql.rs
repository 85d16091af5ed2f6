//! Statements over any column of the registry. They are put together of its own constants alone.

use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::{Found, workspace_of};
use crate::db::{DbError, SystemTx};
use crate::vault::column::Stand;

/// Where the version of the data key stands in an envelope, counted from one, and its length.
const VERSION: &str = "substring({column} from 21 for 4)";

/// Values of an owner's that another version sealed, after this row.
pub(super) async fn sealed_otherwise(
    tx: &mut SystemTx,
    stand: &Stand,
    owner: Uuid,
    after: Option<Vec<String>>,
    version: u32,
    limit: i64,
) -> Result<Vec<Found>, DbError> {
    let Stand { table, column, key, subject, .. } = stand;
    let names: Vec<&str> = key.iter().map(|(name, _)| *name).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("{name}::text")).collect();
    let beyond: Vec<String> = (4..).zip(*key).map(|(at, (_, of))| format!("${at}::text::{of}")).collect();
    let after_row =
        if after.is_some() { format!("AND ({}) > ({})", names.join(", "), beyond.join(", ")) } else { String::new() };
    let (names, texts) = (names.join(", "), texts.join(", "));
    let (subject, version_of) = (subject.unwrap_or("NULL"), VERSION.replace("{column}", column));
    let owned = if workspace_of(stand, owner).is_some() { "workspace_id = $1" } else { "$1::uuid IS NOT NULL" };
    let statement = format!(
        "SELECT ARRAY[{texts}] AS key, {subject}::bigint AS subject, {column} AS sealed FROM {table}
         WHERE {owned} AND {column} IS NOT NULL AND {version_of} <> $2 {after_row} ORDER BY {names} LIMIT $3"
    );
    let mut query = sqlx::query(AssertSqlSafe(statement)).bind(owner).bind(version.to_be_bytes().to_vec()).bind(limit);
    for part in after.into_iter().flatten() {
        query = query.bind(part);
    }
    let rows = query.fetch_all(tx.connection()?).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Found { key: row.try_get("key")?, subject: row.try_get("subject")?, sealed: row.try_get("sealed")? })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(DbError::from)
}

/// Puts another envelope in the place of this one, with its index; false when it is not there any more.
pub(super) async fn replace(
    tx: &mut SystemTx,
    stand: &Stand,
    row: &Found,
    sealed: &[u8],
    index: Option<&[u8]>,
) -> Result<bool, DbError> {
    let Stand { table, column, key, .. } = stand;
    let set_index = stand.index.as_ref().map(|index| format!(", {} = $3", index.column)).unwrap_or_default();
    let first = if index.is_some() { 4 } else { 3 };
    let of: Vec<String> = (first..).zip(*key).map(|(at, (name, of))| format!("{name} = ${at}::text::{of}")).collect();
    let statement = format!("UPDATE {table} SET {column} = $1{set_index} WHERE {column} = $2 AND {}", of.join(" AND "));
    let mut query = sqlx::query(AssertSqlSafe(statement)).bind(sealed).bind(&row.sealed);
    if let Some(index) = index {
        query = query.bind(index);
    }
    for part in &row.key {
        query = query.bind(part);
    }
    Ok(query.execute(tx.connection()?).await?.rows_affected() == 1)
}

/// How many values of a column a subject's key sealed.
pub(in crate::vault) async fn count(
    tx: &mut SystemTx,
    stand: &Stand,
    owner: Uuid,
    number: u32,
) -> Result<u64, DbError> {
    let Stand { table, column, .. } = stand;
    let Some(subject) = stand.subject else { return Ok(0) };
    let statement =
        format!("SELECT count(*) FROM {table} WHERE workspace_id = $1 AND {subject} = $2 AND {column} IS NOT NULL");
    let query = sqlx::query_scalar(AssertSqlSafe(statement)).bind(owner).bind(i64::from(number));
    let count: i64 = query.fetch_one(tx.connection()?).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Takes away what a subject's key sealed in so many rows of a column after this one, with its index, and answers which
/// rows those were.
pub(in crate::vault) async fn clear(
    tx: &mut SystemTx,
    stand: &Stand,
    (owner, number): (Uuid, u32),
    after: Option<&[String]>,
    limit: i64,
) -> Result<Vec<Vec<String>>, DbError> {
    let Stand { table, column, key, .. } = stand;
    let Some(subject) = stand.subject else { return Ok(Vec::new()) };
    let set_index = stand.index.as_ref().map(|index| format!(", {} = NULL", index.column)).unwrap_or_default();
    let names: Vec<&str> = key.iter().map(|(name, _)| *name).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("p.{name}::text")).collect();
    let same: Vec<String> = names.iter().map(|name| format!("t.{name} = p.{name}")).collect();
    let beyond: Vec<String> = (4..).zip(*key).map(|(at, (_, of))| format!("${at}::text::{of}")).collect();
    let names = names.join(", ");
    let after_row = after.map(|_| format!("AND ({names}) > ({})", beyond.join(", "))).unwrap_or_default();
    let statement = format!(
        "WITH page AS (SELECT {names} FROM {table} WHERE workspace_id = $1 AND {subject} = $2 AND {column} IS NOT NULL
             {after_row} ORDER BY {names} LIMIT $3),
         cleared AS (UPDATE {table} t SET {column} = NULL{set_index} FROM page p WHERE {})
         SELECT ARRAY[{}] AS key FROM page p ORDER BY {names}",
        same.join(" AND "),
        texts.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(statement)).bind(owner).bind(i64::from(number)).bind(limit);
    for part in after.into_iter().flatten() {
        query = query.bind(part);
    }
    let rows = query.fetch_all(tx.connection()?).await?;
    rows.into_iter().map(|row| row.try_get("key")).collect::<Result<_, sqlx::Error>>().map_err(DbError::from)
}

/// Everybody who has a key.
pub(super) async fn owners(tx: &mut SystemTx) -> Result<Vec<Uuid>, DbError> {
    let owners = sqlx::query_scalar!(r#"SELECT DISTINCT workspace_id AS "owner!" FROM vault_deks ORDER BY 1"#)
        .fetch_all(tx.connection()?)
        .await?;
    Ok(owners)
}
