//! The actions that a workspace's own programs may record, registered before the first event of them.
//!
//! The words of an action stand in the entry and can never be erased. So no program decides about them while it runs: somebody who may
//! says once which words there are, which leaves an entry, and what is not among them is refused. An address that slipped into an action is
//! found before it is written.
//!
//! # Invariants
//! - An event is recorded only if its action is registered in its environment, as the transaction that numbers it sees it.
//! - Nobody registers a word of ours, nor more than [`MOST`] of their own.
//! - What is registered no more stays as it is where it was recorded.

pub mod http;
mod model;
mod ops;
pub mod page;
mod sql;

pub use model::{RegisterAction, RegisteredAction, RegisteredActions};
pub(super) use sql::registered;

/// So many actions an environment has at most.
pub const MOST: i64 = 500;
