//! Sessions: what a sign-in leaves behind, how it is kept alive and how it ends.
//!
//! # Invariants
//! - A refresh token has 256 random bits, is stored by its SHA-256, and is used once. Parallel uses give
//!   one successor: losers get the winner's for ten seconds. A use after that is a replay, and ends every
//!   session of its person.
//! - Rotation never extends the absolute expiry; a session that is not refreshed for two weeks is over.
//! - The session's row is locked while it is refreshed, so a refresh that races its end does not survive.
//! - All of a person's sessions end by a word in the person's own row: a session is of an epoch, and lives in that alone.
//! - The answer to an end comes when no node takes the session's tokens any more.
//! - Whoever proves themselves again gets another session, whose id tells when; the old one ends in that transaction.
//! - What is told of a session's device and place is told to its person, and decides nothing.

pub mod http;
mod keep_alive;
mod model;
mod ops;
pub mod page;
mod seen;
mod sql;
pub mod verify;

pub use keep_alive::keep_alive;
pub use model::{
    EndedSessions, Living, OpenedSession, Opening, RefreshRefusal, Replaced, Session, SignInMethod, TokenPair,
};
pub use ops::{Ended, Refreshing, end_all_within, end_by_tokens, hold_living, open, open_beside, refresh, replace};
pub use seen::Seen;
pub use sql::EndedAll;
