//! Codes that say nothing of their own.

use super::Code;

impl Code {
    /// Does it say no more than its status does? Such a code may stand for an answer that a library made.
    pub(in crate::http::problem) const fn is_general(self) -> bool {
        matches!(
            self,
            Self::InvalidRequest
                | Self::Unauthenticated
                | Self::Forbidden
                | Self::NotFound
                | Self::MethodNotAllowed
                | Self::RequestTimeout
                | Self::BodyTooLarge
                | Self::UnsupportedMediaType
                | Self::InvalidBody
                | Self::RateLimited
                | Self::Internal
                | Self::Unavailable
        )
    }
}
