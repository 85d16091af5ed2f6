//! From a credential to a principal.
//!
//! # Invariants
//! - Only this module attests a [`crate::authz::SignedIn`] or a [`crate::authz::KeyHolder`], and only after
//!   every check: signature, times, revocation; digest, expiry.
//! - Secrets are compared by their SHA-256 in constant time; only digests are stored.
//! - The API takes the `Authorization` header alone, the console the session's cookie alone: a page of
//!   another site has no credential to lend.

mod access_token;
mod api_key;
pub mod cookie;
mod digest;
mod internal;
mod session;
mod sql;

pub use access_token::{
    ACCESS_TOKEN_TTL, AccessTokens, KeySet, PublicKey, SERVICE_TOKEN_TTL, TokenKeyError, make_token_key,
};
pub use api_key::{KeyRefusal, authenticate_key, authenticate_shown_key, shown_key_at_hand};
pub use digest::TokenDigest;
pub use internal::{AudienceRefusal, InternalCredentials, LIFETIME as SERVICE_LIFETIME, Service, ServiceRefusal};
pub use session::{SessionRefusal, authenticate_session};
