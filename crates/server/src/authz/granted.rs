//! The decision: may this principal do that, there?

use std::fmt;
use std::marker::PhantomData;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{UserId, WorkspaceId};

use super::may::Needs;
use super::{Memberships, Notary, Permission, PermissionSet, Principal, Role, ScopeSet, SignedIn, WorkspaceRef, sql};
use crate::context::RequestContext;
use crate::db::{Authority, DbError, ProjectWall, WorkspaceTx, sealed};

/// A sign-in is fresh for so long: a browser that was left open, or a stolen session, reveals nothing after it.
pub const STEP_UP_LIVES: time::Duration = time::Duration::minutes(10);

/// The proof that the principal of a request has permission `P` in a workspace and environment.
///
/// Only [`grant`] makes one; handlers take it as an argument and the data layer as an authority.
pub struct Granted<P> {
    principal: Principal,
    workspace: WorkspaceId,
    environment: Environment,
    project: ProjectWall,
    role: Option<Role>,
    context: RequestContext,
    permission: PhantomData<fn() -> P>,
}

/// What is asked for, apart from the permission.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The workspace as the path names it.
    pub workspace: &'a str,
    /// The environment that was chosen, if one was.
    pub environment: Option<Environment>,
    /// The request at hand.
    pub context: &'a RequestContext,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// There is no such workspace, as far as this principal can tell.
    #[error("no such workspace")]
    NotFound,
    /// Several of the person's workspaces have this slug.
    #[error("several workspaces have this slug")]
    AmbiguousSlug(Vec<WorkspaceId>),
    /// The principal can see the workspace and may not do this in it.
    #[error("permission {} is missing", .0.name())]
    Forbidden(Permission),
    /// The workspace lets in only those who have shown a factor beyond the mail.
    #[error("the workspace demands a second factor")]
    FactorDemanded,
    /// The key belongs to the other environment.
    #[error("the key belongs to {0}")]
    OtherEnvironment(Environment),
    /// The lookup failed, so the answer is no.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Decides, from the principal's memberships or the key's own facts. A key has no memberships.
///
/// # Errors
/// See [`Denied`].
pub fn grant<P: Needs>(
    principal: Principal,
    memberships: &Memberships,
    request: Request<'_>,
) -> Result<Granted<P>, Denied> {
    let named = WorkspaceRef::parse(request.workspace).ok_or(Denied::NotFound)?;
    let (workspace, environment, project, role, permissions) = match &principal {
        Principal::Session(person) => {
            let (workspace, role) = membership(memberships, person, &named)?;
            let environment = request.environment.unwrap_or_default();
            (workspace, environment, ProjectWall::Unconfined, Some(role), role.permissions())
        }
        Principal::Key(holder) => {
            let key = holder.key();
            let own = match &named {
                WorkspaceRef::Id(id) => *id == key.workspace,
                WorkspaceRef::Slug(slug) => key.workspace_slug.is(slug),
            };
            if !own {
                return Err(Denied::NotFound);
            }
            if request.environment.is_some_and(|chosen| chosen != key.environment) {
                return Err(Denied::OtherEnvironment(key.environment));
            }
            (key.workspace, key.environment, key.project, None, holder.permissions())
        }
    };
    if !permissions.contains(P::PERMISSION) {
        return Err(Denied::Forbidden(P::PERMISSION));
    }
    let context = request.context.clone();
    Ok(Granted { principal, workspace, environment, project, role, context, permission: PhantomData })
}

/// A person's own place in a workspace that they name: without a permission it grants nothing, and tells others who asked.
///
/// # Errors
/// [`Denied::NotFound`] where they are no member, [`Denied::AmbiguousSlug`], [`Denied::FactorDemanded`].
pub fn place_of(memberships: &Memberships, person: &SignedIn, workspace: &str) -> Result<(WorkspaceId, Role), Denied> {
    membership(memberships, person, &WorkspaceRef::parse(workspace).ok_or(Denied::NotFound)?)
}

fn membership(
    memberships: &Memberships,
    person: &SignedIn,
    named: &WorkspaceRef,
) -> Result<(WorkspaceId, Role), Denied> {
    let found: Vec<_> = memberships.of(person).filter(|membership| membership.is_in(named)).collect();
    match found.as_slice() {
        [] => Err(Denied::NotFound),
        [one] if one.strong_only && !person.is_strong() => Err(Denied::FactorDemanded),
        [one] => Ok((one.workspace, one.role.ok_or(Denied::NotFound)?)),
        several => Err(Denied::AmbiguousSlug(several.iter().map(|membership| membership.workspace).collect())),
    }
}

impl<P> Granted<P> {
    /// Who asks.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether this may be done that asks for a person who signed in a moment ago. A key has no sign-in: what it may do is
    /// settled by its scopes.
    #[must_use]
    pub fn is_stepped_up(&self) -> bool {
        match &self.principal {
            Principal::Session(person) => person.is_fresh(self.context.received_at),
            Principal::Key(_) => true,
        }
    }

    /// The same in live, for a person: who belongs to a workspace, and as what, is the same in both environments, and what
    /// changes of it stands in the log of live.
    #[must_use]
    pub fn in_live(&self) -> Self {
        let environment = match self.principal {
            Principal::Session(_) => Environment::Live,
            Principal::Key(_) => self.environment,
        };
        let (principal, context) = (self.principal.clone(), self.context.clone());
        let Self { workspace, project, role, .. } = *self;
        Self { principal, workspace, environment, project, role, context, permission: PhantomData }
    }

    /// A member's role; `None` for a key.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        self.role
    }
}

impl<P: Needs> Granted<P> {
    /// What the principal can do at this moment, read again in the transaction that hands some of it on, and held until it
    /// ends: a member's role may have changed since the request was let in, and a key may have ended.
    ///
    /// # Errors
    /// [`Denied::NotFound`] when the membership is gone or the key has ended, [`Denied::Forbidden`] when its role has lost
    /// the permission, [`Denied::FactorDemanded`].
    pub async fn ceiling(&self, tx: &mut WorkspaceTx, notary: &Notary) -> Result<(PermissionSet, ScopeSet), Denied> {
        match &self.principal {
            Principal::Session(person) => {
                let held = sql::role_for_share(tx, notary, person.user()).await?;
                let (role, strong_only) = held.ok_or(Denied::NotFound)?;
                if strong_only && !person.is_strong() {
                    return Err(Denied::FactorDemanded);
                }
                if !role.permissions().contains(P::PERMISSION) {
                    return Err(Denied::Forbidden(P::PERMISSION));
                }
                Ok((role.permissions(), ScopeSet::ALL))
            }
            Principal::Key(holder) => {
                if !sql::key_works_for_share(tx, notary, holder.key().id).await? {
                    return Err(Denied::NotFound);
                }
                Ok((holder.permissions(), holder.key().scopes))
            }
        }
    }
}

impl<P> fmt::Debug for Granted<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl<P> sealed::Sealed for Granted<P> {}
impl<P> Authority for Granted<P> {
    fn workspace(&self) -> WorkspaceId {
        self.workspace
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
    fn principal_id(&self) -> uuid::Uuid {
        self.principal.id()
    }
    fn actor(&self) -> String {
        self.principal.actor()
    }
    fn context(&self) -> &RequestContext {
        &self.context
    }
}
