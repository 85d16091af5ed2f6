//! The logs that a witness has begun with, in a file beside its key: of none of them may the record be gone.
//!
//! A log is begun with by a command of its own, once. Without a record nobody could tell a witness that has cosigned nothing of a log
//! from one that has lost what it cosigned, and would cosign a fork.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::record::{RecordError, write_whole};

const FILE: &str = "begun";

/// Their origins, in the order in which they were begun with.
pub(super) fn read(witness: &Path) -> Result<Vec<String>, RecordError> {
    let path = witness.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(RecordError::Io { path, source }),
    }
}

/// Adds one, on the disk before this returns; no vkey's name holds a line end.
pub(super) fn add(witness: &Path, origin: &str) -> Result<(), RecordError> {
    let mut begun = read(witness)?;
    begun.push(origin.to_owned());
    let written = write_whole(witness, FILE, &format!("{}\n", begun.join("\n")));
    written.map_err(|source| RecordError::Io { path: witness.join(FILE), source })
}
