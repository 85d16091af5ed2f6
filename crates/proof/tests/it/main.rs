//! What the crate's surface must do: whole files, the golden vectors, and agreement with code that was not written here.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails says where")]

mod golden;
mod judge;
mod mutations;
mod outside;
mod pairs;
#[allow(unreachable_pub, reason = "there it is a library")]
#[path = "../../../../fuzz/src/parsers.rs"]
mod parsers;
mod programs;
mod receipts;
#[path = "../../examples/make-vectors/vectors.rs"]
mod vectors;
