//! A witness (C2SP tlog-witness): says of logs that they only grow, to whoever asks, for whoever asks later.
//!
//! It belongs on another machine, run by somebody else than the log, needs no database, and knows of a log its key and the one
//! checkpoint that it cosigned last.
//!
//! # Invariants
//! - Nothing is cosigned that does not extend what was cosigned before. The record is on the disk, and its name too, before the
//!   answer leaves: a crash between the two has promised nothing, and the log asks again.
//! - Of one log one request at a time is judged, and of one folder there is one process: the folder's lock is held.
//! - A record that cannot be read, that is gone, or that the log's key did not sign, keeps the witness from starting. It never begins
//!   with a log by itself, and with none twice: a list beside its key says which it has begun with.
//! - Who sends slowly takes nobody's place: requests are counted once their bodies are there.
//! - Two roots of one size are kept as a file that convicts the log ([`bailiwick_proof::consistency`]).

mod begun;
mod http;
mod judge;
mod key_file;
mod record;

pub use http::{Served, add, serve};
pub use key_file::{KeyFileError, make};
pub use record::RecordError;
