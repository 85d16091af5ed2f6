//! What takes the place of a row that nobody vouches for.
//!
//! Whoever wrote such a row may have put any number there as its serial, and may put back afterwards what stood there before. So what
//! the server writes over it has a serial that no state of it had: the time in milliseconds, which no row comes to by being changed.
//! Whatever is put back is older than that, for whoever knows the log.

use super::sql;
use super::stamp::milliseconds;
use crate::db::{DbError, WorkspaceTx};

/// The version that the next change gives to a row that has this one now. Every row that is counted counts so until [`done`].
///
/// # Errors
/// [`DbError`].
pub async fn begin(tx: &mut WorkspaceTx, version: i64) -> Result<i64, DbError> {
    let at_least = milliseconds(tx.context().received_at);
    sql::count_on_within(tx, &at_least.to_string()).await?;
    Ok(version.saturating_add(1).max(at_least))
}

/// Rows are counted as ever.
///
/// # Errors
/// [`DbError`].
pub async fn done(tx: &mut WorkspaceTx) -> Result<(), DbError> {
    sql::count_on_within(tx, "").await
}
