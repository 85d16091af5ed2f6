//! A transaction on one of the documented paths that see across tenants, and nothing but what that path reaches.
//!
//! `bailiwick_system` has no BYPASSRLS. Each path sets `app.operational_path`, the policies name the
//! paths that reach a table, and the grants name the columns: the catalog lists what a path can do, and
//! a test holds [`OperationalPath::reaches`] against it.

use std::sync::Arc;

use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::sync::Notify;

use super::DbError;
use super::after_commit::AfterCommit;
use super::authority::{Recorded, Unrecorded};
use super::operational_path::OperationalPath;
use super::tx::{Pool, Settings, Tx, Xid};

/// A transaction on one operational path. Dropped, it rolls back.
pub struct SystemTx {
    tx: Tx,
    path: OperationalPath,
    wakes: Arc<Notify>,
    after_commit: AfterCommit,
}

impl SystemTx {
    pub(super) async fn open(pool: &Pool, path: OperationalPath, wakes: Arc<Notify>) -> Result<Self, DbError> {
        Self::open_with(pool, path, wakes, Settings::default()).await
    }

    /// Within these settings besides the path's.
    pub(super) async fn open_with(
        pool: &Pool,
        path: OperationalPath,
        wakes: Arc<Notify>,
        settings: Settings,
    ) -> Result<Self, DbError> {
        metrics::counter!("bailiwick_operational_path_total", "path" => path.as_str()).increment(1);
        let settings = Settings { operational_path: path.as_str(), ..settings };
        Ok(Self { tx: Tx::open(pool, &settings).await?, path, wakes, after_commit: AfterCommit::default() })
    }

    /// The path that was named.
    #[must_use]
    pub const fn path(&self) -> OperationalPath {
        self.path
    }

    /// For the statements of a `sql` module.
    ///
    /// # Errors
    /// [`DbError::Aborted`] when the transaction has ended.
    pub fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        self.tx.connection()
    }

    /// This moment by two clocks, the earlier first: a node's, which is given, and the database's. What is deleted because it is old goes by
    /// the earlier, so that one node whose clock is ahead takes nothing away.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn two_clocks(&mut self, now: OffsetDateTime) -> Result<(OffsetDateTime, OffsetDateTime), DbError> {
        let told = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(self.connection()?).await?;
        Ok((now.min(told), now.max(told)))
    }

    /// The transaction's id, by which a barrier knows the change.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn xid(&mut self) -> Result<Xid, DbError> {
        self.tx.xid().await
    }

    /// Has this called once the transaction has been committed.
    pub fn after_commit(&mut self, tell: impl FnOnce() + Send + Sync + 'static) {
        self.after_commit.push(tell);
    }

    /// Commits a change together with its entry, and wakes the ledger.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn commit(self, _recorded: Recorded) -> Result<(), DbError> {
        self.tx.commit().await?;
        self.wakes.notify_one();
        self.after_commit.tell();
        Ok(())
    }

    /// Commits right after a statement that succeeded, with entries that have their numbers: nobody is to be woken.
    pub(super) async fn commit_numbered(self) -> Result<(), DbError> {
        self.tx.commit_after_statement().await?;
        self.after_commit.tell();
        Ok(())
    }

    /// Commits a change that leaves no entry, for a stated reason.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn commit_unrecorded(self, _reason: Unrecorded) -> Result<(), DbError> {
        self.tx.commit().await?;
        self.after_commit.tell();
        Ok(())
    }

    /// Ends a transaction that only read. It rolls back, so that nothing is written by this way out.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the connection broke.
    pub async fn finish_reading(self) -> Result<(), DbError> {
        self.tx.roll_back().await
    }
}
