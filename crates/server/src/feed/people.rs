//! Sessions that live and memberships, of people who were here lately.
//!
//! # Invariants
//! - A change removes what it concerns, and nothing that was read before it is kept ([`People::begin`]).
//! - Only what lives is here: whatever is not is asked of the database.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_proof::id::{SessionId, UserId};
use time::OffsetDateTime;

use super::bounded::Bounded;
use crate::authz::Memberships;

const SESSIONS: usize = 100_000;
const MEMBERS: usize = 100_000;

/// A session that was not ended, of a person who is not suspended. It may be over by its time.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) user: UserId,
    pub(super) email: Arc<str>,
    /// When its person signed in.
    pub(super) created_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
    /// Whether a factor beyond the mail was shown when it began.
    pub(super) strong: bool,
}

/// A moment before a question, to be shown with its answer.
#[derive(Clone, Copy)]
pub(super) struct Begun(u64);

pub(super) struct People(Mutex<Known>);

struct Known {
    /// How often something was removed.
    removals: u64,
    sessions: Bounded<SessionId, Session>,
    memberships: Bounded<UserId, Memberships>,
}

impl Default for People {
    fn default() -> Self {
        let (sessions, memberships) = (Bounded::of(SESSIONS), Bounded::of(MEMBERS));
        Self(Mutex::new(Known { removals: 0, sessions, memberships }))
    }
}

impl People {
    /// To be called before the database is asked.
    pub(super) fn begin(&self) -> Begun {
        Begun(self.lock().removals)
    }

    pub(super) fn session(&self, session: SessionId) -> Option<Session> {
        self.lock().sessions.get(&session)
    }

    pub(super) fn keep_session(&self, begun: Begun, session: SessionId, read: Session) {
        let mut known = self.lock();
        if known.removals == begun.0 {
            known.sessions.insert(session, read);
        }
    }

    pub(super) fn memberships(&self, user: UserId) -> Option<Memberships> {
        self.lock().memberships.get(&user)
    }

    pub(super) fn keep_memberships(&self, begun: Begun, user: UserId, read: Memberships) {
        let mut known = self.lock();
        if known.removals == begun.0 {
            known.memberships.insert(user, read);
        }
    }

    /// A session was ended.
    pub(super) fn session_changed(&self, session: SessionId) {
        self.removing().sessions.remove(&session);
    }

    /// A person was suspended, or has another address.
    pub(super) fn user_changed(&self, user: UserId) {
        self.removing().sessions.retain(|session| session.user != user);
    }

    /// A person joined, left, or has another role.
    pub(super) fn membership_changed(&self, user: UserId) {
        self.removing().memberships.remove(&user);
    }

    /// A workspace has another slug. Rare, so everybody is asked for anew.
    pub(super) fn workspace_changed(&self) {
        self.removing().memberships.clear();
    }

    /// Everything is to be read anew.
    pub(super) fn reset(&self) {
        let mut known = self.removing();
        known.sessions.clear();
        known.memberships.clear();
    }

    fn removing(&self) -> MutexGuard<'_, Known> {
        let mut known = self.lock();
        known.removals += 1;
        known
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
