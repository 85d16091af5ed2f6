//! What was found that should not be, written down: for operators, and for the workspace that it concerns.
//!
//! # Invariants
//! - A finding is one row, however often it is found, and leaves an entry when it is new or comes back after it was
//!   resolved: in the cell's log, and in the log of the workspace that it concerns.
//! - While the database is away findings wait in memory.

mod ops;
mod sql;

pub use ops::{AlertView, keep, list, resolve};
