//! The authority of whoever takes an invitation: over the one workspace that it invites to.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{UserId, WorkspaceId};

use super::{Principal, SignedIn};
use crate::context::RequestContext;
use crate::db::{Authority, ProjectWall, sealed};

/// A signed-in person who holds an invitation of this workspace's.
pub struct Redeemed {
    workspace: WorkspaceId,
    person: SignedIn,
    context: RequestContext,
}

impl Redeemed {
    /// For `members` alone, of an invitation that was found by its token, is vouched for, and is the person's
    /// (`cargo xtask tidy` holds everybody else off).
    pub(crate) const fn of(invited_to: WorkspaceId, person: SignedIn, context: RequestContext) -> Self {
        Self { workspace: invited_to, person, context }
    }

    /// Who was invited.
    #[must_use]
    pub const fn person(&self) -> &SignedIn {
        &self.person
    }
}

impl sealed::Sealed for Redeemed {}
impl Authority for Redeemed {
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
        None
    }
    fn principal_id(&self) -> uuid::Uuid {
        self.person.user().uuid()
    }
    fn actor(&self) -> String {
        Principal::Session(self.person.clone()).actor()
    }
    fn context(&self) -> &RequestContext {
        &self.context
    }
}
