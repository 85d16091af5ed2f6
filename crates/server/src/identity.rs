//! Sign-in by mail: a link for the browser that asked, a code for another device.
//!
//! # Invariants
//! - Every address is answered alike, in status, body and headers, and takes the same path: whether it is
//!   known shows when its mail is read and nowhere else. The mail leaves outside the request.
//! - GET and HEAD of a link consume nothing: a POST does, from the browser that holds the challenge's cookie.
//! - A code belongs to the challenge that asked for it and has five tries; other people's challenges for
//!   the same address neither use them up nor end it.
//! - Challenge, token and code are stored by SHA-256; the code's digest covers the challenge's secret too, so
//!   that a dump cannot be searched for a short code.

pub mod http;
mod model;
mod ops;
pub mod page;
mod sql;

pub use model::{EmailAddress, InvalidEmail, SignInRefusal};
pub use ops::{Asked, Proof, SigningIn, redeem, request};
