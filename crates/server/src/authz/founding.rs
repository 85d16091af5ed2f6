//! The authority over a workspace that does not exist yet.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{UserId, WorkspaceId};

use super::{Principal, SignedIn};
use crate::context::RequestContext;
use crate::db::{Authority, ProjectWall, sealed};

/// A signed-in person founds a workspace under a fresh id, which nobody else can know yet.
pub struct Founding {
    workspace: WorkspaceId,
    founder: SignedIn,
    context: RequestContext,
}

impl Founding {
    /// For `workspaces` alone, with an id that was drawn for this request
    /// (`cargo xtask tidy` holds everybody else off).
    pub(crate) fn of(fresh: WorkspaceId, founder: SignedIn, context: RequestContext) -> Self {
        Self { workspace: fresh, founder, context }
    }

    /// Who founds.
    #[must_use]
    pub const fn founder(&self) -> &SignedIn {
        &self.founder
    }
}

impl sealed::Sealed for Founding {}
impl Authority for Founding {
    fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
    fn environment(&self) -> Environment {
        Environment::Live
    }
    fn project(&self) -> ProjectWall {
        ProjectWall::Unconfined
    }
    fn founder(&self) -> Option<UserId> {
        Some(self.founder.user())
    }
    fn principal_id(&self) -> uuid::Uuid {
        self.founder.user().uuid()
    }
    fn actor(&self) -> String {
        Principal::Session(self.founder.clone()).actor()
    }
    fn context(&self) -> &RequestContext {
        &self.context
    }
}
