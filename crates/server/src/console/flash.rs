//! What went well, told once on the page after a redirect.
//!
//! The cookie carries a word from a closed list, so nobody can put a sentence of theirs on our page. Where a page
//! must show something that is stored nowhere (a new key), the same cookie carries it sealed.

use axum::http::HeaderValue;
use time::Duration;

use crate::authn::cookie::{Cookie, CookieStyle};

/// How long a flash waits for its page.
const LIVES: Duration = Duration::minutes(1);
/// Begins the value of a cookie that holds something sealed; no word does.
pub(super) const CARRY_PREFIX: &str = "sealed.";

/// What just happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flash {
    SignedIn,
    SignedOut,
    SessionOver,
    NotCarriedOut,
    WorkspaceCreated,
    ProjectCreated,
    KeyStored,
    KeyRevoked,
    KeyChanged,
    SecretStored,
    SecretVersionAdded,
    SecretRead,
    SecretDeleted,
    SecretRotationOpened,
    SecretRotationReady,
    StreamSet,
    StreamRemoved,
    ActionRegistered,
    ActionRetired,
    RetentionSet,
    HoldOpened,
    HoldReleased,
}

impl Flash {
    const ALL: [Self; 22] = [
        Self::SignedIn,
        Self::SignedOut,
        Self::SessionOver,
        Self::NotCarriedOut,
        Self::WorkspaceCreated,
        Self::ProjectCreated,
        Self::KeyStored,
        Self::KeyRevoked,
        Self::KeyChanged,
        Self::SecretStored,
        Self::SecretVersionAdded,
        Self::SecretRead,
        Self::SecretDeleted,
        Self::SecretRotationOpened,
        Self::SecretRotationReady,
        Self::StreamSet,
        Self::StreamRemoved,
        Self::ActionRegistered,
        Self::ActionRetired,
        Self::RetentionSet,
        Self::HoldOpened,
        Self::HoldReleased,
    ];

    /// `Set-Cookie` for the next page.
    pub(super) fn cookie(self, style: CookieStyle) -> HeaderValue {
        style.set(Cookie::Flash, self.word(), LIVES)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::SignedIn => "signed-in",
            Self::SignedOut => "signed-out",
            Self::SessionOver => "session-over",
            Self::NotCarriedOut => "not-carried-out",
            Self::WorkspaceCreated => "workspace-created",
            Self::ProjectCreated => "project-created",
            Self::KeyStored => "key-stored",
            Self::KeyRevoked => "key-revoked",
            Self::KeyChanged => "key-changed",
            Self::SecretStored => "secret-stored",
            Self::SecretVersionAdded => "secret-version-added",
            Self::SecretRead => "secret-read",
            Self::SecretDeleted => "secret-deleted",
            Self::SecretRotationOpened => "secret-rotation-opened",
            Self::SecretRotationReady => "secret-rotation-ready",
            Self::StreamSet => "stream-set",
            Self::StreamRemoved => "stream-removed",
            Self::ActionRegistered => "action-registered",
            Self::ActionRetired => "action-retired",
            Self::RetentionSet => "retention-set",
            Self::HoldOpened => "hold-opened",
            Self::HoldReleased => "hold-released",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flash| flash.word() == word)
    }

    /// The sentence.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::SignedIn => "You are signed in.",
            Self::SignedOut => "You are signed out. This browser holds no session any more.",
            Self::SessionOver => "Your session is over. Sign in to go on.",
            Self::NotCarriedOut => {
                "Your session is over, and what you sent was not carried out. Sign in and send it again."
            }
            Self::WorkspaceCreated => "The workspace is made, and you are its owner.",
            Self::ProjectCreated => "The project is made.",
            Self::KeyStored => "The key is active. It is not shown again.",
            Self::KeyRevoked => "The key is revoked. It no longer works.",
            Self::KeyChanged => "The key is changed. It counts from the next request on.",
            Self::SecretStored => "The secret is sealed and stored.",
            Self::SecretVersionAdded => "The new version is sealed and stored. The one before stays readable.",
            Self::SecretRead => "The value is off the page. That you read it stands in the audit log.",
            Self::SecretDeleted => "The secret is deleted with all its versions.",
            Self::SecretRotationOpened => {
                "The new version is stored, and both are valid. Deploy it, then say so below."
            }
            Self::StreamSet => "The stream is set. It writes from the first entry on.",
            Self::StreamRemoved => "The stream is removed. What is in the bucket stays.",
            Self::SecretRotationReady => "Noted. The older versions are revoked now.",
            Self::ActionRegistered => "The action is registered. Your programs may record it.",
            Self::ActionRetired => "The action is retired. What was recorded of it stays in the log.",
            Self::RetentionSet => "The setting is changed. What is shorter takes effect a week from now.",
            Self::HoldOpened => "The hold is open. Nothing of this log goes until it is released.",
            Self::HoldReleased => "The hold is released.",
        }
    }

    /// Good news, or only news?
    pub(crate) fn is_good(self) -> bool {
        !matches!(self, Self::SessionOver | Self::NotCarriedOut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        for flash in Flash::ALL {
            assert_eq!(Flash::parse(flash.word()), Some(flash));
            assert!(!flash.word().starts_with(CARRY_PREFIX));
        }
        assert_eq!(Flash::parse("<b>anything</b>"), None);
    }
}
