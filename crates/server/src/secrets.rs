//! Secrets that customers entrust to us: named values, each version sealed for its workspace, each reading recorded.
//!
//! # Invariants
//! - A value is sealed by the workspace's key, with its place, before it reaches a statement. No list, no kept answer, no
//!   log line and no error holds one.
//! - Before the first byte of a value is sent, an entry that says who read which version is committed.
//! - Whoever reads a value has a permission of its own, and as a person a sign-in that is minutes old.
//! - A version that was revoked, and a secret that was deleted, have no value any more: the sealed bytes are gone. What is
//!   still asked of a revoked version is refused, recorded and counted. A job punctures its key, so that a copy of the row,
//!   put back or in a backup, does not open either.
//! - Older versions are revoked by a rotation alone, after somebody has said that the new one is deployed.
//! - Versions count up; no number is given twice.

mod forget;
pub mod http;
mod kind;
mod model;
mod ops;
pub mod page;
mod reveal;
pub mod rotation;
mod sql;
mod value;

pub use forget::ForgetVersions;
pub use http::BODY_BYTES;
pub use kind::Kind;
pub use model::{
    AddVersion, CreateSecret, RevealSecret, RevealedSecret, Secret, SecretAccess, SecretDetail, SecretVersion,
};
pub use ops::ChangeError;
pub use rotation::{OpenRotation, Reason, RotateSecrets, SecretRotation};
pub use sql::{SecretFilter, get, list};
pub use value::SecretValue;
