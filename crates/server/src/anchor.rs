//! The anchor store: the little that must outlive the database and never be part of its backups.
//!
//! [`AnchorStore`] is the store itself: small objects, created once or replaced by compare-and-swap. It is a local
//! folder for one machine, or a bucket for several. What lies in it, with the cell's id before it:
//!
//! ```text
//! <cell id>/known                               that the store knows this cell
//! <cell id>/lock                                held (flock) by whoever signs at this moment; a bucket has no locks
//! <cell id>/journal/00000000000000000001.json   what was about to be signed, see [`Journal`]
//! <cell id>/frozen.json                         whose logs are not signed, see [`Freezes`]
//! ```
//!
//! # Invariants
//! - An object that was created is whole, and on the disk before anything that depends on it happens.
//! - An object of the journal is created and never written again.
//! - An object is replaced from the content that was seen, or not at all; what was replaced is not to be had any more.
//! - Whoever puts back an older database finds the newer journal here, and the server refuses.

mod bucket;
mod folder;
mod freezes;
mod journal;
mod name;
mod store;

pub use freezes::{Freeze, Freezes, Frozen};
pub use journal::{Head, Journal, JournalError, SigningLock};
pub use name::ObjectName;
pub use store::{AnchorError, AnchorStore, MAX_OBJECT_BYTES, OPERATION_LIMIT, Object, StoreLock, Tag};
