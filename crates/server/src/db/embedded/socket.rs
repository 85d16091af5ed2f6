//! Where the socket lies: in the data directory, or, when that path is too long for the system, in a private folder
//! under `/tmp`.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::data_dir::DataDir;
use super::error::{EmbeddedError, io};
use super::secret_files::write_private;
use crate::entropy::Entropy;

/// The port is part of the socket's name, and nothing else.
pub(super) const PORT: u16 = 5432;
const FILE: &str = ".s.PGSQL.5432";
/// Beside the socket, with the number of the process that listens on it.
pub(super) const SOCKET_LOCK: &str = ".s.PGSQL.5432.lock";
/// The longest path of a Unix socket on Linux (`sun_path`), without the terminating zero.
const MAX_BYTES: usize = 107;
const TEMPORARY: &str = "/tmp/bailiwick-";

/// The folder of the socket.
#[derive(Debug)]
pub(super) struct SocketDir {
    path: PathBuf,
    /// Where a folder outside the data directory is written down, so that the next start removes it.
    note: Option<PathBuf>,
}

impl SocketDir {
    /// Makes the folder, and removes one that an earlier run left elsewhere.
    ///
    /// # Errors
    /// [`EmbeddedError::SocketPath`] when there is no place for it.
    pub(super) fn make(dir: &DataDir, entropy: &Entropy) -> Result<Self, EmbeddedError> {
        let note = dir.path().join("socket-dir");
        remove_noted(&note);
        let inside = dir.path().join("run");
        if fits(&inside) {
            dir.make_account_dir(&inside)?;
            return Ok(Self { path: inside, note: None });
        }
        let name: String = entropy.bytes::<6>().iter().map(|byte| format!("{byte:02x}")).collect();
        let outside = PathBuf::from(format!("{TEMPORARY}{name}"));
        write_private(&note, outside.display().to_string().as_bytes())?;
        // Fails when it exists: nobody can have prepared it for us.
        if DirBuilder::new().mode(0o700).create(&outside).is_err() {
            return Err(EmbeddedError::SocketPath { path: inside.join(FILE), max: MAX_BYTES });
        }
        dir.account().map_or(Ok(()), |account| account.give(&outside))?;
        Ok(Self { path: outside, note: Some(note) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what lies outside the data directory, after the database has stopped.
    pub(super) fn remove(&self) -> Result<(), EmbeddedError> {
        let Some(note) = &self.note else { return Ok(()) };
        fs::remove_dir_all(&self.path).map_err(io("remove", &self.path))?;
        fs::remove_file(note).map_err(io("remove", note))
    }
}

fn remove_noted(note: &Path) {
    let Ok(path) = fs::read_to_string(note) else { return };
    if path.starts_with(TEMPORARY) && !path.contains("..") {
        let _gone_already = fs::remove_dir_all(&path);
    }
    let _gone_already = fs::remove_file(note);
}

/// Whether the system can bind there, and PostgreSQL's list of folders can name it without quoting.
fn fits(dir: &Path) -> bool {
    let plain = |char: char| char.is_alphanumeric() || "/._-+@ ".contains(char);
    dir.as_os_str().len() + 1 + FILE.len() <= MAX_BYTES && dir.to_str().is_some_and(|text| text.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_the_whole_path() {
        let longest = MAX_BYTES - 1 - FILE.len();
        assert!(fits(Path::new(&format!("/{}", "d".repeat(longest - 1)))));
        assert!(!fits(Path::new(&format!("/{}", "d".repeat(longest)))));
        assert!(!fits(Path::new("/one,two")));
    }

    #[test]
    fn a_long_path_moves_the_socket_out_and_the_next_start_cleans_up() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&root.path().join("d".repeat(100))).unwrap();
        let entropy = Entropy::system();
        let first = SocketDir::make(&dir, &entropy).unwrap();
        assert!(first.path().starts_with("/tmp") && first.path().is_dir());
        let second = SocketDir::make(&dir, &entropy).unwrap();
        assert!(!first.path().exists() && second.path().is_dir());
        second.remove().unwrap();
        assert!(!second.path().exists() && !dir.path().join("socket-dir").exists());
    }
}
