//! Credentials of the operator's own services, which ask at `/internal`.
//!
//! # Invariants
//! - A credential is shown once, by the command that makes it; stored is its SHA-256.
//! - Each is one service's, has the audiences that it may ask about, and at least one of them.
//! - Making, rotating and revoking one leaves an entry in the cell's log.
//! - A rotation puts an end to the old one once; nothing puts it off.
//! - The command that revokes one ends when no node takes it any more.

mod model;
mod ops;
mod sql;

pub use model::{CreatedCredential, InternalCredential, NewCredential, RotatedCredential};
pub use ops::{CreateError, RevokeOutcome, RotateError, create, list, revoke, rotate};
