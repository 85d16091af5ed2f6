//! The anchor store: the little that must outlive the database and never be part of its backups.
//!
//! It is a local folder so far, for one machine, with a folder for each cell in it:
//!
//! ```text
//! DIR/<cell id>/lock                                held (flock) by whoever signs at this moment
//! DIR/<cell id>/journal/00000000000000000001.json   what was about to be signed, see [`Journal`]
//! ```
//!
//! # Invariants
//! - An object is created and never written again.
//! - An object is on the disk, and its name too, before anything that depends on it happens.
//! - Whoever puts back an older database finds the newer journal here, and the server refuses.

mod journal;

pub use journal::{Head, Journal, JournalError, SigningLock};
