//! What is stored of a secret.

use aws_lc_rs::digest;
use subtle::ConstantTimeEq;

/// The SHA-256 of a secret with enough entropy of its own (keys, tokens); never of a short code alone.
#[derive(Clone, Debug)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Digests the secret's bytes.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
        Self(bytes)
    }

    /// For the database.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Is it the stored one? In constant time.
    #[must_use]
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.as_slice().ct_eq(stored).into()
    }
}
