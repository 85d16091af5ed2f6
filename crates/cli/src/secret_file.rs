//! Files that only their owner may read: the profile file, and the file that takes a new key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Creates a file of mode 0600 that was not there before; a link in its place is refused too.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A file that was made before there is anything to put into it, so that a full disk or a taken
/// name is found before a key is made. Dropped unfilled, it is removed again.
pub(crate) struct SecretFile {
    path: PathBuf,
    file: File,
    filled: bool,
}

impl SecretFile {
    /// Makes the empty file.
    ///
    /// # Errors
    /// When it exists already or its folder does not take it.
    pub(crate) fn create(path: PathBuf) -> Result<Self, Failure> {
        let file = create_private(&path)
            .map_err(|err| Failure::local(format!("could not create {}", path.display()), &err))?;
        Ok(Self { path, file, filled: false })
    }

    /// Writes the secret and a newline, waits until the disk has it, and answers where it is.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn fill(mut self, secret: &str) -> Result<PathBuf, Failure> {
        let written = writeln!(self.file, "{secret}").and_then(|()| self.file.sync_all());
        written.map_err(|err| Failure::local(format!("could not write {}", self.path.display()), &err))?;
        self.filled = true;
        Ok(self.path.clone())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.filled {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_file_stays_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ci.key");
        SecretFile::create(path.clone()).unwrap().fill("bw_x").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "bw_x\n");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    }

    #[test]
    fn an_unfilled_file_goes_and_a_taken_name_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ci.key");
        drop(SecretFile::create(path.clone()).unwrap());
        assert!(!path.exists());
        fs::write(&path, "older").unwrap();
        assert!(SecretFile::create(path.clone()).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "older");
    }
}
