//! The closed list of what can be wrong.

mod general;
mod row;

use axum::http::StatusCode;

/// A stable code. Clients decide by it, so a code is never renamed or given another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Not HTTP as we read it.
    InvalidRequest,
    /// The body is no JSON, or JSON that we do not take.
    MalformedJson,
    /// A query parameter is unknown, doubled or wrong.
    InvalidParameter,
    /// The cursor is not one of ours, or of another list.
    InvalidCursor,
    /// A header has a value that it cannot have.
    InvalidHeader,
    /// No credential, or none that we know.
    Unauthenticated,
    /// The access token's time is over.
    TokenExpired,
    /// The session was ended.
    SessionEnded,
    /// The API key was revoked.
    KeyRevoked,
    /// The API key's time is over.
    KeyExpired,
    /// The credential is not for use from this address.
    AddressNotAllowed,
    /// The API key is not for this service, or the service may not ask about that one.
    WrongAudience,
    /// The API key lacks a scope that was asked for.
    InsufficientScope,
    /// More keys at once than are answered for.
    BatchTooLarge,
    /// A link or code that does not sign in.
    SignInFailed,
    /// The link was opened in a browser that did not ask for it.
    OtherBrowser,
    /// Nobody has decided yet whether the program comes in.
    AuthorizationPending,
    /// The program asks more often than it was told to.
    SlowDown,
    /// Somebody said no to the program.
    AccessDenied,
    /// The program's code opens nothing.
    ExpiredToken,
    /// The refresh token is unknown, used or expired.
    RefreshTokenInvalid,
    /// A passkey that is not taken.
    PasskeyFailed,
    /// There can be no passkeys at this server.
    PasskeysUnavailable,
    /// A permission is missing.
    Forbidden,
    /// The request comes from another site's page.
    CrossOrigin,
    /// The key belongs to the other environment.
    EnvironmentMismatch,
    /// Nobody hands out more than they have.
    BeyondOwnAuthority,
    /// Not there, as far as the caller can tell.
    NotFound,
    /// Not with this method.
    MethodNotAllowed,
    /// The request took too long to arrive.
    RequestTimeout,
    /// Several workspaces of the caller have this slug.
    AmbiguousSlug,
    /// The caller has a workspace with this slug.
    SlugTaken,
    /// An invitation that offers nothing, if it ever did.
    InvitationInvalid,
    /// The invitation is for another address.
    InvitationForAnother,
    /// The person belongs to the workspace already.
    AlreadyMember,
    /// The address has an invitation that can be taken.
    AlreadyInvited,
    /// A workspace has an owner, always.
    LastOwner,
    /// The name is in use here.
    NameTaken,
    /// The API key does not work any more, so nothing of it can be changed.
    KeyNotActive,
    /// The API key has a successor.
    KeyAlreadyRotated,
    /// The person has to have signed in a moment ago.
    StepUpRequired,
    /// The mail is not enough for this person: they owe a factor.
    FactorRequired,
    /// A code of an authenticator or a recovery code that is not good, or a second step that is over.
    FactorFailed,
    /// The workspace lets in only those who have shown a factor beyond the mail.
    MfaRequired,
    /// A workspace of the person's demands a factor, and this is the last one.
    LastFactor,
    /// The version of the secret was revoked.
    SecretVersionGone,
    /// What is stored of the secret does not open at its place.
    SecretDamaged,
    /// A rotation of the secret is under way.
    RotationOpen,
    /// The subject is being erased already.
    ErasureUnderWay,
    /// The subject is known, and nothing stands under its number.
    SubjectMisplaced,
    /// No checkpoint was published at the size that was asked for.
    NoCheckpoint,
    /// No manifest names the log yet, or it is not kept any more.
    NoManifest,
    /// The log is not what was recorded.
    LedgerMismatch,
    /// A legal hold is open.
    LegalHold,
    /// What the database has of a log's retention is not what was decided.
    RetentionAltered,
    /// The log's retention pruned what is asked for.
    EntryPruned,
    /// The same request is still being worked on.
    IdempotencyInFlight,
    /// Everything of the workspace was made unreadable.
    WorkspaceShredded,
    /// The event is larger than an entry can tell.
    EventTooLarge,
    /// The body is larger than we read.
    BodyTooLarge,
    /// The body's media type is not one we read.
    UnsupportedMediaType,
    /// The Host header names somebody else.
    MisdirectedRequest,
    /// The JSON is fine and its content is not.
    InvalidBody,
    /// The action belongs to a namespace of ours.
    ActionReserved,
    /// The action is not registered.
    ActionNotRegistered,
    /// The idempotency key came with another request before.
    IdempotencyKeyReused,
    /// More waits to be recorded than there is room for.
    IngestQueueFull,
    /// Too often within a time.
    RateLimited,
    /// A fault of ours.
    Internal,
    /// Nothing can be signed, because the anchor store is away.
    AnchorUnavailable,
    /// The log is neither appended to nor signed.
    LedgerFrozen,
    /// What was revoked is revoked, and not every node has said that it knows.
    RevocationUnconfirmed,
    /// Something we need is away.
    Unavailable,
}

impl Code {
    /// All of them, by status.
    pub const ALL: [Self; 73] = [
        Self::InvalidRequest,
        Self::MalformedJson,
        Self::InvalidParameter,
        Self::InvalidCursor,
        Self::InvalidHeader,
        Self::AuthorizationPending,
        Self::SlowDown,
        Self::AccessDenied,
        Self::ExpiredToken,
        Self::Unauthenticated,
        Self::TokenExpired,
        Self::SessionEnded,
        Self::KeyRevoked,
        Self::KeyExpired,
        Self::SignInFailed,
        Self::OtherBrowser,
        Self::RefreshTokenInvalid,
        Self::Forbidden,
        Self::CrossOrigin,
        Self::EnvironmentMismatch,
        Self::BeyondOwnAuthority,
        Self::AddressNotAllowed,
        Self::WrongAudience,
        Self::InsufficientScope,
        Self::StepUpRequired,
        Self::PasskeyFailed,
        Self::FactorRequired,
        Self::FactorFailed,
        Self::MfaRequired,
        Self::InvitationForAnother,
        Self::NotFound,
        Self::InvitationInvalid,
        Self::NoCheckpoint,
        Self::NoManifest,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::AmbiguousSlug,
        Self::SlugTaken,
        Self::AlreadyMember,
        Self::AlreadyInvited,
        Self::LastOwner,
        Self::LastFactor,
        Self::NameTaken,
        Self::PasskeysUnavailable,
        Self::KeyNotActive,
        Self::KeyAlreadyRotated,
        Self::SecretVersionGone,
        Self::SecretDamaged,
        Self::RotationOpen,
        Self::ErasureUnderWay,
        Self::SubjectMisplaced,
        Self::LedgerMismatch,
        Self::LegalHold,
        Self::RetentionAltered,
        Self::IdempotencyInFlight,
        Self::WorkspaceShredded,
        Self::EntryPruned,
        Self::EventTooLarge,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::MisdirectedRequest,
        Self::InvalidBody,
        Self::BatchTooLarge,
        Self::ActionReserved,
        Self::ActionNotRegistered,
        Self::IdempotencyKeyReused,
        Self::IngestQueueFull,
        Self::RateLimited,
        Self::Internal,
        Self::AnchorUnavailable,
        Self::LedgerFrozen,
        Self::RevocationUnconfirmed,
        Self::Unavailable,
    ];

    /// The code in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What happened, in a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        self.row().3
    }
}
