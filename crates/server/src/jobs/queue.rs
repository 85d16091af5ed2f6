//! The way into the queue: in the caller's transaction, or not at all.

use std::time::Duration;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{Id, JobId, WorkspaceId};
use time::OffsetDateTime;
use tokio::time::sleep;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::kind::{Failure, InCell, InWorkspace, Job};
use super::sql::{self, New};
use super::wake::{Lane, SharedWake};
use crate::db::{DbError, SystemTx, WorkspaceTx};
use crate::entropy::Entropy;
use crate::http::Problem;
use crate::vault::{JOB_PAYLOAD, Owner, Place, Plaintext, RowId, Vault, VaultError};

/// What is due within this is remembered by the node that has enqueued it.
const REMEMBERED: Duration = Duration::from_secs(900);
/// How a payload without content reads: it is not stored.
const NO_CONTENT: &[u8] = b"null";

/// Takes jobs. A clone wakes the same workers.
#[derive(Clone)]
pub struct Queue {
    vault: Vault,
    entropy: Entropy,
    wake: SharedWake,
}

/// Why a job could not be enqueued. The caller's transaction is of no use then.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The payload cannot be sealed at the moment.
    #[error("a payload does not seal: {0}")]
    Vault(#[from] VaultError),
    /// The payload has no JSON.
    #[error("a payload does not serialize")]
    Payload,
}

impl From<EnqueueError> for Problem {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Db(error) => error.into(),
            EnqueueError::Vault(error) => error.into(),
            error => Self::internal("enqueue", &error),
        }
    }
}

impl From<EnqueueError> for Failure {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Db(error) => error.into(),
            EnqueueError::Vault(error) => error.into(),
            EnqueueError::Payload => Self::again("not_enqueued"),
        }
    }
}

impl Queue {
    /// A queue of its own workers' wake-up.
    #[must_use]
    pub fn new(vault: Vault, entropy: Entropy) -> Self {
        Self { vault, entropy, wake: SharedWake::default() }
    }

    /// Adds a job to the workspace's lane, due at once. It acts behind the walls of this very transaction: its
    /// environment, and its project if one confines.
    ///
    /// # Errors
    /// See [`EnqueueError`].
    pub async fn enqueue<J: Job<Place = InWorkspace>>(
        &self,
        tx: &mut WorkspaceTx,
        payload: &J::Payload,
    ) -> Result<JobId, EnqueueError> {
        let due_at = tx.context().received_at;
        let added = self.enqueue_all::<J>(tx, std::slice::from_ref(payload), due_at).await?;
        added.into_iter().next().ok_or(EnqueueError::Payload)
    }

    /// As [`Self::enqueue`], many at once in one statement, due at that time.
    ///
    /// # Errors
    /// See [`EnqueueError`].
    pub async fn enqueue_all<J: Job<Place = InWorkspace>>(
        &self,
        tx: &mut WorkspaceTx,
        payloads: &[J::Payload],
        due_at: OffsetDateTime,
    ) -> Result<Vec<JobId>, EnqueueError> {
        let (workspace, now) = (tx.workspace().uuid(), tx.context().received_at);
        let jobs = self.new_jobs::<J>(workspace, payloads, now).await?;
        let ids = jobs.iter().map(|job| Id::from_uuid(job.id)).collect();
        sql::enqueue(tx, J::KIND, due_at, jobs).await?;
        if due_at <= now {
            let wake = self.wake.clone();
            let lane = Lane { workspace, kind: J::KIND, retrying: false };
            tx.after_commit(move || wake.enqueued(lane, due_at));
        }
        Ok(ids)
    }

    /// Adds a job without content to a workspace's lane, where no request or job of that workspace is at hand. It acts in that
    /// environment, unconfined.
    ///
    /// # Errors
    /// See [`EnqueueError`].
    pub async fn enqueue_for<J: Job<Place = InWorkspace, Payload = ()>>(
        &self,
        tx: &mut SystemTx,
        (workspace, environment): (WorkspaceId, Environment),
        (now, due_at): (OffsetDateTime, OffsetDateTime),
    ) -> Result<JobId, EnqueueError> {
        let id = self.entropy.uuid_v7(now);
        sql::enqueue_for(tx, (workspace.uuid(), environment.as_str()), J::KIND, due_at, id).await?;
        let wake = self.wake.clone();
        let lane = Lane { workspace: workspace.uuid(), kind: J::KIND, retrying: false };
        let pause = Duration::try_from(due_at - now).unwrap_or_default();
        tx.after_commit(move || {
            if pause.is_zero() {
                wake.enqueued(lane, due_at);
            } else if pause <= REMEMBERED {
                // A busy node looks for what has become due only now and then. If this one dies, another looks.
                tokio::spawn(async move {
                    sleep(pause).await;
                    wake.enqueued(lane, due_at);
                });
            }
        });
        Ok(Id::from_uuid(id))
    }

    /// Adds a job of the server's own, due at once.
    ///
    /// # Errors
    /// See [`EnqueueError`].
    pub async fn enqueue_in_cell<J: Job<Place = InCell>>(
        &self,
        tx: &mut SystemTx,
        payload: &J::Payload,
        now: OffsetDateTime,
    ) -> Result<JobId, EnqueueError> {
        let jobs = self.new_jobs::<J>(Uuid::nil(), std::slice::from_ref(payload), now).await?;
        let job = jobs.into_iter().next().ok_or(EnqueueError::Payload)?;
        self.add_to_cell(tx, J::KIND, job, now).await
    }

    /// Adds a job of the server's own that is about nothing but itself.
    pub(super) async fn enqueue_scheduled(
        &self,
        tx: &mut SystemTx,
        kind: &'static str,
        now: OffsetDateTime,
    ) -> Result<JobId, EnqueueError> {
        let job = New { id: self.entropy.uuid_v7(now), payload_sealed: None };
        self.add_to_cell(tx, kind, job, now).await
    }

    async fn add_to_cell(
        &self,
        tx: &mut SystemTx,
        kind: &'static str,
        job: New,
        now: OffsetDateTime,
    ) -> Result<JobId, EnqueueError> {
        let id = Id::from_uuid(job.id);
        sql::enqueue_in_cell(tx, kind, now, job).await?;
        let wake = self.wake.clone();
        tx.after_commit(move || wake.enqueued(Lane { workspace: Uuid::nil(), kind, retrying: false }, now));
        Ok(id)
    }

    async fn new_jobs<J: Job>(
        &self,
        workspace: Uuid,
        payloads: &[J::Payload],
        now: OffsetDateTime,
    ) -> Result<Vec<New>, EnqueueError> {
        let contents: Vec<_> = payloads
            .iter()
            .map(|payload| serde_json::to_vec(payload).map(Zeroizing::new).map_err(|_| EnqueueError::Payload))
            .collect::<Result<_, _>>()?;
        let uses = contents.iter().filter(|content| content.as_slice() != NO_CONTENT).count();
        let uses = u32::try_from(uses).map_err(|_| EnqueueError::Payload)?;
        let mut sealer = if uses == 0 { None } else { Some(self.vault.sealer(Owner::of(workspace), uses).await?) };
        let mut jobs = Vec::with_capacity(contents.len());
        for content in contents {
            let id = self.entropy.uuid_v7(now);
            let payload_sealed = match (&mut sealer, content.as_slice()) {
                (_, NO_CONTENT) | (None, _) => None,
                (Some(sealer), content) => Some(sealer.seal(&place(&row(workspace, id)), content)?),
            };
            jobs.push(New { id, payload_sealed });
        }
        Ok(jobs)
    }

    /// What was enqueued.
    pub(super) async fn open(&self, workspace: Uuid, id: Uuid, sealed: Option<&[u8]>) -> Result<Plaintext, VaultError> {
        match sealed {
            Some(sealed) => self.vault.unseal(Owner::of(workspace), &place(&row(workspace, id)), sealed).await,
            None => Ok(Plaintext::from(NO_CONTENT.to_vec())),
        }
    }

    pub(super) const fn wake(&self) -> &SharedWake {
        &self.wake
    }

    pub(super) const fn entropy(&self) -> &Entropy {
        &self.entropy
    }
}

/// A payload opens for its own job alone.
fn row(workspace: Uuid, id: Uuid) -> RowId {
    RowId::new().uuid(workspace).uuid(id)
}

fn place(row: &RowId) -> Place<'_> {
    Place { column: &JOB_PAYLOAD, row: row.as_bytes(), subject: None }
}
