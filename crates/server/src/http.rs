//! How requests come in and answers go out: strict, uniform, and telling nothing that they should not.
//!
//! # Invariants
//! - [`Problem`] is the only error that becomes an answer; 404, 405, 413, 415, bad JSON and panics too.
//! - A 5xx says nothing but its code and the request's id; the cause is logged once, here.
//! - Extractors give a handler what it may rely on: [`crate::authz::Granted`] for the right to act,
//!   [`Json`] and [`Mutation`] for a body that was read strictly.

mod change;
mod client_address;
mod connection_cap;
mod cursor;
mod edge;
mod extract;
mod gate;
pub mod health;
mod idempotency;
mod internal_caller;
mod json;
mod moment;
mod openapi;
mod operation;
mod problem;
mod route;
mod shortcut;
mod standing;
mod strict_json;
mod traffic;

pub use change::{Begun, Change, Changes};
pub use connection_cap::{ConnectionCap, LookedAt};
pub use cursor::{ListQuery, Page};
pub use edge::{Edge, Hosts};
pub use extract::{ChosenEnvironment, PathId, Query, bearer};
pub use gate::{ForEachPeer, Gate};
pub use idempotency::{Idempotency, Reply};
pub use internal_caller::{INTERNAL_KEY_HEADER, InternalCaller};
pub use json::{Form, Json, Mutation, NoBody, Nothing, Unread, strictly, written};
pub use moment::moment_in_utc;
pub use openapi::document as openapi_document;
pub use operation::{Access, Operation, Routes};
pub use problem::{Code, FieldError, Problem, reference_markdown};
pub use route::Surface;
pub use shortcut::Shortcut;
