//! API keys: what a customer's programs hold.
//!
//! # Invariants
//! - A key is shown once, in the answer that makes it; stored are its SHA-256 and its public index.
//! - Nobody makes a key beyond themselves: its scopes, project and environment lie within what the maker
//!   has at that moment, read again in the same transaction.
//! - Keys belong to the workspace (or a project of it), outlive their maker, and show who made them.
//! - A revoked key never works again.

pub mod forward_auth;
pub mod http;
mod judge;
mod model;
mod ops;
pub mod page;
mod sql;
pub mod verify;

pub use model::{ApiKey, CreateApiKey, CreatedApiKey, Status};
pub use ops::{CreateError, Revoked, create, revoke};
pub use sql::{get, list};
