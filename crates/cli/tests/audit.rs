//! `audit` against a server that lies: what is believed, what is refused, and what is kept of it.
//! How it goes with an honest one is tested against a real server, in `crates/server/tests/it`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

#[path = "audit/desk.rs"]
mod desk;
#[path = "audit/files.rs"]
mod files;
#[path = "audit/forger.rs"]
mod forger;
#[path = "audit/pins.rs"]
mod pins;
#[path = "audit/receipts.rs"]
mod receipts;
#[path = "audit/vectors.rs"]
mod vectors;
