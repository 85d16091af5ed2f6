//! A person's own account: another address, its end, and an operator who keeps somebody out.
//!
//! # Invariants
//! - An address changes when both addresses have confirmed it: each gets a code, which is typed where the person is signed in. A link
//!   does nothing, for there is none.
//! - Whether an address is somebody's is told to that address alone: the page and its time are the same, and so is what waits.
//! - Who deletes their account leaves all workspaces, ends all sessions and gives up the address in one transaction, or nothing of it;
//!   nobody goes who is the last owner of one. The row stays, without an address, so that ids in logs resolve to nobody.
//! - Who is suspended is let in by no node once the command has ended, and their sign-ins fail like those of somebody unknown.
//! - All of these need somebody who has just proven who they are, or the operator, and leave an entry.

pub mod address;
pub mod deletion;
mod model;
pub mod operator;
pub mod page;
mod sql;

pub use model::AccountError;
