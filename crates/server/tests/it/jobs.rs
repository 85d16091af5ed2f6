//! The job queue: what was handed over is done, by whoever is alive, in the workspace that it belongs to.

mod ends;
mod fair;
mod kinds;
mod leases;
mod schedules;
mod shop;
mod transactions;
