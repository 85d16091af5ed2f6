//! Saved filters: what somebody narrows the log to again and again, under a name.
//!
//! # Invariants
//! - One's own are seen and deleted by nobody else; the workspace's are made and deleted by who may (`filters.share`), and seen by
//!   whoever reads the log, but for keys that a project confines: they may name what is in others.
//! - A filter grants nothing: what it finds is what its reader may see.
//! - Whom it names stands sealed, with the subject's own key: who is erased from the log is erased from filters by that.
//! - Saving and deleting leave an entry, with the filter's id and nothing that was typed.

pub mod http;
mod model;
mod ops;
pub mod page;
mod sql;

pub use self::model::{SaveFilter, SavedFilter, SavedFilters};

/// So many a principal has at most, and so many a workspace's environment has for all.
const MOST: i64 = 50;
