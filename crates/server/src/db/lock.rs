//! Advisory locks: all of their names in one place, since whoever takes the same one means the same.
//!
//! Each is held until its transaction ends. Whoever takes several takes them in the order of this list.

use bailiwick_proof::id::{UserId, WorkspaceId};
use sqlx::PgConnection;

use super::DbError;

/// What nobody else does at the same time.
#[derive(Clone, Copy, Debug)]
pub enum Lock<'a> {
    /// Changes a person, or opens or ends sessions of theirs.
    Person(UserId),
    /// Wants this address, as it is compared.
    Wanted(&'a str),
    /// Founds a workspace of this slug for a person.
    Founding(UserId, &'a str),
    /// Changes who belongs to a workspace.
    People(WorkspaceId),
    /// Opens or releases a hold of a workspace. Erasures share it.
    Holds(WorkspaceId),
}

impl Lock<'_> {
    fn name(self) -> String {
        match self {
            Self::Person(user) => format!("person {}", user.uuid()),
            Self::Wanted(email_key) => format!("wanted {email_key}"),
            Self::Founding(user, slug) => format!("founding {} {slug}", user.uuid()),
            Self::People(workspace) => format!("people {}", workspace.uuid()),
            Self::Holds(workspace) => format!("holds {}", workspace.uuid()),
        }
    }

    /// Waits for whoever has it.
    ///
    /// # Errors
    /// [`DbError`], also when the wait takes too long.
    pub async fn take(self, connection: &mut PgConnection) -> Result<(), DbError> {
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", self.name()).execute(connection).await?;
        Ok(())
    }

    /// Whether it could be taken without waiting.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn try_take(self, connection: &mut PgConnection) -> Result<bool, DbError> {
        let taken = sqlx::query_scalar!(
            r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "taken!""#,
            self.name()
        );
        Ok(taken.fetch_one(connection).await?)
    }

    /// Waits for whoever has it alone.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub async fn share(self, connection: &mut PgConnection) -> Result<(), DbError> {
        sqlx::query!("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))", self.name())
            .execute(connection)
            .await?;
        Ok(())
    }
}
