//! What can go wrong between us and the database, as far as a caller can act on it.

/// A failed statement or connection.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Nobody answers, or every connection is busy for too long: worth another try later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A named constraint refused a row.
    #[error("constraint {constraint} was violated")]
    Constraint {
        /// The constraint's name, as in the migrations.
        constraint: String,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// The transaction had failed before, so its commit would have been a rollback.
    #[error("the transaction had failed before its commit")]
    Aborted,
    /// Another claim has taken over the job that this transaction belonged to: nothing was committed.
    #[error("the lease of the job was lost")]
    LeaseLost,
    /// Anything else: a fault of ours.
    #[error("a statement failed: {0}")]
    Statement(#[source] sqlx::Error),
}

impl DbError {
    /// As many are asking as may; the database was not asked.
    #[must_use]
    pub const fn busy() -> Self {
        Self::Unavailable(sqlx::Error::PoolTimedOut)
    }

    /// The name of the constraint that was violated, if that is what happened.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { constraint, .. } => Some(constraint),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
                Self::Unavailable(error)
            }
            E::Database(database) => {
                let code = database.code().unwrap_or_default();
                // Class 08: connection; 28: credentials; 40: rolled back for another's sake; 53: resources;
                // 57P: shutdown and start-up; 55P03: lock timeout.
                if ["08", "28", "40", "53", "57P"].iter().any(|class| code.starts_with(class)) || code == "55P03" {
                    Self::Unavailable(error)
                } else if let Some(name) = database.constraint() {
                    Self::Constraint { constraint: name.to_owned(), source: error }
                } else if code == "25P02" {
                    Self::Aborted
                } else {
                    Self::Statement(error)
                }
            }
            _ => Self::Statement(error),
        }
    }
}
