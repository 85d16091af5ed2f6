//! The data directory: one folder that holds all that `bailiwickd dev` keeps.
//!
//! ```text
//! DIR/format         the layout's version, a number
//! DIR/lock           held by an exclusive flock while a server runs; names its process
//! DIR/secrets/       0700, files 0600
//! DIR/postgres/data  the cluster, owned by PostgreSQL's account
//! DIR/postgres.log   what PostgreSQL says; never the text of a statement
//! DIR/postgres.url   the owner's connection URL, 0600
//! DIR/run            the socket
//! ```
//!
//! Under root the directory is 0711, not 0700, because PostgreSQL's account must pass through it; nothing readable
//! by others lies in it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Uid;

use super::account::Account;
use super::error::{EmbeddedError, io};
use super::secret_files::{SecretFiles, write_private};

/// The layout that this program reads and writes.
const FORMAT: u32 = 1;
/// A server that was just killed, and a child that it was just forking, hold the lock for a moment longer.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(15);

/// A data directory that is ours alone for as long as this value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    account: Option<Account>,
    _lock: File,
}

impl DataDir {
    /// Makes the directory, or takes over one that an earlier run left, however that run ended.
    ///
    /// # Errors
    /// [`EmbeddedError::InUse`] while another server holds it, [`EmbeddedError::OtherFormat`] and
    /// [`EmbeddedError::ForeignDirectory`] when it is not ours to use, [`EmbeddedError::NotWritable`],
    /// [`EmbeddedError::NotTraversable`] and [`EmbeddedError::NoAccount`] when it cannot serve.
    pub fn open(path: &Path) -> Result<Self, EmbeddedError> {
        make_dir(path)?;
        let path = path.canonicalize().map_err(io("resolve", path))?;
        let formatted = check_format(&path)?;
        let lock = take_lock(&path)?;
        if !formatted {
            write_private(&path.join("format"), format!("{FORMAT}\n").as_bytes())?;
        }
        let account = Account::choose(&path.join("postgres/data"))?;
        let dir = Self { path, account, _lock: lock };
        dir.open_the_way()?;
        Ok(dir)
    }

    /// Its absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secrets that lie in it.
    ///
    /// # Errors
    /// [`EmbeddedError::NotWritable`] when their folder cannot be made.
    pub fn secrets(&self) -> Result<SecretFiles, EmbeddedError> {
        SecretFiles::open(self.path.join("secrets"))
    }

    pub(super) fn account(&self) -> Option<Account> {
        self.account
    }

    /// The folder in which clusters are made; owned by PostgreSQL's account.
    pub(super) fn cluster_parent(&self) -> PathBuf {
        self.path.join("postgres")
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.cluster_parent().join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// Makes a folder that belongs to PostgreSQL's account and is closed to everybody else.
    pub(super) fn make_account_dir(&self, dir: &Path) -> Result<(), EmbeddedError> {
        make_dir(dir)?;
        self.account.map_or(Ok(()), |account| account.give(dir))?;
        set_mode(dir, 0o700)
    }

    /// Under root, lets PostgreSQL's account pass through the folders above the cluster: ours and those that root
    /// owns get the right to be searched (not listed) by others; those of somebody else are left alone.
    fn open_the_way(&self) -> Result<(), EmbeddedError> {
        let Some(account) = self.account else { return set_mode(&self.path, 0o700) };
        set_mode(&self.path, 0o711)?;
        for ancestor in self.path.ancestors().skip(1) {
            let metadata = fs::metadata(ancestor).map_err(io("look at", ancestor))?;
            if account.may_search(&metadata) {
                continue;
            }
            if metadata.uid() != 0 {
                return Err(EmbeddedError::NotTraversable { ancestor: ancestor.to_path_buf(), account: account.uid });
            }
            let mode = metadata.mode() & 0o7777 | 0o011;
            set_mode(ancestor, mode)?;
            tracing::warn!(
                event = "data_dir.ancestor_opened",
                path = %ancestor.display(),
                mode = format_args!("{mode:o}"),
                "others may now pass through this folder, for PostgreSQL cannot run as root"
            );
        }
        Ok(())
    }
}

/// Makes `dir` and what is missing above it; what exists stays as it is.
fn make_dir(dir: &Path) -> Result<(), EmbeddedError> {
    let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new().recursive(true).mode(mode).create(dir).map_err(io("create the folder", dir))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), EmbeddedError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(io("set the permissions of", path))
}

/// Whether the directory has our format already; a new one has none.
fn check_format(dir: &Path) -> Result<bool, EmbeddedError> {
    let file = dir.join("format");
    match fs::read_to_string(&file) {
        Ok(text) if text.trim() == FORMAT.to_string() => Ok(true),
        Ok(text) => {
            let found = text.trim().chars().take(40).collect();
            Err(EmbeddedError::OtherFormat { dir: dir.to_path_buf(), found, known: FORMAT })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if is_new(dir)? {
                Ok(false)
            } else {
                Err(EmbeddedError::ForeignDirectory { dir: dir.to_path_buf() })
            }
        }
        Err(error) => Err(io("read", &file)(error)),
    }
}

/// Whether nothing lies in `dir` but what a start that was cut short leaves.
fn is_new(dir: &Path) -> Result<bool, EmbeddedError> {
    let entries = fs::read_dir(dir).map_err(io("list", dir))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>();
    Ok(names.map_err(io("list", dir))?.iter().all(|name| name == "lock" || name == ".format.new"))
}

fn take_lock(dir: &Path) -> Result<File, EmbeddedError> {
    let path = dir.join("lock");
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io("open", &path))?;
    let mut tries_left = LOCK_TRIES;
    while let Err(error) = file.try_lock() {
        match error {
            TryLockError::WouldBlock if tries_left > 0 => {
                tries_left -= 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            TryLockError::WouldBlock => {
                let mut text = String::new();
                let holder = file.read_to_string(&mut text).ok().map(|_| text.trim().to_owned());
                let holder = holder.filter(|text| !text.is_empty());
                return Err(EmbeddedError::InUse { dir: dir.to_path_buf(), holder });
            }
            TryLockError::Error(error) => return Err(io("lock", &path)(error)),
        }
    }
    file.set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| writeln!(file, "{}", std::process::id()))
        .map_err(io("write", &path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_gets_a_format_and_opens_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        drop(DataDir::open(&path).unwrap());
        assert_eq!(fs::read_to_string(path.join("format")).unwrap(), "1\n");
        drop(DataDir::open(&path).unwrap());
    }

    #[test]
    fn a_second_holder_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let _first = DataDir::open(root.path()).unwrap();
        let error = DataDir::open(root.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), "…").unwrap();
        assert!(matches!(DataDir::open(root.path()), Err(EmbeddedError::ForeignDirectory { .. })));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_format_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("format"), "7\n").unwrap();
        let error = DataDir::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("\"7\"") && error.contains("format 1"), "{error}");
    }

    #[test]
    fn a_start_cut_short_before_the_format_is_repaired() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("lock"), "1\n").unwrap();
        fs::write(root.path().join(".format.new"), "").unwrap();
        DataDir::open(root.path()).unwrap();
    }
}
