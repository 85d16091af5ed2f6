//! The server as its users meet it: over its sockets, on a real PostgreSQL.
//!
//! One test binary. A file for each part of the surface; `harness` is what they stand on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, unreachable_pub)]

mod account;
mod anchor;
mod api_keys;
mod audit;
mod boot;
mod browser;
mod canaries;
mod cli;
mod cli_audit;
mod cli_erasures;
mod cli_people;
mod cli_secrets;
mod console;
mod contract;
mod crash;
mod dev_server;
mod device;
mod docs;
mod dump;
mod erasure;
mod factors;
mod feed;
mod hardening;
mod harness;
mod idempotency;
mod internal;
mod isolation;
mod jobs;
mod ledger_durability;
mod ledger_tamper;
mod limits;
mod mail;
mod passkeys;
mod people;
mod publish;
mod refusals;
mod requests;
mod retention;
mod schema_watch;
mod secrets;
mod server_secrets;
mod sessions;
mod sign_in;
mod vault;
mod vouched;
mod workspaces;
