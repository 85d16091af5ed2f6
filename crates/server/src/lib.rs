//! Bailiwick's server: sign-in, workspaces, roles, API keys and tenant isolation on PostgreSQL.
//!
//! `ARCHITECTURE.md` at the root of the repository is the map; [`router`] lists every route and
//! [`app`] puts the parts together. Imports go one way (`cargo xtask tidy` checks it):
//! `clock context entropy name config` <- `db vault anchor authz` <- `feed server_secrets` <- `authn http`
//! <- `ledger jobs mail` <- features <- `state` <- `router` <- `app` <- the binary.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod account;
pub mod alerts;
pub mod anchor;
pub mod api_keys;
pub mod app;
pub mod audit;
pub mod authn;
pub mod authz;
pub mod boot;
pub mod clock;
pub mod config;
pub mod console;
pub mod context;
pub mod db;
pub mod devices;
pub mod entropy;
pub mod erasure;
pub mod factors;
pub mod feed;
pub mod housekeeping;
pub mod http;
pub mod identity;
pub mod internal_credentials;
pub mod jobs;
pub mod ledger;
pub mod limits;
pub mod mail;
pub mod members;
pub mod name;
pub mod networks;
pub mod passkeys;
pub mod projects;
pub mod reconciliation;
pub mod retention;
pub mod router;
pub mod schema_watch;
pub mod secrets;
pub mod server_rotation;
pub mod server_secrets;
pub mod sessions;
pub mod state;
pub mod supervise;
pub mod telemetry;
pub mod vault;
pub mod witness;
pub mod workspaces;
