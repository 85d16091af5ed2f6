//! Factors: what a person proves themselves with beside the mail, when they owe one, and who demands it.
//!
//! ```text
//! authenticator    codes from a secret and the time, RFC 6238; several, each with a name
//! passkey          stands in the feature `passkeys`, and counts as much
//! recovery codes   ten, made with the first factor, each good once
//! second step      a mail of somebody who has a factor opens no session but this: ten minutes, five tries
//! step-up          a factor shown again puts another session in the place of the one at hand
//! ```
//!
//! # Invariants
//! - That a person has a factor stands in their own row, under its MAC: whoever takes rows of factors away makes no sign-in
//!   weaker.
//! - A code counts once, also for two who come with it at the same moment, and never after a later one.
//! - Secrets are sealed; recovery codes are stored under a key that the database does not have.
//! - Wrong codes are counted by person and by second step, and only after the mail was shown: who knows an address alone locks
//!   nobody out.
//! - A change takes a sign-in of the last ten minutes, leaves an entry, and is told by mail.

mod holder;
pub mod http;
mod model;
mod ops;
pub mod page;
mod prove;
mod qr;
mod recovery;
mod second_step;
mod sql;
mod totp;

pub use model::{
    AddAuthenticator, Authenticator, ConfirmAuthenticator, ConfirmedAuthenticator, FactorError, Factors,
    NewAuthenticator, PassFactor, RecoveryCodes, ShowFactor,
};
pub use ops::{
    FirstFactor, Hands, Held, Reset, Resetting, UNCONFIRMED_LIVE, first_factor, held, may_remove, own_person,
    remove_all, reset, tell,
};
pub use second_step::{Begun, SECOND_STEP_LIVES, begin_second_step, void_second_steps};
