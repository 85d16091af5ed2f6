//! A folder of files that only their owner may read or change: profiles, pins, evidence.
//!
//! # Invariants
//! A file is of mode 0600 in folders of mode 0700, and one that others can reach is refused. It is
//! replaced as a whole by a rename, under a lock: a reader sees the old or the new one, and of two
//! writers none undoes the other.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};
use crate::secret_file;
use crate::surroundings;

/// Where such files are; it need not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct PrivateFolder {
    path: PathBuf,
}

impl PrivateFolder {
    /// The folder of this user's settings for the program.
    ///
    /// # Errors
    /// When this user has no home directory.
    pub(crate) fn of_this_user() -> Result<Self, Failure> {
        let path = surroundings::config_folder().ok_or_else(|| {
            Failure::new(Exit::Failure, "there is no home directory for profiles and pins")
                .hint("set BAILIWICK_CONFIG_DIR, or use BAILIWICK_TOKEN and BAILIWICK_SERVER")
        })?;
        Ok(Self::at(path))
    }

    /// The folder at a path.
    pub(crate) const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// A folder in it.
    pub(crate) fn inner(&self, name: &str) -> Self {
        Self::at(self.path.join(name))
    }

    /// Where a file in it is.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads a file; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read, or others can reach it too.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, Failure> {
        let path = self.file(name);
        let text = match fs::read_to_string(&path) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|err| Failure::local(format!("could not read {}", path.display()), &err))?,
        };
        refuse_shared(&path)?;
        Ok(Some(text))
    }

    /// The names of its files that end so, sorted; none when it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn names(&self, ending: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.path) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            read => read?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string().ok().filter(|name| name.ends_with(ending)));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Makes the folder and waits for other writers; the lock ends with the file handle.
    pub(crate) fn lock(&self, name: &str) -> io::Result<File> {
        self.make()?;
        let lock = File::options().create(true).append(true).open(self.file(name))?;
        lock.lock()?;
        Ok(lock)
    }

    fn make(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        }
        builder.create(&self.path)?;
        #[cfg(unix)]
        fs::set_permissions(&self.path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(())
    }

    /// Writes a new file beside the old one and renames it over, under the caller's lock; what a
    /// crash left is removed first.
    pub(crate) fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        self.make()?;
        let fresh = self.file(&format!("{name}.new"));
        match fs::remove_file(&fresh) {
            Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
            _ => {}
        }
        let mut file = secret_file::create_private(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, self.file(name))?;
        #[cfg(unix)]
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }
}

/// Refuses a file that somebody else can read or write.
#[cfg(unix)]
fn refuse_shared(path: &Path) -> Result<(), Failure> {
    let metadata =
        fs::metadata(path).map_err(|err| Failure::local(format!("could not read {}", path.display()), &err))?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("{} should be yours alone, and others can reach it (mode {mode:04o})", path.display());
    Err(Failure::new(Exit::Failure, message).hint(format!("chmod 600 {}", path.display())))
}

#[cfg(not(unix))]
fn refuse_shared(_path: &Path) -> Result<(), Failure> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PrivateFolder) {
        let base = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::at(base.path().join("config/bailiwick"));
        (base, folder)
    }

    #[test]
    fn what_is_not_there_is_none() {
        let (_base, folder) = folder();
        assert_eq!(folder.read("a").unwrap(), None);
        assert!(folder.names("").unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let (_base, folder) = folder();
        folder.replace("a", "1").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.file("a")), 0o600);
        assert_eq!(mode(&folder.path), 0o700);

        fs::set_permissions(folder.file("a"), PermissionsExt::from_mode(0o640)).unwrap();
        assert!(folder.read("a").is_err());
    }

    #[test]
    fn what_a_crash_left_is_in_nobody_s_way() {
        let (_base, folder) = folder();
        folder.replace("a", "1").unwrap();
        fs::write(folder.file("a.new"), "half").unwrap();
        folder.replace("a", "2").unwrap();
        assert_eq!(folder.read("a").unwrap().as_deref(), Some("2"));
        assert_eq!(folder.names("").unwrap(), ["a"]);
    }
}
