//! Formats that stand on their own: what Bailiwick hands out and what a stranger can check.
//!
//! # Invariants
//! Pure: no clock, no randomness, no files, no network and no async runtime. Whoever calls brings
//! time and entropy as arguments, so that everything here can be tested against golden values and
//! used by the server, the command line and a verifier alike.
//!
//! Each format has one spelling: what a parser accepts prints back byte for byte. Every parser is bounded, and
//! none panics on any input. Each reason for which something is refused has a stable word, by which
//! the files in `vectors/` name it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

pub mod api_key;
pub mod canonical;
pub mod chain;
mod checked_text;
pub mod checkpoint;
pub mod commitment;
pub mod consistency;
pub mod cosignature;
mod decimal;
pub mod entry;
pub mod environment;
mod hex;
pub mod id;
pub mod internal_key;
pub mod jose;
pub mod log;
pub mod manifest;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod puncturable;
pub mod receipt;
pub mod shown;
pub mod tile;
