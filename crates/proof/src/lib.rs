//! Formats that stand on their own: what Bailiwick hands out and what a stranger can check.
//!
//! # Invariants
//! Pure: no clock, no randomness, no files, no network and no async runtime. Whoever calls brings
//! time and entropy as arguments, so that everything here can be tested against golden values and
//! used by the server, the command line and a verifier alike.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

pub mod api_key;
pub mod environment;
pub mod id;
