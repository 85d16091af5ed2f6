//! Invitations: a place in a workspace, offered to whoever has an address.
//!
//! # Invariants
//! - An invitation is for one workspace, one address and one role, for seven days, once. What proves it is a token of 256
//!   bits, which stands in the mail alone: the database has its digest, and no answer has it.
//! - The token opens nothing by itself. It is taken by a person who is signed in with the very address that was invited: that
//!   address was proven when they signed in, and a mail that was passed on is worth nothing to others.
//! - It offers what its maker has at the moment at which it is taken: their membership is read again in that transaction.
//! - Looking at an invitation uses nothing up.
//! - Whether an address is known here makes no difference to anything: whoever is invited gets the same mail, and whoever
//!   invites the same answer.

pub mod accept;
pub mod http;
mod model;
mod ops;
pub mod page;
mod sql;

pub use self::model::{CreateInvitation, Invitation, InvitationStatus};
pub(super) use self::sql::revoke_of;
