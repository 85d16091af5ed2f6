//! The job queue: what was handed over is done, by whoever is alive, in the workspace that it belongs to.

mod ends;
mod fair;
mod killed;
pub mod kinds;
mod leases;
mod looks;
mod operator;
mod plans;
mod pooled;
mod schedules;
pub mod shop;
mod transactions;
