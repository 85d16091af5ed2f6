//! Where a proof is written: a new file of the user's, or standard output.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Writes a new file and waits until the disk has it.
///
/// # Errors
/// When it is there already, so that no proof is lost, or the disk does not take it.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|err| Failure::local(format!("could not create {}", path.display()), &err))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|err| Failure::local(format!("could not write {}", path.display()), &err))
}

/// Keeps what is damaged beside the file that was asked for; what is there already, and the same, is kept too.
///
/// # Errors
/// As [`write_new`].
pub(crate) fn keep_beside(path: &Path, text: &str) -> Result<PathBuf, Failure> {
    let place = beside(path);
    let there = std::fs::read(&place).is_ok_and(|there| there == text.as_bytes());
    if !there {
        write_new(&place, text)?;
    }
    Ok(place)
}

/// Where what is damaged goes, so that it is not taken for what was asked for: `x.tlog-proof` has it
/// in `x.damaged.tlog-proof`.
fn beside(path: &Path) -> PathBuf {
    let ending = path.extension().map(|ending| format!("damaged.{}", ending.display()));
    path.with_extension(ending.unwrap_or_else(|| "damaged".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tlog-proof");
        write_new(&path, "older").unwrap();
        assert!(write_new(&path, "newer").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "older");
    }

    #[test]
    fn the_same_evidence_is_kept_once_and_other_evidence_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tlog-proof");
        let kept = keep_beside(&path, "one").unwrap();
        assert_eq!(keep_beside(&path, "one").unwrap(), kept);
        assert!(keep_beside(&path, "two").is_err());
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "one");
        assert!(!path.exists());
    }

    #[test]
    fn what_is_damaged_has_a_name_that_says_so() {
        assert_eq!(beside(Path::new("/a/b.tlog-proof")), Path::new("/a/b.damaged.tlog-proof"));
        assert_eq!(beside(Path::new("b")), Path::new("b.damaged"));
    }
}
