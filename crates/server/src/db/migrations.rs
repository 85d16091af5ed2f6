//! The schema's history, embedded in the binary, and whether a database has it.

use super::{Db, DbError, OperationalPath};

/// `migrations/*.sql`, run by `bailiwickd migrate` and `bailiwickd dev` as the owner.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The newest migration that this binary knows.
#[must_use]
pub fn newest_migration() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// How the database's schema compares with the one this binary was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// The same.
    Current,
    /// It lacks migrations, or one of them failed half-way.
    Behind,
    /// It has migrations that this binary does not know.
    Ahead,
}

/// Compares the newest applied migration with the newest embedded one.
///
/// # Errors
/// [`DbError`] when the database cannot be asked; a database that was never migrated is
/// [`SchemaState::Behind`].
pub async fn schema_state(db: &Db) -> Result<SchemaState, DbError> {
    let known = newest_migration();
    let mut tx = db.system_tx(OperationalPath::CheckReadiness).await?;
    let applied: Result<(Option<i64>, Option<bool>), sqlx::Error> =
        sqlx::query_as("SELECT max(version), bool_and(success) FROM _sqlx_migrations")
            .fetch_one(tx.connection()?)
            .await;
    match applied.map_err(DbError::from) {
        Ok((Some(newest), Some(true))) => Ok(match newest.cmp(&known) {
            std::cmp::Ordering::Less => SchemaState::Behind,
            std::cmp::Ordering::Equal => SchemaState::Current,
            std::cmp::Ordering::Greater => SchemaState::Ahead,
        }),
        Ok(_) | Err(DbError::Statement(_)) => Ok(SchemaState::Behind),
        Err(error) => Err(error),
    }
}
