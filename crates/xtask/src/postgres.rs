//! PostgreSQL on this machine: where its binaries are, and a private cluster that is thrown away after use.
//!
//! PostgreSQL refuses to run as root, so under root its programs run as `postgres` or `nobody`.

use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::process::{self, output};

/// The oldest major version that the server supports.
pub(crate) const OLDEST_MAJOR: u32 = 15;

/// Longest path of a Unix socket, without the terminating zero.
const SOCKET_PATH_MAX: usize = 107;
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The folder that holds all of `needed` in a supported version, looked for in `$PG_BIN`, in `pg_config --bindir`,
/// in `/usr/lib/postgresql/*/bin` (newest first) and on `PATH`.
pub(crate) fn find_bin_dir(needed: &[&str]) -> Option<PathBuf> {
    candidates().into_iter().find(|dir| {
        needed.iter().all(|program| dir.join(program).is_file())
            && major_version(dir).is_some_and(|major| major >= OLDEST_MAJOR)
    })
}

/// `$PGBOUNCER`, the one that Debian's package installs for root, or the first on `PATH`.
pub(crate) fn find_pgbouncer() -> Option<PathBuf> {
    let named = std::env::var_os("PGBOUNCER").map(PathBuf::from);
    let known = [Some(PathBuf::from("/usr/sbin/pgbouncer")), process::on_path("pgbouncer")];
    named.into_iter().chain(known.into_iter().flatten()).find(|file| file.is_file())
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    dirs.extend(std::env::var_os("PG_BIN").map(PathBuf::from));
    if let Ok(dir) = output(Command::new("pg_config").arg("--bindir")) {
        dirs.push(PathBuf::from(dir.trim()));
    }
    let mut versions: Vec<u32> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    dirs.extend(versions.into_iter().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))));
    dirs.extend(process::on_path("postgres").and_then(|file| Some(file.parent()?.to_path_buf())));
    dirs
}

/// Reads the 15 of `postgres (PostgreSQL) 15.18 (Debian …)`.
fn major_version(dir: &Path) -> Option<u32> {
    let line = output(Command::new(dir.join("postgres")).arg("--version")).ok()?;
    parse_major(&line)
}

fn parse_major(line: &str) -> Option<u32> {
    let version = line.split_once("(PostgreSQL) ")?.1;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A running cluster in a temporary folder, reachable by its socket alone; dropping it stops and removes it.
///
/// It has the roles and the empty database that the migrations expect to find: `bailiwick_owner` (who owns the
/// database), `bailiwick_runtime` and `bailiwick_system`.
pub(crate) struct Cluster {
    bin: PathBuf,
    dir: PathBuf,
    server: Child,
}

impl Cluster {
    /// # Errors
    /// When a folder cannot be made, or PostgreSQL does not come up; its log is part of the error.
    pub(crate) fn start(bin: &Path) -> anyhow::Result<Self> {
        let account = Account::for_postgres()?;
        let dir = temporary_dir()?;
        if let Some(account) = &account {
            chown(&dir, Some(account.uid), Some(account.gid))
                .with_context(|| format!("cannot hand {} over", dir.display()))?;
        }
        output(
            as_account(&bin.join("initdb"), account.as_ref(), &dir)
                .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync"])
                .arg("--pgdata")
                .arg(dir.join("data")),
        )?;
        let log = std::fs::File::create(dir.join("log")).context("cannot create the log")?;
        let server = as_account(&bin.join("postgres"), account.as_ref(), &dir)
            .arg("-D")
            .arg(dir.join("data"))
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", dir.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start postgres")?;
        let mut cluster = Self { bin: bin.to_path_buf(), dir, server };
        cluster.wait_until_ready()?;
        cluster.create_database()?;
        Ok(cluster)
    }

    /// The connection URL of `bailiwick_owner`.
    pub(crate) fn owner_url(&self) -> String {
        format!("postgres://bailiwick_owner@localhost/bailiwick?host={}", self.dir.display())
    }

    /// Runs a file of SQL as `bailiwick_owner`, as sqlx would: in one transaction, unless its first line is
    /// `-- no-transaction`.
    ///
    /// # Errors
    /// When a statement fails; psql's message names the file and the line.
    pub(crate) fn apply(&self, file: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut psql = self.psql("bailiwick_owner", "bailiwick");
        if !text.starts_with("-- no-transaction") {
            psql.arg("--single-transaction");
        }
        output(psql.arg("--file").arg(file)).map(drop)
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if output(self.psql("postgres", "postgres").args(["-c", "select 1"])).is_ok() {
                return Ok(());
            }
            let ended = self.server.try_wait().context("cannot watch postgres")?;
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                bail!("postgres did not come up\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn create_database(&self) -> anyhow::Result<()> {
        for statement in [
            "create role bailiwick_owner login",
            "create role bailiwick_runtime login",
            "create role bailiwick_system login",
            "create database bailiwick owner bailiwick_owner",
        ] {
            output(self.psql("postgres", "postgres").args(["-c", statement]))?;
        }
        Ok(())
    }

    fn psql(&self, user: &str, database: &str) -> Command {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--no-password", "--set", "ON_ERROR_STOP=1"])
            .arg("--host")
            .arg(&self.dir)
            .args(["--username", user, "--dbname", database]);
        psql
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGKILL would leave shared memory behind; SIGINT to the postmaster is PostgreSQL's fast shutdown.
        let pid = self.server.id().to_string();
        let asked = process::run(Command::new("kill").args(["-INT", &pid]));
        if asked.is_err() {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The unprivileged account that PostgreSQL runs as when we are root.
struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// `None` when we are not root, and PostgreSQL can run as ourselves.
    fn for_postgres() -> anyhow::Result<Option<Self>> {
        if !process::is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            let id = |flag| output(Command::new("id").args([flag, name])).ok()?.trim().parse().ok();
            if let (Some(uid), Some(gid)) = (id("-u"), id("-g")) {
                return Ok(Some(Self { uid, gid }));
            }
        }
        bail!("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
    }
}

/// A command that runs as `account` in `dir`: PostgreSQL's programs complain about a folder that they cannot enter.
fn as_account(program: &Path, account: Option<&Account>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// A fresh 0700 folder whose path leaves room for a socket's name.
fn temporary_dir() -> anyhow::Result<PathBuf> {
    let name = format!("bailiwick-pg-{}", std::process::id());
    let mut dir = std::env::temp_dir().join(&name);
    if dir.as_os_str().len() + "/.s.PGSQL.5432".len() > SOCKET_PATH_MAX {
        dir = Path::new("/tmp").join(&name);
    }
    std::fs::DirBuilder::new().mode(0o700).create(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::parse_major;

    #[test]
    fn reads_the_major_version() {
        for (line, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 17beta1\n", Some(17)),
            ("postgres (EnterpriseDB) 15\n", None),
        ] {
            assert_eq!(parse_major(line), major, "{line}");
        }
    }
}
