//! What can be wrong with the embedded database, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the embedded database did not start or stop; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No folder holds `initdb` and `postgres` in a supported version.
    #[error(
        "PostgreSQL's binaries (initdb and postgres, version {oldest} or newer) are missing. Looked in: {}. \
         Install them (Debian and Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; \
         macOS: brew install postgresql), or name their folder in PG_BIN",
        searched.join("; ")
    )]
    BinariesMissing {
        /// The oldest major version that will do.
        oldest: u32,
        /// Each place and what was found there, in the order of the search.
        searched: Vec<String>,
    },

    /// The data directory's cluster belongs to a major version that is not installed.
    #[error(
        "{} was made by PostgreSQL {made_by}, and only {} found here. Install PostgreSQL {made_by} (or name its \
         binaries' folder in PG_BIN), or choose another --data-dir",
        dir.display(), installed_versions(installed)
    )]
    OtherMajor {
        /// The data directory.
        dir: PathBuf,
        /// What its `PG_VERSION` says.
        made_by: String,
        /// The major versions that the search found, newest first.
        installed: Vec<u32>,
    },

    /// The data directory was laid out by another version of Bailiwick.
    #[error(
        "{} has the data format {found:?}, this bailiwickd knows format {known}. Start it with the version that made \
         it, or choose another --data-dir",
        dir.display()
    )]
    OtherFormat {
        /// The data directory.
        dir: PathBuf,
        /// What its `format` file says.
        found: String,
        /// The one format that this program reads and writes.
        known: u32,
    },

    /// The directory holds files, and nothing says that they are ours.
    #[error(
        "{} is not empty and is no data directory of Bailiwick (it has no file `format`). Choose another --data-dir",
        dir.display()
    )]
    ForeignDirectory {
        /// The directory that was named.
        dir: PathBuf,
    },

    /// Another server holds the directory's lock.
    #[error(
        "{} is in use by another bailiwickd{}. Stop that one, or choose another --data-dir",
        dir.display(), holder.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// The process that wrote itself into the lock file.
        holder: Option<String>,
    },

    /// A file or folder cannot be made or written.
    #[error(
        "{} is not writable. Run bailiwickd as the user that owns it, or choose another --data-dir", path.display()
    )]
    NotWritable {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The database's account cannot pass through a folder above the data directory.
    #[error(
        "the user {account}, as whom PostgreSQL must run when bailiwickd is started as root, cannot pass through {}. \
         Allow it (chmod o+x), choose another --data-dir, or do not start bailiwickd as root",
        ancestor.display()
    )]
    NotTraversable {
        /// The folder without the right to search it.
        ancestor: PathBuf,
        /// The user id of the database's account.
        account: u32,
    },

    /// Started as root, and there is no account to run PostgreSQL as.
    #[error(
        "PostgreSQL refuses to run as root, and this system has neither a user postgres nor a user nobody. Start \
         bailiwickd as an ordinary user"
    )]
    NoAccount,

    /// No place for the socket is short enough.
    #[error("the socket path {} is longer than the {max} bytes that the system allows", path.display())]
    SocketPath {
        /// The socket's full path.
        path: PathBuf,
        /// The longest allowed, in bytes.
        max: usize,
    },

    /// A secret that the existing cluster depends on is gone or does not fit.
    #[error(
        "{} is missing or does not fit the existing database. Put the file back from where it went, or remove the \
         data directory to begin anew", path.display()
    )]
    SecretLost {
        /// The file under `secrets/`.
        path: PathBuf,
    },

    /// A program of PostgreSQL's failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What it said.
        output: String,
    },

    /// The database ended while it was starting.
    #[error("PostgreSQL ended while it was starting. The end of {}:\n{tail}", log.display())]
    Ended {
        /// The database's log file.
        log: PathBuf,
        /// What this start added to it, at most the last lines.
        tail: String,
    },

    /// The database did not become ready, or did not go, in time.
    #[error("PostgreSQL {what} within {seconds} s. Its log is {}", log.display())]
    Deadline {
        /// What did not happen, as the middle of the sentence.
        what: &'static str,
        /// How long it had.
        seconds: u64,
        /// The database's log file.
        log: PathBuf,
    },

    /// A process of an earlier run does not go away.
    #[error("process {pid} of an earlier PostgreSQL on this data directory does not stop. End it by hand")]
    StillRunning {
        /// The process id.
        pid: i32,
    },

    /// Setting up roles and the database failed.
    #[error("cannot {step}")]
    Sql {
        /// What was being done.
        step: &'static str,
        /// The database's answer.
        source: sqlx::Error,
    },

    /// Any other trouble with a file.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// The verb.
        doing: &'static str,
        /// Its object.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn installed_versions(installed: &[u32]) -> String {
    let names: Vec<String> = installed.iter().map(u32::to_string).collect();
    if names.len() == 1 { format!("{} was", names.concat()) } else { format!("{} were", names.join(", ")) }
}

/// Turns an [`io::Error`] into ours, naming what was done to which path.
pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_path_buf();
    move |source| match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            EmbeddedError::NotWritable { path, source }
        }
        _ => EmbeddedError::Io { doing, path, source },
    }
}
