//! Passwords as PostgreSQL keeps them (RFC 5803), so that none is told to it in the clear.
//!
//! A statement's text is kept in places that nobody thinks of: a log of statements, `pg_stat_statements`. What stands in it here proves a
//! password and does not log in.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Rounds make each guess dear, and the passwords of [`super::secret_files`] are 256 random bits that nobody guesses. With
/// PostgreSQL's own 4,096 (RFC 7677 thinks of people's passwords) each connection would begin with milliseconds of hashing.
const ITERATIONS: NonZeroU32 = NonZeroU32::MIN;

/// What `PASSWORD` takes instead of the password, which must be ASCII: others would need SASLprep (RFC 4013).
pub(super) fn verifier(password: &SecretString, salt: &[u8; 16]) -> String {
    let mut salted = Zeroizing::new([0; 32]);
    let password = password.expose_secret().as_bytes();
    pbkdf2::derive(PBKDF2_HMAC_SHA256, ITERATIONS, salt, password, &mut *salted);
    let key = hmac::Key::new(HMAC_SHA256, &*salted);
    let stored = digest(&SHA256, hmac::sign(&key, b"Client Key").as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let [salt, stored, server] = [salt.as_slice(), stored.as_ref(), server.as_ref()].map(|part| STANDARD.encode(part));
    format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hashlib` and `hmac`.
    #[test]
    fn a_golden_verifier() {
        assert_eq!(
            verifier(&"pencil".into(), b"0123456789abcdef"),
            "SCRAM-SHA-256$1:MDEyMzQ1Njc4OWFiY2RlZg==$6E6za7g9nQj7bvJ78b+hKOVaeRanit38xaWlCSvoB4Y=:+Xl/1j60mYw7IUJQ7cmQYlUgCDB0vLsvuw4MqpuAMaQ="
        );
    }
}
