//! The catalog of our own actions.

/// Something that can have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A sign-in link was asked for.
    SignInRequested,
    /// A link or code was redeemed.
    SignedIn,
    /// A wrong code was tried.
    SignInFailed,
    /// What came to nothing within a minute, counted.
    SignInsRefused,
    /// A refresh token was exchanged for its successor.
    SessionRefreshed,
    /// A session was ended by its person.
    SignedOut,
    /// A person ended all of their sessions, or all but the one at hand.
    SessionsEnded,
    /// A used refresh token came back: every session of its person was ended.
    RefreshTokenReused,
    /// What a mail told was shown, and a factor is owed.
    FactorAsked,
    /// A code of an authenticator, or a recovery code, was wrong.
    FactorFailed,
    /// Somebody began to add an authenticator.
    FactorEnrolled,
    /// A factor counts from now on.
    FactorAdded,
    /// A factor counts no more.
    FactorRemoved,
    /// A passkey has another name.
    PasskeyRenamed,
    /// A passkey has signed, and was refused: there may be a copy of it.
    PasskeyRefused,
    /// Ten new recovery codes, in the place of any older ones.
    RecoveryCodesMade,
    /// An operator took all factors of a person away who had lost them.
    FactorsReset,
    /// A person proved themselves again: another session is in the place of theirs.
    SteppedUp,
    /// A program asked to be let in by somebody's word.
    DeviceLoginRequested,
    /// Somebody let a program in.
    DeviceLoginApproved,
    /// Somebody did not let a program in.
    DeviceLoginDenied,
    /// A person asked for another address.
    AddressChangeRequested,
    /// One of both addresses has confirmed the change.
    AddressConfirmed,
    /// A code that was to confirm an address was wrong.
    AddressCodeFailed,
    /// A person has another address.
    AddressChanged,
    /// A person has deleted their account.
    AccountDeleted,
    /// An operator keeps a person out.
    PersonSuspended,
    /// An operator lets a person in again.
    PersonRestored,
    /// A workspace was founded.
    WorkspaceCreated,
    /// Whether a workspace demands a second factor was said anew.
    WorkspaceMfaChanged,
    /// Somebody was invited into a workspace.
    InvitationCreated,
    /// An invitation was sent again.
    InvitationResent,
    /// An invitation was revoked.
    InvitationRevoked,
    /// Somebody took an invitation: they belong to the workspace.
    InvitationAccepted,
    /// A member got another role.
    MemberRoleChanged,
    /// A member was removed.
    MemberRemoved,
    /// A member left.
    MemberLeft,
    /// An owner handed the workspace over, and is an admin from then on.
    WorkspaceTransferred,
    /// A project was made.
    ProjectCreated,
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
    /// What is told of an API key was changed, or where and how long it may be used.
    ApiKeyUpdated,
    /// An API key got a successor.
    ApiKeyRotated,
    /// A service of the operator's got a credential.
    InternalCredentialCreated,
    /// A service's credential was revoked.
    InternalCredentialRevoked,
    /// A service's credential got a successor.
    InternalCredentialRotated,
    /// A secret of the server's own got a successor.
    ServerSecretRotated,
    /// Versions of a secret of the server's own that had ended were destroyed.
    ServerSecretDestroyed,
    /// An operator accepted the schema as it is.
    SchemaAccepted,
    /// The cell was made, with its id and the name of its logs.
    CellEstablished,
    /// A log got another key.
    LedgerKeyRotated,
    /// A sanctioned restore began a log's next generation.
    GenerationOpened,
    /// An operator had the logs of a workspace signed again that a check had found altered.
    LedgerUnfrozen,
    /// The manifest of an hour: one root over the logs of all workspaces.
    ManifestPublished,
    /// An operator had a job tried again.
    JobRetried,
    /// An operator discarded a job.
    JobDiscarded,
    /// A staged row that no entry can be made of: somebody put it there by hand.
    LedgerRowRefused,
    /// Somebody asked for a person to be made unreadable in a workspace's logs.
    ErasureRequested,
    /// A person was made unreadable in a workspace's logs: the certificate.
    SubjectErased,
    /// An older copy of the anchor store was put back, and what it made readable was made unreadable again.
    ErasuresRepeated,
    /// Everything that is sealed for a workspace was made unreadable.
    WorkspaceShredded,
    /// A secret was entrusted to us.
    SecretCreated,
    /// A secret got another value.
    SecretVersionAdded,
    /// Somebody read the value of a secret.
    SecretRevealed,
    /// Somebody asked for a version of a secret that was revoked.
    SecretRevealRefused,
    /// A secret was deleted with all its versions.
    SecretDeleted,
    /// The rotation of a secret began: both versions are valid.
    SecretRotationOpened,
    /// Whoever uses the secret has the new version.
    SecretRotationReady,
    /// The older versions of a secret were revoked by its rotation.
    SecretVersionRevoked,
    /// The rotation of a secret is over: its receipt.
    SecretRotated,
    /// Somebody took a stretch of the log out.
    AuditExported,
    /// Somebody looked at events with what their commitments open to, in this hour.
    AuditRead,
    /// Somebody had a receipt made that opens what an event commits to.
    ReceiptOpened,
    /// A link was made that shows a receipt to others.
    ReceiptShared,
    /// A link to a receipt was revoked.
    ReceiptShareRevoked,
    /// A filter of the log was saved.
    AuditFilterSaved,
    /// A saved filter was deleted.
    AuditFilterDeleted,
    /// A log's stream to a bucket was set up, or turned elsewhere.
    AuditStreamSet,
    /// A log's stream to a bucket was removed.
    AuditStreamRemoved,
    /// A log's stream stopped: the bucket holds something else under a name of the log.
    AuditStreamStopped,
    /// For how long the log is kept was said anew.
    RetentionChanged,
    /// The first entries of the log went: the certificate.
    RetentionPruned,
    /// From now on nothing of the log is pruned.
    LegalHoldOpened,
    /// A legal hold ended.
    LegalHoldReleased,
    /// A workspace's programs may record an action from now on.
    AuditActionRegistered,
    /// They may record it no more.
    AuditActionRetired,
    /// Something was found that should not be.
    AlertRaised,
    /// An operator has seen to what was found.
    AlertResolved,
    /// A row that grants something is not the one that the log knows: from now on it grants nothing.
    RowFenced,
}

/// The first words of actions that are ours, now or later: nobody else's entry can look like one of them.
pub const RESERVED: [&str; 38] = [
    "account",
    "alert",
    "api_key",
    "audit",
    "backup",
    "bailiwick",
    "cell",
    "control",
    "dataset",
    "domain",
    "entitlement",
    "environment",
    "export",
    "factor",
    "invitation",
    "job",
    "kek",
    "ledger",
    "legal_hold",
    "mail",
    "member",
    "module",
    "operator",
    "project",
    "receipt",
    "region",
    "retention",
    "role",
    "run",
    "scim",
    "secret",
    "session",
    "sign_in",
    "sso",
    "subject",
    "user",
    "webhook",
    "workspace",
];

/// Whether an action of this name could be one of ours.
#[must_use]
pub fn is_reserved(action: &str) -> bool {
    action.split('.').next().is_some_and(|first| RESERVED.contains(&first))
}

impl Action {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 89] = [
        Self::SignInRequested,
        Self::SignedIn,
        Self::SignInFailed,
        Self::SignInsRefused,
        Self::SessionRefreshed,
        Self::SignedOut,
        Self::SessionsEnded,
        Self::RefreshTokenReused,
        Self::FactorAsked,
        Self::FactorFailed,
        Self::FactorEnrolled,
        Self::FactorAdded,
        Self::FactorRemoved,
        Self::PasskeyRenamed,
        Self::PasskeyRefused,
        Self::RecoveryCodesMade,
        Self::FactorsReset,
        Self::SteppedUp,
        Self::DeviceLoginRequested,
        Self::DeviceLoginApproved,
        Self::DeviceLoginDenied,
        Self::AddressChangeRequested,
        Self::AddressConfirmed,
        Self::AddressCodeFailed,
        Self::AddressChanged,
        Self::AccountDeleted,
        Self::PersonSuspended,
        Self::PersonRestored,
        Self::WorkspaceCreated,
        Self::WorkspaceMfaChanged,
        Self::InvitationCreated,
        Self::InvitationResent,
        Self::InvitationRevoked,
        Self::InvitationAccepted,
        Self::MemberRoleChanged,
        Self::MemberRemoved,
        Self::MemberLeft,
        Self::WorkspaceTransferred,
        Self::ProjectCreated,
        Self::ApiKeyCreated,
        Self::ApiKeyRevoked,
        Self::ApiKeyUpdated,
        Self::ApiKeyRotated,
        Self::InternalCredentialCreated,
        Self::InternalCredentialRevoked,
        Self::InternalCredentialRotated,
        Self::ServerSecretRotated,
        Self::ServerSecretDestroyed,
        Self::SchemaAccepted,
        Self::CellEstablished,
        Self::LedgerKeyRotated,
        Self::GenerationOpened,
        Self::LedgerUnfrozen,
        Self::ManifestPublished,
        Self::JobRetried,
        Self::JobDiscarded,
        Self::LedgerRowRefused,
        Self::ErasureRequested,
        Self::SubjectErased,
        Self::ErasuresRepeated,
        Self::WorkspaceShredded,
        Self::SecretCreated,
        Self::SecretVersionAdded,
        Self::SecretRevealed,
        Self::SecretRevealRefused,
        Self::SecretDeleted,
        Self::SecretRotationOpened,
        Self::SecretRotationReady,
        Self::SecretVersionRevoked,
        Self::SecretRotated,
        Self::AuditExported,
        Self::AuditRead,
        Self::ReceiptOpened,
        Self::ReceiptShared,
        Self::ReceiptShareRevoked,
        Self::AuditFilterSaved,
        Self::AuditFilterDeleted,
        Self::AuditStreamSet,
        Self::AuditStreamRemoved,
        Self::AuditStreamStopped,
        Self::RetentionChanged,
        Self::RetentionPruned,
        Self::LegalHoldOpened,
        Self::LegalHoldReleased,
        Self::AuditActionRegistered,
        Self::AuditActionRetired,
        Self::AlertRaised,
        Self::AlertResolved,
        Self::RowFenced,
    ];

    /// Dotted lower-case words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignInRequested => "sign_in.requested",
            Self::SignedIn => "sign_in.completed",
            Self::SignInFailed => "sign_in.failed",
            Self::SignInsRefused => "sign_in.refused",
            Self::SessionRefreshed => "session.refreshed",
            Self::SignedOut => "session.ended",
            Self::SessionsEnded => "session.all_ended",
            Self::RefreshTokenReused => "session.refresh_reused",
            Self::FactorAsked => "sign_in.factor_asked",
            Self::FactorFailed => "factor.failed",
            Self::FactorEnrolled => "factor.enrolled",
            Self::FactorAdded => "factor.added",
            Self::FactorRemoved => "factor.removed",
            Self::PasskeyRenamed => "factor.passkey_renamed",
            Self::PasskeyRefused => "factor.passkey_refused",
            Self::RecoveryCodesMade => "factor.recovery_codes_made",
            Self::FactorsReset => "factor.reset",
            Self::SteppedUp => "session.stepped_up",
            Self::DeviceLoginRequested => "sign_in.device_requested",
            Self::DeviceLoginApproved => "sign_in.device_approved",
            Self::DeviceLoginDenied => "sign_in.device_denied",
            Self::AddressChangeRequested => "account.address_change_requested",
            Self::AddressConfirmed => "account.address_confirmed",
            Self::AddressCodeFailed => "account.address_code_failed",
            Self::AddressChanged => "account.address_changed",
            Self::AccountDeleted => "account.deleted",
            Self::PersonSuspended => "operator.person_suspended",
            Self::PersonRestored => "operator.person_restored",
            Self::WorkspaceCreated => "workspace.created",
            Self::WorkspaceMfaChanged => "workspace.mfa_changed",
            Self::InvitationCreated => "invitation.created",
            Self::InvitationResent => "invitation.resent",
            Self::InvitationRevoked => "invitation.revoked",
            Self::InvitationAccepted => "invitation.accepted",
            Self::MemberRoleChanged => "member.role_changed",
            Self::MemberRemoved => "member.removed",
            Self::MemberLeft => "member.left",
            Self::WorkspaceTransferred => "workspace.transferred",
            Self::ProjectCreated => "project.created",
            Self::ApiKeyCreated => "api_key.created",
            Self::ApiKeyRevoked => "api_key.revoked",
            Self::ApiKeyUpdated => "api_key.updated",
            Self::ApiKeyRotated => "api_key.rotated",
            Self::InternalCredentialCreated => "operator.credential_created",
            Self::InternalCredentialRevoked => "operator.credential_revoked",
            Self::InternalCredentialRotated => "operator.credential_rotated",
            Self::ServerSecretRotated => "operator.secret_rotated",
            Self::ServerSecretDestroyed => "operator.secret_destroyed",
            Self::SchemaAccepted => "operator.schema_accepted",
            Self::CellEstablished => "cell.established",
            Self::LedgerKeyRotated => "ledger.key_rotated",
            Self::GenerationOpened => "ledger.generation_opened",
            Self::LedgerUnfrozen => "ledger.unfrozen",
            Self::ManifestPublished => "ledger.manifest_published",
            Self::JobRetried => "job.retried",
            Self::JobDiscarded => "job.discarded",
            Self::LedgerRowRefused => "ledger.row_refused",
            Self::ErasureRequested => "subject.erasure_requested",
            Self::SubjectErased => "subject.erased",
            Self::ErasuresRepeated => "subject.erasures_repeated",
            Self::WorkspaceShredded => "workspace.shredded",
            Self::SecretCreated => "secret.created",
            Self::SecretVersionAdded => "secret.version_added",
            Self::SecretRevealed => "secret.revealed",
            Self::SecretRevealRefused => "secret.reveal_refused",
            Self::SecretDeleted => "secret.deleted",
            Self::SecretRotationOpened => "secret.rotation_opened",
            Self::SecretRotationReady => "secret.rotation_ready",
            Self::SecretVersionRevoked => "secret.version_revoked",
            Self::SecretRotated => "secret.rotated",
            Self::AuditExported => "audit.exported",
            Self::AuditRead => "audit.read",
            Self::ReceiptOpened => "audit.receipt_opened",
            Self::ReceiptShared => "receipt.shared",
            Self::ReceiptShareRevoked => "receipt.share_revoked",
            Self::AuditFilterSaved => "audit.filter_saved",
            Self::AuditFilterDeleted => "audit.filter_deleted",
            Self::AuditStreamSet => "audit.stream_set",
            Self::AuditStreamRemoved => "audit.stream_removed",
            Self::AuditStreamStopped => "audit.stream_stopped",
            Self::RetentionChanged => "retention.changed",
            Self::RetentionPruned => "retention.pruned",
            Self::LegalHoldOpened => "legal_hold.opened",
            Self::LegalHoldReleased => "legal_hold.released",
            Self::AuditActionRegistered => "audit.action_registered",
            Self::AuditActionRetired => "audit.action_retired",
            Self::AlertRaised => "alert.raised",
            Self::AlertResolved => "alert.resolved",
            Self::RowFenced => "alert.row_fenced",
        }
    }

    /// Whether it changes rows that grant something, so that its entry says which.
    #[must_use]
    pub const fn changes_rows(self) -> bool {
        matches!(
            self,
            Self::SignInRequested
                | Self::SignedIn
                | Self::SignInFailed
                | Self::SessionRefreshed
                | Self::SignedOut
                | Self::SessionsEnded
                | Self::RefreshTokenReused
                | Self::FactorAsked
                | Self::FactorFailed
                | Self::FactorEnrolled
                | Self::FactorAdded
                | Self::FactorRemoved
                | Self::RecoveryCodesMade
                | Self::FactorsReset
                | Self::SteppedUp
                | Self::DeviceLoginRequested
                | Self::DeviceLoginApproved
                | Self::DeviceLoginDenied
                | Self::AddressChangeRequested
                | Self::AddressConfirmed
                | Self::AddressCodeFailed
                | Self::AddressChanged
                | Self::AccountDeleted
                | Self::PersonSuspended
                | Self::PersonRestored
                | Self::WorkspaceCreated
                | Self::WorkspaceMfaChanged
                | Self::InvitationCreated
                | Self::InvitationResent
                | Self::InvitationRevoked
                | Self::InvitationAccepted
                | Self::MemberRoleChanged
                | Self::MemberRemoved
                | Self::MemberLeft
                | Self::WorkspaceTransferred
                | Self::ApiKeyCreated
                | Self::ApiKeyRevoked
                | Self::ApiKeyUpdated
                | Self::ApiKeyRotated
                | Self::InternalCredentialCreated
                | Self::InternalCredentialRevoked
                | Self::InternalCredentialRotated
                | Self::ReceiptShared
                | Self::ReceiptShareRevoked
                | Self::RetentionChanged
                | Self::LegalHoldOpened
                | Self::LegalHoldReleased
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_of_ours_is_reserved() {
        for action in Action::ALL {
            assert!(is_reserved(action.as_str()), "{}", action.as_str());
        }
        assert!(!is_reserved("invoice.paid"));
        assert!(RESERVED.is_sorted());
    }
}
