//! Who is asking.

use std::net::IpAddr;
use std::sync::Arc;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ApiKeyId, SessionId, UserId, WorkspaceId};
use time::OffsetDateTime;

use super::{Audiences, PermissionSet, STEP_UP_LIVES, ScopeSet, SharedSlug};
use crate::db::{AccountAuthority, ProjectWall, sealed};
use crate::networks::Networks;

/// A person whose session was checked. `authn` alone attests it.
#[derive(Clone, Debug)]
pub struct SignedIn {
    user: UserId,
    session: SessionId,
    live: LiveSession,
}

/// What is known of a session that lives, of a person who is not suspended.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// Its person's address.
    pub email: String,
    /// When it began: no refresh puts it off.
    pub signed_in_at: OffsetDateTime,
    /// Whether a factor beyond the mail was shown when it began.
    pub strong: bool,
}

/// When a session began, by its id, which is vouched for: it was made at that moment (RFC 9562, section 5.7), or at that of the
/// session whose person approved it.
#[must_use]
pub fn began_at(session: SessionId) -> OffsetDateTime {
    let (seconds, nanos) = session.uuid().get_timestamp().map_or((0, 0), |at| at.to_unix());
    let seconds = i64::try_from(seconds).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at + time::Duration::nanoseconds(i64::from(nanos))
}

impl SignedIn {
    /// For `authn`, after it has checked the token's signature and that the session lives
    /// (`cargo xtask tidy` holds everybody else off).
    pub(crate) const fn attested(user: UserId, session: SessionId, live: LiveSession) -> Self {
        Self { user, session, live }
    }

    /// The person.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Their session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// When they last proved who they are: the beginning of their session, which no refresh puts off.
    #[must_use]
    pub const fn signed_in_at(&self) -> OffsetDateTime {
        self.live.signed_in_at
    }

    /// Whether they proved who they are a moment ago: what is asked of whoever changes who may come in.
    #[must_use]
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        now - self.live.signed_in_at <= STEP_UP_LIVES
    }

    /// Whether they showed a factor beyond the mail.
    #[must_use]
    pub const fn is_strong(&self) -> bool {
        self.live.strong
    }

    /// Their address, to show to themselves.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.live.email
    }
}

impl sealed::Sealed for SignedIn {}
impl AccountAuthority for SignedIn {
    fn user(&self) -> UserId {
        self.user
    }
}

/// What is known of an API key.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// The key.
    pub id: ApiKeyId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its workspace's slug, by which a path may name it too.
    pub workspace_slug: SharedSlug,
    /// Its environment, which no header changes.
    pub environment: Environment,
    /// Its project wall.
    pub project: ProjectWall,
    /// Its name, for `GET /v1/key`.
    pub name: Box<str>,
    /// Its scopes.
    pub scopes: ScopeSet,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends, if it does.
    pub expires_at: Option<OffsetDateTime>,
    /// The services that it is for.
    pub audiences: Audiences,
    /// Where it may be used from.
    pub allowed: Networks,
}

/// Why a key that is known and not revoked does not work here and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLapse {
    /// Its time is over.
    Expired,
    /// It is not for use from this address.
    Address,
}

impl KeyFacts {
    /// All that is asked of a key at each of its uses: of the moment, and of the address that it is used from.
    ///
    /// # Errors
    /// See [`KeyLapse`].
    pub fn at_use(&self, now: OffsetDateTime, from: Option<IpAddr>) -> Result<(), KeyLapse> {
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(KeyLapse::Expired);
        }
        if self.allowed.admit(from) { Ok(()) } else { Err(KeyLapse::Address) }
    }
}

/// The holder of an API key that was checked. `authn` alone attests it.
#[derive(Clone, Debug)]
pub struct KeyHolder(Arc<KeyFacts>);

impl KeyHolder {
    /// For `authn`, after it has compared digests and looked at expiry and revocation
    /// (`cargo xtask tidy` holds everybody else off).
    pub(crate) const fn attested(facts: Arc<KeyFacts>) -> Self {
        Self(facts)
    }

    /// The key that they hold.
    #[must_use]
    pub fn key(&self) -> &KeyFacts {
        &self.0
    }

    /// What it may do: what its scopes allow, less all that a project wall keeps out.
    #[must_use]
    pub fn permissions(&self) -> PermissionSet {
        match self.0.project {
            ProjectWall::Unconfined => self.0.scopes.permissions(),
            ProjectWall::Within(_) => self.0.scopes.permissions().intersection(PermissionSet::WITHIN_PROJECT),
        }
    }
}

/// Who is asking.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A person, by their session.
    Session(SignedIn),
    /// A program, by its key.
    Key(KeyHolder),
}

impl Principal {
    /// The user's or the key's id, under which idempotency keys are kept apart.
    #[must_use]
    pub fn id(&self) -> uuid::Uuid {
        match self {
            Self::Session(person) => person.user.uuid(),
            Self::Key(holder) => holder.0.id.uuid(),
        }
    }

    /// As the ledger writes it: the id, whose prefix tells a user from a key.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Session(person) => person.user.to_string(),
            Self::Key(holder) => holder.0.id.to_string(),
        }
    }
}
