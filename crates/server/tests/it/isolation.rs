//! The walls between tenants: that they stand, and that whoever takes a stone out of them is noticed.

mod cancelled;
mod catalog;
mod generated;
mod migrating;
mod mutations;
mod operations;
