//! The operator's own services, by their internal credential.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::TokenDigest;

/// The configured internal key, as a digest.
#[derive(Clone)]
pub struct InternalKey(Arc<TokenDigest>);

impl InternalKey {
    /// Digests the configured key.
    #[must_use]
    pub fn new(key: &SecretString) -> Self {
        Self(Arc::new(TokenDigest::of(key.expose_secret().as_bytes())))
    }

    /// Is it the one? In constant time.
    #[must_use]
    pub fn matches(&self, sent: &str) -> bool {
        TokenDigest::of(sent.as_bytes()).matches(self.0.bytes())
    }
}
