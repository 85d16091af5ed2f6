//! Credentials of the operator's own services, which ask at `/internal`.
//!
//! # Invariants
//! - A credential is shown once, by the command that makes it; stored is its SHA-256.
//! - Each is one service's, has the audiences that it may ask about, and at least one of them.
//! - Making and revoking one leaves an entry in the cell's log.
//! - The command that revokes one ends when no node takes it any more.

mod model;
mod ops;
mod sql;

pub use model::{CreatedCredential, InternalCredential, NewCredential};
pub use ops::{CreateError, RevokeOutcome, create, list, revoke};
