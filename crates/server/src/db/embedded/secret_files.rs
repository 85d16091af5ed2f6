//! Generated secrets, one file each, readable by their owner alone.
//!
//! A file appears whole or not at all: it is written under a temporary name, synced and renamed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::error::{EmbeddedError, io};
use crate::entropy::Entropy;

/// A folder of secrets, 0700.
#[derive(Clone, Debug)]
pub struct SecretFiles {
    dir: PathBuf,
}

impl SecretFiles {
    pub(super) fn open(dir: PathBuf) -> Result<Self, EmbeddedError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io("create the folder", &dir))?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).map_err(io("set the permissions of", &dir))?;
        Ok(Self { dir })
    }

    /// Where the secret of this name lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The secret of this name, if its file exists; without the line's end.
    ///
    /// # Errors
    /// [`EmbeddedError::NotWritable`] or [`EmbeddedError::Io`] when the file exists and cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<SecretString>, EmbeddedError> {
        let path = self.path(name);
        match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => Ok(Some(SecretString::from(text.trim_end()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("read", &path)(error)),
        }
    }

    /// The secret of this name, made and stored when there is none.
    ///
    /// # Errors
    /// As [`Self::read`], and when the file cannot be written.
    pub fn read_or_make(&self, name: &str, make: impl FnOnce() -> String) -> Result<SecretString, EmbeddedError> {
        if let Some(secret) = self.read(name)? {
            return Ok(secret);
        }
        let text = Zeroizing::new(make());
        write_private(&self.path(name), format!("{}\n", text.as_str()).as_bytes())?;
        Ok(SecretString::from(text.as_str()))
    }
}

/// 256 bits as 64 hex digits: a password that needs no quoting anywhere.
pub(super) fn password(entropy: &Entropy) -> String {
    entropy.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a file of mode 0600 in place, whole or not at all.
pub(super) fn write_private(path: &Path, contents: &[u8]) -> Result<(), EmbeddedError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.new"));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            file.write_all(contents)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all()));
    written.map_err(io("write", path))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_private() {
        let root = tempfile::tempdir().unwrap();
        let files = SecretFiles::open(root.path().join("secrets")).unwrap();
        let first = files.read_or_make("key", || "one".to_owned()).unwrap();
        let second = files.read_or_make("key", || "two".to_owned()).unwrap();
        assert_eq!((first.expose_secret(), second.expose_secret()), ("one", "one"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&files.path("key")), 0o600);
        assert_eq!(mode(&root.path().join("secrets")), 0o700);
        assert_eq!(fs::read_dir(root.path().join("secrets")).unwrap().count(), 1);
    }

    #[test]
    fn passwords_differ() {
        let entropy = Entropy::system();
        let (one, two) = (password(&entropy), password(&entropy));
        assert!(one.len() == 64 && one != two);
    }
}
