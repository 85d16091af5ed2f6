//! A transaction that no cancelled request can leak.
//!
//! A connection goes back to the pool only after its transaction has ended. sqlx's own
//! `Pool::begin_with` does not promise that: a future that is dropped while `BEGIN; SET LOCAL …` is
//! in flight returns the connection with the transaction open, and the next borrower reads as the
//! former tenant (sqlx 0.9.0, #4385). So:
//!
//! - `BEGIN` and the settings run in a task of their own, which a dropped request does not interrupt;
//!   what it makes is then dropped, and that ends the transaction;
//! - [`Tx`]'s `Drop` ends it in such a task too, waiting for a statement that was interrupted;
//! - a connection on which `BEGIN`, `COMMIT` or `ROLLBACK` failed is closed, never reused.

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Postgres};

use super::DbError;
use crate::config::Pooler;

/// How many dead connections in a row are replaced before the database counts as unavailable.
const STALE_CONNECTIONS: usize = 32;

/// Connections of one role, and what stands between.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) connections: PgPool,
    pub(super) pooler: Pooler,
}

impl Pool {
    /// What is said before `BEGIN`, in the same round trip. Behind a pooler the server's connection was another client's a
    /// moment ago, and sqlx names its prepared statements by numbers, which may stand there already; it does so without a
    /// cache too.
    const fn prelude(&self) -> &'static str {
        match self.pooler {
            Pooler::None => "",
            Pooler::Transaction => "DEALLOCATE ALL; ",
        }
    }
}

/// An open transaction with its settings in force. Dropped without a commit, it is rolled back.
pub(super) struct Tx {
    /// `None` only while it is being ended.
    connection: Option<PoolConnection<Postgres>>,
}

/// A transaction's id, of 64 bits: it does not come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Xid(u64);

impl Xid {
    /// As snapshots name it.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The settings that the policies read. A value that is left out is emptied.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) workspace_id: String,
    pub(super) environment: &'static str,
    pub(super) project_id: String,
    pub(super) user_id: String,
    pub(super) operational_path: &'static str,
}

impl Settings {
    /// One round trip: `BEGIN` and every setting. The values are formatted from parsed uuids and words
    /// of ours, never from input, for `SET` takes no parameters.
    fn begin(&self) -> String {
        let Self { workspace_id, environment, project_id, user_id, operational_path } = self;
        format!(
            "BEGIN; SET LOCAL app.workspace_id = '{workspace_id}'; SET LOCAL app.environment = '{environment}'; \
             SET LOCAL app.project_id = '{project_id}'; SET LOCAL app.user_id = '{user_id}'; \
             SET LOCAL app.operational_path = '{operational_path}'"
        )
    }
}

impl Tx {
    /// Takes a connection and opens a transaction on it.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when there is no connection to be had.
    pub(super) async fn open(pool: &Pool, settings: &Settings) -> Result<Self, DbError> {
        let begin = format!("{}{}", pool.prelude(), settings.begin());
        let mut stale = 0;
        loop {
            // Waiting for a connection may be cut off at any time: nothing has been said on it yet.
            #[expect(clippy::disallowed_methods, reason = "the one place that takes connections")]
            let connection = pool.connections.acquire().await?;
            // Connections that died with a restarted database are found out here, at no cost to the others; nothing
            // has happened yet, so the next one may be tried.
            match Self::begin(connection, begin.clone()).await {
                Err(DbError::Unavailable(_)) if stale < STALE_CONNECTIONS => stale += 1,
                opened => return opened,
            }
        }
    }

    /// `BEGIN` and the settings, in a task of its own.
    async fn begin(mut connection: PoolConnection<Postgres>, begin: String) -> Result<Self, DbError> {
        let opening = tokio::spawn(async move {
            match connection.execute(AssertSqlSafe(begin)).await {
                Ok(_) => Ok(Self { connection: Some(connection) }),
                Err(error) => {
                    connection.close_on_drop();
                    Err(DbError::from(error))
                }
            }
        });
        match opening.await {
            Ok(opened) => opened,
            Err(_) => Err(DbError::Unavailable(sqlx::Error::WorkerCrashed)),
        }
    }

    /// The connection, for the statements of this transaction.
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        self.connection.as_deref_mut().ok_or(DbError::Aborted)
    }

    /// The transaction's id, drawn if it has none yet.
    pub(super) async fn xid(&mut self) -> Result<Xid, DbError> {
        let xid = sqlx::query_scalar!(r#"SELECT pg_current_xact_id()::text::bigint AS "xid!""#)
            .fetch_one(self.connection()?)
            .await?;
        Ok(Xid(xid.cast_unsigned()))
    }

    /// Commits. `SELECT 1` fails in a transaction that has failed before, where a bare `COMMIT` would
    /// report success and roll back.
    ///
    /// # Errors
    /// [`DbError::Aborted`] as said; [`DbError::Unavailable`] when the connection broke, and then nobody
    /// knows whether the commit happened.
    pub(super) async fn commit(self) -> Result<(), DbError> {
        self.commit_by("SELECT 1; COMMIT").await
    }

    /// Commits right after a statement of ours that succeeded, and so would have failed where `SELECT 1` does.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] as said.
    pub(super) async fn commit_after_statement(self) -> Result<(), DbError> {
        self.commit_by("COMMIT").await
    }

    async fn commit_by(self, statement: &'static str) -> Result<(), DbError> {
        // In a task of its own as well, so that a caller who leaves does not turn a commit into a guess.
        let committing = tokio::spawn(async move { self.end(statement).await });
        match committing.await {
            Ok(committed) => committed,
            Err(_) => Err(DbError::Unavailable(sqlx::Error::WorkerCrashed)),
        }
    }

    /// Ends a transaction that only read, by a rollback: whatever it wrote after all is not kept.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the connection broke.
    pub(super) async fn roll_back(self) -> Result<(), DbError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> Result<(), DbError> {
        let mut connection = self.connection.take().ok_or(DbError::Aborted)?;
        match connection.execute(statement).await {
            Ok(_) => Ok(()),
            Err(error) => {
                connection.close_on_drop();
                Err(DbError::from(error))
            }
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    // Waits first for the end of a statement whose caller has left.
                    if connection.ping().await.is_err() || connection.execute("ROLLBACK").await.is_err() {
                        connection.close_on_drop();
                    }
                });
            }
            Err(_) => connection.close_on_drop(),
        }
    }
}
