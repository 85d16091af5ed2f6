//! The catalog of actions.

/// Something that can have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A sign-in link was asked for.
    SignInRequested,
    /// A link or code was redeemed.
    SignedIn,
    /// A wrong code was tried.
    SignInFailed,
    /// A refresh token was exchanged for its successor.
    SessionRefreshed,
    /// A session was ended by its person.
    SignedOut,
    /// A used refresh token came back: every session of its person was ended.
    RefreshTokenReused,
    /// A workspace was founded.
    WorkspaceCreated,
    /// A project was made.
    ProjectCreated,
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
}

impl Action {
    /// Dotted lower-case words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignInRequested => "sign_in.requested",
            Self::SignedIn => "sign_in.completed",
            Self::SignInFailed => "sign_in.failed",
            Self::SessionRefreshed => "session.refreshed",
            Self::SignedOut => "session.ended",
            Self::RefreshTokenReused => "session.refresh_reused",
            Self::WorkspaceCreated => "workspace.created",
            Self::ProjectCreated => "project.created",
            Self::ApiKeyCreated => "api_key.created",
            Self::ApiKeyRevoked => "api_key.revoked",
        }
    }
}
