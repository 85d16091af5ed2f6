//! A transaction that somebody forgot to end.

use sqlx::{Connection, Executor, PgConnection};

/// Open until it is closed: with a snapshot and an id of its own, so that nothing that ended since is cleaned up.
pub(super) struct Held(PgConnection);

impl Held {
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()").await?;
        Ok(Self(connection))
    }

    pub(super) async fn close(self) -> anyhow::Result<()> {
        Ok(self.0.close().await?)
    }
}
