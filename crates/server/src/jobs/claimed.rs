//! A job at hand, and the authority that it gives.

use std::marker::PhantomData;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{Id, JobId, ProjectId, UserId, WorkspaceId};
use uuid::Uuid;

use super::kind::{Failure, InWorkspace, Job};
use super::sql::Row;
use crate::authz::may::Needs;
use crate::context::RequestContext;
use crate::db::{Authority, Lease, ProjectWall, Recorded, WorkspaceTx, sealed};

/// The proof that a worker has claimed a job of kind `J`. Where `J` is a workspace's, it is an authority: what the job does
/// is done in that workspace, environment and project, under the job's lease, and the ledger names the job as the actor.
pub struct Claimed<J> {
    workspace: Uuid,
    environment: Environment,
    project: ProjectWall,
    id: JobId,
    fence: i64,
    attempt: u16,
    context: RequestContext,
    kind: PhantomData<fn() -> J>,
}

/// A job has done its work. There is no other way to say so than [`Claimed::done`] and [`Claimed::commit`].
#[must_use]
#[derive(Debug)]
pub struct Done {
    /// Whether the job's row went with its change; the worker deletes it otherwise.
    pub(super) is_ended: bool,
}

impl<J: Job> Claimed<J> {
    /// For the workers alone, of a row that they have claimed (`cargo xtask tidy` holds everybody else off).
    pub(super) fn of(row: &Row, context: RequestContext) -> Option<Self> {
        Some(Self {
            workspace: row.workspace_id,
            environment: row.environment.parse().ok()?,
            project: row.project_id.map_or(ProjectWall::Unconfined, |id| ProjectWall::Within(ProjectId::from_uuid(id))),
            id: Id::from_uuid(row.id),
            fence: row.fence,
            attempt: u16::try_from(row.attempts).unwrap_or(u16::MAX),
            context,
            kind: PhantomData,
        })
    }

    /// The job.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// Which try this is, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u16 {
        self.attempt
    }

    /// The identity of this try, as it goes into log lines and the ledger.
    #[must_use]
    pub const fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Asks for a permission that the kind declares; a kind that does not declare it does not compile.
    pub const fn needs<P: Needs>(&self) {
        const { assert!(J::PERMISSIONS.contains(P::PERMISSION), "the kind does not declare this permission") }
    }

    /// The work is done, and its row in the queue is to go. If the process dies first, the job is done again.
    pub fn done(self) -> Done {
        Done { is_ended: false }
    }
}

impl<J: Job<Place = InWorkspace>> Claimed<J> {
    /// Commits the job's change and ends the job with it: the change is there exactly once.
    ///
    /// # Errors
    /// The failure that the job is to end with: the change is not there, unless the database could not say.
    pub async fn commit(self, tx: WorkspaceTx, recorded: Recorded) -> Result<Done, Failure> {
        tx.commit_ending_job(recorded).await?;
        Ok(Done { is_ended: true })
    }
}

impl<J: Job<Place = InWorkspace>> sealed::Sealed for Claimed<J> {}
impl<J: Job<Place = InWorkspace>> Authority for Claimed<J> {
    fn workspace(&self) -> WorkspaceId {
        Id::from_uuid(self.workspace)
    }
    fn environment(&self) -> Environment {
        self.environment
    }
    fn project(&self) -> ProjectWall {
        self.project
    }
    fn founder(&self) -> Option<UserId> {
        None
    }
    fn principal_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn actor(&self) -> String {
        self.id.to_string()
    }
    fn context(&self) -> &RequestContext {
        &self.context
    }
    fn lease(&self) -> Option<Lease> {
        Some(Lease { job: self.id.uuid(), fence: self.fence })
    }
}
