//! Sign-in by mail: a link for the browser that asked, a code for another device.
//!
//! # Invariants
//! - Every address is answered alike, in status, body and headers, and takes the same path: whether it is
//!   known shows when its mail is read and nowhere else. The mail leaves outside the request.
//! - GET and HEAD of a link consume nothing: a POST does, from the browser that holds the challenge's cookie.
//! - A code belongs to the challenge that asked for it and has five tries; other people's challenges for
//!   the same address neither use them up nor end it. A challenge for which no mail went out any more shares the newest
//!   mail's (`budget`).
//! - Mail goes to the address that is stored, however it was typed.
//! - Challenge and token are stored by SHA-256, the code under a key that the database does not have, so that a dump cannot be
//!   searched for a short code.

mod budget;
pub mod http;
mod model;
mod ops;
pub mod page;
mod refusals;
mod sql;

pub use budget::MailBudget;
pub use model::{EmailAddress, InvalidEmail, SignInRefusal};
pub(crate) use model::{Opaque, as_made, new_code};
pub(crate) use ops::NOBODY;
pub use ops::{Asked, Door, Entered, Proof, SigningIn, redeem, request};
pub use refusals::{Refusals, Refused};
pub use sql::void_challenges;
