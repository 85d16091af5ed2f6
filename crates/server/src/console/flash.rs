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
    SignedOutEverywhere,
    SessionEnded,
    OthersSignedOut,
    DeviceApproved,
    DeviceDenied,
    AddressCodesSent,
    AddressConfirmed,
    AddressChanged,
    AccountDeleted,
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
    ReceiptShareRevoked,
    FilterSaved,
    FilterDeleted,
    ActionRegistered,
    ActionRetired,
    RetentionSet,
    HoldOpened,
    HoldReleased,
    Invited,
    InvitationSent,
    InvitationRevoked,
    RoleChanged,
    MemberRemoved,
    WorkspaceTransferred,
    WorkspaceLeft,
    Joined,
    JoinedWithSharedSlug,
    FactorAdded,
    FactorRemoved,
    SteppedUp,
    MfaDemanded,
    MfaReleased,
    PasskeyAdded,
    PasskeyRenamed,
    PasskeyRemoved,
    PasskeyRefused,
}

impl Flash {
    const ALL: [Self; 52] = [
        Self::SignedIn,
        Self::SignedOut,
        Self::SignedOutEverywhere,
        Self::SessionEnded,
        Self::OthersSignedOut,
        Self::DeviceApproved,
        Self::DeviceDenied,
        Self::AddressCodesSent,
        Self::AddressConfirmed,
        Self::AddressChanged,
        Self::AccountDeleted,
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
        Self::ReceiptShareRevoked,
        Self::FilterSaved,
        Self::FilterDeleted,
        Self::ActionRegistered,
        Self::ActionRetired,
        Self::RetentionSet,
        Self::HoldOpened,
        Self::HoldReleased,
        Self::Invited,
        Self::InvitationSent,
        Self::InvitationRevoked,
        Self::RoleChanged,
        Self::MemberRemoved,
        Self::WorkspaceTransferred,
        Self::WorkspaceLeft,
        Self::Joined,
        Self::PasskeyAdded,
        Self::PasskeyRenamed,
        Self::PasskeyRemoved,
        Self::PasskeyRefused,
        Self::FactorAdded,
        Self::FactorRemoved,
        Self::SteppedUp,
        Self::MfaDemanded,
        Self::MfaReleased,
        Self::JoinedWithSharedSlug,
    ];

    /// `Set-Cookie` for the next page.
    pub(super) fn cookie(self, style: CookieStyle) -> HeaderValue {
        style.set(Cookie::Flash, self.word(), LIVES)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::SignedIn => "signed-in",
            Self::SignedOut => "signed-out",
            Self::SignedOutEverywhere => "signed-out-everywhere",
            Self::SessionEnded => "session-ended",
            Self::OthersSignedOut => "others-signed-out",
            Self::DeviceApproved => "device-approved",
            Self::DeviceDenied => "device-denied",
            Self::AddressCodesSent => "address-codes-sent",
            Self::AddressConfirmed => "address-confirmed",
            Self::AddressChanged => "address-changed",
            Self::AccountDeleted => "account-deleted",
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
            Self::ReceiptShareRevoked => "receipt-share-revoked",
            Self::FilterSaved => "filter-saved",
            Self::FilterDeleted => "filter-deleted",
            Self::ActionRegistered => "action-registered",
            Self::ActionRetired => "action-retired",
            Self::RetentionSet => "retention-set",
            Self::HoldOpened => "hold-opened",
            Self::HoldReleased => "hold-released",
            Self::Invited => "invited",
            Self::InvitationSent => "invitation-sent",
            Self::InvitationRevoked => "invitation-revoked",
            Self::RoleChanged => "role-changed",
            Self::MemberRemoved => "member-removed",
            Self::WorkspaceTransferred => "workspace-transferred",
            Self::WorkspaceLeft => "workspace-left",
            Self::Joined => "joined",
            Self::JoinedWithSharedSlug => "joined-with-shared-slug",
            Self::FactorAdded => "factor-added",
            Self::FactorRemoved => "factor-removed",
            Self::SteppedUp => "stepped-up",
            Self::MfaDemanded => "mfa-demanded",
            Self::MfaReleased => "mfa-released",
            Self::PasskeyAdded => "passkey-added",
            Self::PasskeyRenamed => "passkey-renamed",
            Self::PasskeyRemoved => "passkey-removed",
            Self::PasskeyRefused => "passkey-refused",
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
            Self::SignedOutEverywhere => "You are signed out everywhere. None of your sessions is left.",
            Self::SessionEnded => "The session is ended. No node takes its tokens any more.",
            Self::OthersSignedOut => "This is your only session now. No node takes the tokens of the others any more.",
            Self::DeviceApproved => {
                "The program is let in. It picks its session up within seconds; you find it among your sessions."
            }
            Self::DeviceDenied => "Denied. The program gets nothing.",
            Self::AddressCodesSent => {
                "Both codes are on their way, one to each address. Where no new mail comes, the code of the newest counts."
            }
            Self::AddressConfirmed => "Confirmed. The code of the other address is missing.",
            Self::AddressChanged => "Your address is changed. Sign-in mails go to the new one.",
            Self::AccountDeleted => "Your account is deleted. No node lets you in any more.",
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
            Self::FilterSaved => "The filter is saved.",
            Self::FilterDeleted => "The filter is deleted.",
            Self::ReceiptShareRevoked => "The link is revoked. It shows nothing any more.",
            Self::SecretRotationReady => "Noted. The older versions are revoked now.",
            Self::ActionRegistered => "The action is registered. Your programs may record it.",
            Self::ActionRetired => "The action is retired. What was recorded of it stays in the log.",
            Self::RetentionSet => "The setting is changed. What is shorter takes effect a week from now.",
            Self::HoldOpened => "The hold is open. Nothing of this log goes until it is released.",
            Self::HoldReleased => "The hold is released.",
            Self::Invited => "The invitation is on its way. It can be taken for seven days.",
            Self::InvitationSent => "The invitation is sent again. The mail before it is worth nothing any more.",
            Self::InvitationRevoked => "The invitation is revoked. Nobody can take it any more.",
            Self::RoleChanged => "The role is changed, on every node.",
            Self::MemberRemoved => "They are removed. No node lets them into this workspace any more.",
            Self::WorkspaceTransferred => "The workspace is handed over. You are an admin of it now.",
            Self::WorkspaceLeft => "You have left the workspace. No node lets you in any more.",
            Self::Joined => "You belong to this workspace now.",
            Self::FactorAdded => "The authenticator is added.",
            Self::FactorRemoved => "The authenticator is removed. Its codes sign nobody in any more.",
            Self::SteppedUp => "It is you. For ten minutes you are not asked again.",
            Self::MfaDemanded => {
                "From now on every node lets in only those who have shown a second factor. Keys go on as before."
            }
            Self::MfaReleased => "The workspace demands no second factor any more.",
            Self::PasskeyAdded => "The passkey is added. It signs you in from now on.",
            Self::PasskeyRenamed => "The passkey has its new name.",
            Self::PasskeyRefused => "That passkey was not taken. Try once more, or go the other way.",
            Self::PasskeyRemoved => "The passkey is removed. It does not sign you in any more.",
            Self::JoinedWithSharedSlug => {
                "You belong to this workspace now. Another of yours has the same slug: paths with the slug name neither of them, so use their ids."
            }
        }
    }

    /// Good news, or only news?
    pub(crate) fn is_good(self) -> bool {
        !matches!(self, Self::SessionOver | Self::NotCarriedOut | Self::PasskeyRefused)
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
