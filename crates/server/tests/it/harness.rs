//! What tests stand on: one cluster for the process, a database for each test, servers in this process
//! and in processes of their own, and the record of every secret that was seen.

pub mod app;
pub mod authenticator;
pub mod bao;
pub mod browser;
pub mod bucket;
pub mod cluster;
pub mod http;
pub mod ledger;
mod logs;
pub mod nginx;
pub mod node;
pub mod openings;
pub mod otp;
pub mod own_cluster;
pub mod people;
pub mod pooler;
pub mod process;
pub mod programs;
mod reaper;
pub mod recorder;
pub mod run_dir;
pub mod secrets;
pub mod sink;
pub mod vault;
pub mod vouch;
pub mod wire;
