//! A person, held: whoever changes one, or opens or ends sessions of theirs, comes before or after everybody else who does.
//!
//! What was looked at of a person that is not held may have changed by the time that something follows from it.

mod sql;

use bailiwick_proof::id::UserId;
use time::OffsetDateTime;

use super::vouched::rows;
use super::vouched::stamp::Stamp;
use super::{Notary, SignedIn};
use crate::db::{DbError, SystemTx, WorkspaceTx};

/// Somebody whom somebody vouches for, until the transaction ends.
#[derive(Debug)]
pub struct Person {
    /// Who.
    pub user: UserId,
    /// Their address, as it is shown.
    pub email: String,
    /// Their address, as it is compared.
    pub email_key: String,
    /// When they first signed in.
    pub created_at: OffsetDateTime,
    /// Since when they may not come in.
    pub suspended_at: Option<OffsetDateTime>,
    /// Since when the mail alone does not sign them in.
    pub strong_since: Option<OffsetDateTime>,
    /// How often all of their sessions were ended. One that began in another epoch lives no more, whatever its own row says.
    pub session_epoch: i64,
    /// How often all of their factors were taken away. One of another epoch is none.
    pub factor_epoch: i64,
    version: i64,
}

impl Person {
    /// Waits for whoever holds them; `None` if there is nobody, or nobody vouches for them.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn hold(tx: &mut SystemTx, notary: &Notary, user: UserId) -> Result<Option<Self>, DbError> {
        sql::lock(tx, user).await?;
        sql::read(tx, notary, user).await
    }

    /// Who they are at this moment, for whoever changes nothing.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn look(tx: &mut SystemTx, notary: &Notary, user: UserId) -> Result<Option<Self>, DbError> {
        sql::read(tx, notary, user).await
    }

    /// As [`Self::hold`], whoever has this address, as it is compared.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn hold_by_address(tx: &mut SystemTx, notary: &Notary, email_key: &str) -> Result<Option<Self>, DbError> {
        let Some(user) = sql::id_of(tx, email_key).await? else { return Ok(None) };
        let held = Self::hold(tx, notary, user).await?;
        // They may have got another one while they were waited for.
        Ok(held.filter(|person| person.email_key == email_key))
    }

    /// Writes what has become of them.
    ///
    /// # Errors
    /// [`DbError`], with the constraint `users_email_key` where somebody else has the address.
    pub async fn keep(&mut self, tx: &mut SystemTx, notary: &Notary) -> Result<Stamp, DbError> {
        self.version = self.version.saturating_add(1);
        let vouching = notary.vouch(&self.row());
        sql::write(tx, self, &vouching.mac).await?;
        Ok(vouching.stamp)
    }

    /// Whether a session of this strength lets them in.
    #[must_use]
    pub const fn lets_in(&self, strong: bool) -> bool {
        self.suspended_at.is_none() && (strong || self.strong_since.is_none())
    }

    /// Whether the account was deleted: what is compared is no address.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        !self.email_key.contains('@')
    }

    fn row(&self) -> rows::UserRow<'_> {
        rows::UserRow {
            id: self.user.uuid(),
            version: self.version,
            email: &self.email,
            email_key: &self.email_key,
            suspended_at: self.suspended_at,
            strong_since: self.strong_since,
            session_epoch: self.session_epoch,
            factor_epoch: self.factor_epoch,
        }
    }
}

/// Waits for whoever holds the person who is to become a member: before any lock of the workspace, and until the transaction ends.
///
/// # Errors
/// [`DbError`].
pub async fn await_person(tx: &mut WorkspaceTx, person: &SignedIn) -> Result<(), DbError> {
    sql::lock_within(tx, person.user()).await
}

/// Whether the person, a member by now, still is who signed in: a node may have a session in memory whose person has another address,
/// or is gone.
///
/// # Errors
/// [`DbError`].
pub async fn is_still(tx: &mut WorkspaceTx, person: &SignedIn) -> Result<bool, DbError> {
    let address = sql::address_within(tx, person.user()).await?;
    Ok(address.is_some_and(|address| address == person.email()))
}
