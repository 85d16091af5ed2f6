//! Signing in where there is no browser: a program shows a code, and a person types it where they are signed in (RFC 8628).
//!
//! # Invariants
//! - Nothing is opened by a link: the code is typed, its page says what asks, from where and since when, and a button decides.
//! - Approving takes somebody who has just proven who they are, and leaves an entry. What it opens is opened when the program picks it
//!   up, once, and only while the approver's own session lives: whoever signs out everywhere meanwhile has taken it back.
//! - The session is strong if the approver's is, never stronger.
//! - The program's code has 256 random bits and is stored by its SHA-256; the person's has 40, is stored by a MAC, and is tried within the
//!   limits of sign-ins.
//! - A row is vouched for with all that it grants: who owns the database approves nothing.

pub mod http;
mod model;
mod ops;
pub mod page;
mod sql;

pub use http::{DeviceCode, DeviceLogin};
