//! A request's own transaction that numbers what it records.
//!
//! It runs as the role of the operational paths, since the role that serves requests may append to staging and to nothing
//! else of a log; on one path of its own; and within the workspace and environment of an authority, which each policy of
//! that path names. So it writes into one log, whatever it is told (decision 19).

use std::sync::Arc;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use sqlx::PgConnection;
use tokio::sync::Notify;

use super::authority::{Authority, ProjectWall, Recorded};
use super::closing::{self, KeptAnswer, Place};
use super::tx::{Pool, Settings};
use super::{DbError, OperationalPath, SystemTx};
use crate::context::RequestContext;

/// Takes the ledger's statements, as a [`SystemTx`] does. Dropped, it rolls back.
pub struct RecordingTx {
    tx: SystemTx,
    workspace: WorkspaceId,
    environment: Environment,
    project: ProjectWall,
    actor: String,
    context: RequestContext,
}

impl RecordingTx {
    pub(super) async fn open(pool: &Pool, authority: &impl Authority, wakes: Arc<Notify>) -> Result<Self, DbError> {
        let settings = Settings {
            workspace_id: authority.workspace().uuid().to_string(),
            environment: authority.environment().as_str(),
            ..Settings::default()
        };
        Ok(Self {
            tx: SystemTx::open_with(pool, OperationalPath::RecordEvents, wakes, settings).await?,
            workspace: authority.workspace(),
            environment: authority.environment(),
            project: authority.project(),
            actor: authority.actor(),
            context: authority.context().clone(),
        })
    }

    /// The tenant whose log it is.
    #[must_use]
    pub const fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The environment whose log it is.
    #[must_use]
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// The project on whose trail everything is that it records, if the caller is confined to one.
    #[must_use]
    pub const fn project(&self) -> ProjectWall {
        self.project
    }

    /// Who acts, as the ledger writes it.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// The request that this transaction serves.
    #[must_use]
    pub const fn context(&self) -> &RequestContext {
        &self.context
    }

    /// For the ledger's statements, which it shares with the sequencer.
    #[must_use]
    pub const fn system(&mut self) -> &mut SystemTx {
        &mut self.tx
    }

    /// For the statements of a `sql` module.
    ///
    /// # Errors
    /// [`DbError::Aborted`] when the transaction has ended.
    pub fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        self.tx.connection()
    }

    /// Commits what was recorded, and keeps the answer to the request for a retry.
    ///
    /// # Errors
    /// See [`DbError`]; on [`DbError::Unavailable`] nobody knows whether it happened, and an idempotency key is what tells.
    pub async fn commit_answered(mut self, _recorded: Recorded, answer: Option<KeptAnswer>) -> Result<(), DbError> {
        if let Some(answer) = answer {
            let place = Place {
                workspace: self.workspace,
                environment: self.environment,
                founding: false,
                context: &self.context,
            };
            closing::insert_answer(self.tx.connection()?, &place, &answer).await?;
        }
        self.tx.commit_numbered().await
    }

    /// Ends a transaction that only read. It rolls back, so that nothing is written by this way out.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the connection broke.
    pub async fn finish_reading(self) -> Result<(), DbError> {
        self.tx.finish_reading().await
    }
}
