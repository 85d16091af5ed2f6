//! Notifications of other nodes, on a connection of their own. They are wake-ups: whoever listens looks by itself too.

use sqlx::PgPool;
use sqlx::postgres::PgListener;

use super::DbError;

/// Listens on one channel. Dropped, the connection closes.
pub struct Listener(PgListener);

impl Listener {
    pub(super) async fn open(pool: &PgPool, channel: &str) -> Result<Self, DbError> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(channel).await?;
        Ok(Self(listener))
    }

    /// The next notification's payload; `None` when the connection was lost, and some with it.
    ///
    /// # Errors
    /// [`DbError::Unavailable`].
    pub async fn next(&mut self) -> Result<Option<String>, DbError> {
        Ok(self.0.try_recv().await?.map(|told| told.payload().to_owned()))
    }
}
