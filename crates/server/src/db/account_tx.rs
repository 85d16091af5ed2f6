//! A signed-in person's transaction: their own rows, and no workspace's.

use bailiwick_proof::id::UserId;
use sqlx::PgConnection;

use super::DbError;
use super::authority::AccountAuthority;
use super::tx::{Pool, Settings, Tx};

/// Sees the person, their memberships and the names of their workspaces; writes nothing of a tenant's.
pub struct AccountTx {
    tx: Tx,
    user: UserId,
}

impl AccountTx {
    pub(super) async fn open(pool: &Pool, authority: &impl AccountAuthority) -> Result<Self, DbError> {
        let user = authority.user();
        let settings = Settings { user_id: user.uuid().to_string(), ..Settings::default() };
        Ok(Self { tx: Tx::open(pool, &settings).await?, user })
    }

    /// The person whose rows are visible.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// For the statements of a `sql` module.
    ///
    /// # Errors
    /// [`DbError::Aborted`] when the transaction has ended.
    pub fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        self.tx.connection()
    }

    /// Ends a transaction that only read. It rolls back, so that nothing is written by this way out.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the connection broke.
    pub async fn finish_reading(self) -> Result<(), DbError> {
        self.tx.roll_back().await
    }
}
