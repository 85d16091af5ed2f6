//! A tenant's transaction: everything in it happens in one workspace, environment and project wall.

use std::sync::Arc;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{UserId, WorkspaceId};
use sqlx::PgConnection;
use tokio::sync::Notify;

use super::DbError;
use super::after_commit::AfterCommit;
use super::authority::{Authority, Lease, ProjectWall, Recorded};
use super::closing::{self, KeptAnswer, Place, StagedEntry};
use super::lease;
use super::tx::{Pool, Settings, Tx, Xid};
use crate::context::RequestContext;

/// Every tenant statement takes a `&mut WorkspaceTx`. Dropped, it rolls back.
pub struct WorkspaceTx {
    tx: Tx,
    workspace: WorkspaceId,
    environment: Environment,
    project: ProjectWall,
    founder: Option<UserId>,
    actor: String,
    context: RequestContext,
    wakes: Arc<Notify>,
    entries: Vec<StagedEntry>,
    lease: Option<Lease>,
    after_commit: AfterCommit,
}

impl WorkspaceTx {
    pub(super) async fn open(pool: &Pool, authority: &impl Authority, wakes: Arc<Notify>) -> Result<Self, DbError> {
        let project = authority.project();
        let settings = Settings {
            workspace_id: authority.workspace().uuid().to_string(),
            environment: authority.environment().as_str(),
            project_id: project.project().map_or_else(|| "*".to_owned(), |id| id.uuid().to_string()),
            user_id: authority.founder().map(|user| user.uuid().to_string()).unwrap_or_default(),
            ..Settings::default()
        };
        Ok(Self {
            tx: Tx::open(pool, &settings).await?,
            workspace: authority.workspace(),
            environment: authority.environment(),
            project,
            founder: authority.founder(),
            actor: authority.actor(),
            context: authority.context().clone(),
            wakes,
            entries: Vec::new(),
            lease: authority.lease(),
            after_commit: AfterCommit::default(),
        })
    }

    /// The tenant whose rows are visible.
    #[must_use]
    pub const fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The environment whose rows are visible.
    #[must_use]
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// The project wall in force.
    #[must_use]
    pub const fn project(&self) -> ProjectWall {
        self.project
    }

    /// The person who founds this very workspace, whose own rows are visible too.
    #[must_use]
    pub const fn founder(&self) -> Option<UserId> {
        self.founder
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

    /// For the statements of a feature's `sql` module.
    ///
    /// # Errors
    /// [`DbError::Aborted`] when the transaction has ended.
    pub fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        self.tx.connection()
    }

    /// Takes an entry in, which the commit writes.
    pub(crate) fn stage(&mut self, entry: StagedEntry) {
        self.entries.push(entry);
    }

    /// Has this called once the transaction has been committed.
    pub fn after_commit(&mut self, tell: impl FnOnce() + Send + Sync + 'static) {
        self.after_commit.push(tell);
    }

    /// The transaction's id, by which a barrier knows the change.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn xid(&mut self) -> Result<Xid, DbError> {
        self.tx.xid().await
    }

    /// Commits a change together with its ledger entry, and wakes the ledger. What a job does is committed under its
    /// lease.
    ///
    /// # Errors
    /// See [`DbError`]; on [`DbError::Unavailable`] nobody knows whether it happened, and an
    /// idempotency key is what tells. [`DbError::LeaseLost`] when somebody else has the job.
    pub async fn commit(self, recorded: Recorded) -> Result<(), DbError> {
        self.commit_answered(recorded, None).await
    }

    /// As [`Self::commit`], and keeps the answer to the request for a retry.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub async fn commit_answered(mut self, recorded: Recorded, answer: Option<KeptAnswer>) -> Result<(), DbError> {
        if let Some(lease) = self.lease {
            lease::hold(&mut self.tx, self.workspace, lease).await?;
        }
        self.commit_now(recorded, answer).await
    }

    /// As [`Self::commit`], and the job whose transaction this is ends with it. For `jobs` alone
    /// (`cargo xtask tidy` holds everybody else off).
    ///
    /// # Errors
    /// As [`Self::commit`]; [`DbError::LeaseLost`] also for a transaction that is no job's.
    pub(crate) async fn commit_ending_job(mut self, recorded: Recorded) -> Result<(), DbError> {
        let lease = self.lease.ok_or(DbError::LeaseLost)?;
        lease::end(&mut self.tx, self.workspace, lease).await?;
        self.commit_now(recorded, None).await
    }

    async fn commit_now(mut self, _recorded: Recorded, answer: Option<KeptAnswer>) -> Result<(), DbError> {
        let place = Place {
            workspace: self.workspace,
            environment: self.environment,
            founding: self.founder.is_some(),
            context: &self.context,
        };
        closing::write(self.tx.connection()?, &place, &self.entries, answer.as_ref()).await?;
        self.tx.commit_after_statement().await?;
        self.wakes.notify_one();
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
