//! Set, show, remove.

use bailiwick_proof::log::Log;
use serde_json::json;

use super::model::{Settings, Stream, row_of};
use super::run::StreamLog;
use super::{Streams, sql};
use crate::authz::{Granted, may};
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::http::Problem;
use crate::jobs::EnqueueError;
use crate::ledger::{self, Action, Entry, LedgerError, ProveError};
use crate::vault::{AUDIT_STREAM, Owner, Place, VaultError};

/// Why a stream is not set or shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    /// The job was not enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// Where it goes is not sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What is sealed is no setting, or a setting cannot be written.
    #[error("the settings of a stream are malformed")]
    Malformed,
    /// The log does not say what it is.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The log cannot be read.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<StreamError> for Problem {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Enqueue(error) => error.into(),
            StreamError::Vault(error) => error.into(),
            StreamError::Ledger(error) => error.into(),
            StreamError::Prove(ProveError::Ledger(error)) => error.into(),
            StreamError::Db(error) => error.into(),
            error => Self::internal("stream a log", &error),
        }
    }
}

impl Streams {
    /// Sets the environment's stream up, or turns it elsewhere: the row, the job that writes first, and the entry.
    pub(super) async fn set(&self, tx: &mut WorkspaceTx, settings: &Settings) -> Result<Recorded, StreamError> {
        let (workspace, environment) = (tx.workspace(), tx.environment());
        let row = row_of(workspace, environment);
        let place = Place { column: &AUDIT_STREAM, row: row.as_bytes(), subject: None };
        let bytes = settings.to_bytes().map_err(|_| StreamError::Malformed)?;
        let sealed = self.vault.seal(Owner::Workspace(workspace), &place, &bytes).await?;
        let job = self.queue.enqueue::<StreamLog>(tx, &()).await?;
        sql::set(tx, &sealed, job.uuid()).await?;
        let meta = json!({
            "endpoint": settings.endpoint, "region": settings.region, "bucket": settings.bucket, "prefix": settings.prefix,
            "access_key_id": settings.access_key_id,
        });
        Ok(ledger::stage(tx, &self.entropy, Entry::about(Action::AuditStreamSet, workspace).with(meta)))
    }

    /// The environment's stream, if it has one.
    pub(super) async fn show(&self, granted: &Granted<may::StreamAudit>) -> Result<Option<Stream>, StreamError> {
        let mut tx = self.db.workspace_tx(granted).await?;
        let stream = self.shown(&mut tx).await;
        tx.finish_reading().await?;
        stream
    }

    /// The same in a transaction at hand.
    pub(super) async fn shown(&self, tx: &mut WorkspaceTx) -> Result<Option<Stream>, StreamError> {
        let (workspace, environment) = (tx.workspace(), tx.environment());
        let Some(row) = sql::get(tx).await? else { return Ok(None) };
        let (generation, size) = ledger::published_size(tx).await?;
        let origin = self.ledger.origin(Log::Workspace { workspace, environment }, generation)?.to_string();
        let id = row_of(workspace, environment);
        let place = Place { column: &AUDIT_STREAM, row: id.as_bytes(), subject: None };
        let bytes = self.vault.unseal(Owner::Workspace(workspace), &place, &row.settings_sealed).await?;
        let settings = Settings::from_bytes(&bytes).map_err(|_| StreamError::Malformed)?;
        Ok(Some(row.show(&settings, &origin, size)))
    }
}

/// Removes the environment's stream. What is in the bucket stays; `None` if there is no stream.
pub(super) async fn remove(tx: &mut WorkspaceTx, entropy: &Entropy) -> Result<Option<Recorded>, DbError> {
    if !sql::remove(tx).await? {
        return Ok(None);
    }
    let entry = Entry::about(Action::AuditStreamRemoved, tx.workspace());
    Ok(Some(ledger::stage(tx, entropy, entry)))
}
