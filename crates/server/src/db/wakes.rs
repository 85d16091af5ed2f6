//! Waking calls: `NOTIFY bailiwick_feed`, sent by the triggers that note a change.
//!
//! A call carries nothing and may be lost: whoever waits for one looks regularly all the same.

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::DbError;

/// As in `migrations/0004_feed.sql`.
const CHANNEL: &str = "bailiwick_feed";

/// A connection that listens.
pub struct Wakes(PgListener);

impl Wakes {
    pub(super) async fn connect(options: PgConnectOptions) -> Result<Self, DbError> {
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(Self(listener))
    }

    /// Resolves at the next call.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the connection is gone: calls may have been missed, and it takes another one.
    pub async fn heard(&mut self) -> Result<(), DbError> {
        match self.0.try_recv().await? {
            Some(_) => Ok(()),
            None => Err(DbError::Unavailable(sqlx::Error::WorkerCrashed)),
        }
    }
}
