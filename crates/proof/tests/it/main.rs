//! What the crate's surface must do: whole files, the golden vectors, and agreement with code that was not written here.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails says where")]

mod golden;
mod judge;
mod outside;
mod pairs;
mod programs;
mod receipts;
#[path = "../../examples/make-vectors/vectors.rs"]
mod vectors;
