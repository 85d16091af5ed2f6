//! API keys: what a customer's programs hold.
//!
//! # Invariants
//! - A key is shown once, in the answer that makes it; stored are its SHA-256 and its public index.
//! - Nobody makes a key beyond themselves: its scopes, project and environment lie within what the maker
//!   has at that moment, read again in the same transaction.
//! - Keys belong to the workspace (or a project of it), outlive their maker, and show who made them.
//! - A revoked key never works again. Neither does a rotated one after its overlap, whatever is changed of it.
//! - A key is used from its networks and for its audiences alone.

pub mod forward_auth;
pub mod http;
mod judge;
mod labels;
mod model;
mod ops;
pub mod page;
mod rotation;
mod sql;
pub mod verify;

pub use labels::Labels;
pub use model::{ApiKey, CreateApiKey, CreatedApiKey, RotateApiKey, Status, UpdateApiKey};
pub use ops::{ChangeError, Revoked, create, revoke, update};
pub use rotation::rotate;

pub use sql::{KeyFilter, get, list};
