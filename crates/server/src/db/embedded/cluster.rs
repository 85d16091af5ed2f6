//! Making the cluster, once.
//!
//! `initdb` works under a temporary name, and the rename at its end is what makes a cluster: one that was cut short
//! is removed by the next start.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use super::Tuning;
use super::account::Account;
use super::binaries::{Binaries, Search};
use super::data_dir::DataDir;
use super::error::{EmbeddedError, io};

/// The one superuser; the server itself never connects as it after the start.
pub(super) const SUPERUSER: &str = "postgres";

/// The binaries for this data directory: of the version that made its cluster, or the best for a new one.
///
/// # Errors
/// [`EmbeddedError::BinariesMissing`], [`EmbeddedError::OtherMajor`].
pub(super) fn binaries(dir: &DataDir, search: &Search) -> Result<Binaries, EmbeddedError> {
    let file = dir.cluster().join("PG_VERSION");
    let made_by = match fs::read_to_string(&file) {
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(io("read", &file)(error)),
    };
    let wanted = made_by.as_deref().map(|text| text.parse().unwrap_or_default());
    search.find(wanted)?.map_err(|installed| EmbeddedError::OtherMajor {
        dir: dir.path().to_path_buf(),
        made_by: made_by.unwrap_or_default(),
        installed,
    })
}

/// Whether the cluster was made already.
pub(super) fn exists(dir: &DataDir) -> bool {
    dir.cluster().exists()
}

/// Makes the cluster, with data checksums and passwords as the only way in; `password` is a verifier of [`super::scram`].
///
/// # Errors
/// [`EmbeddedError::Program`] with what `initdb` said.
pub(super) fn make(dir: &DataDir, binaries: &Binaries, tuning: Tuning, password: &str) -> Result<(), EmbeddedError> {
    let parent = dir.cluster_parent();
    dir.make_account_dir(&parent)?;
    let unfinished = parent.join("data.new");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(io("remove", &unfinished))?;
    }
    let password_file = parent.join("password");
    write_password(&password_file, password, dir.account())?;
    let made = initdb(dir, binaries, tuning, &unfinished, &password_file);
    fs::remove_file(&password_file).map_err(io("remove", &password_file))?;
    made?;
    fs::rename(&unfinished, dir.cluster()).map_err(io("rename", &unfinished))?;
    fs::File::open(&parent).and_then(|parent| parent.sync_all()).map_err(io("sync", &parent))
}

fn initdb(
    dir: &DataDir,
    binaries: &Binaries,
    tuning: Tuning,
    data: &Path,
    password: &Path,
) -> Result<(), EmbeddedError> {
    let mut command = command_as(dir.account(), &binaries.program("initdb"), &dir.cluster_parent());
    command
        .args(["--data-checksums", "--encoding=UTF8", "--no-locale", "--auth=scram-sha-256", "--no-instructions"])
        .arg(format!("--username={SUPERUSER}"))
        .arg(format!("--pwfile={}", password.display()))
        .arg("--pgdata")
        .arg(data);
    if !tuning.durable {
        command.arg("--no-sync");
    }
    let output = command.output().map_err(io("run", &binaries.program("initdb")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(EmbeddedError::Program { program: "initdb", output: said })
}

/// PostgreSQL's account reads this file, and it is gone as soon as `initdb` has ended.
fn write_password(file: &Path, password: &str, account: Option<Account>) -> Result<(), EmbeddedError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| writeln!(file, "{password}"))
        .map_err(io("write", file))?;
    account.map_or(Ok(()), |account| account.give(file))
}

/// A program of PostgreSQL's as its account, with an environment that leads it nowhere else.
pub(super) fn command_as(account: Option<Account>, program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").env("TZ", "UTC").current_dir(dir);
    if let Some(account) = account {
        account.apply(&mut command);
    }
    command
}
