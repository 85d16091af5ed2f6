//! The database's process: how it is started, known to be ready, watched and stopped.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::process::Child;

use super::account::Account;
use super::cluster::command_as;
use super::error::{EmbeddedError, io};
use super::remains;
use super::socket::{PORT, SOCKET_LOCK};
use super::{Tuning, binaries::Binaries};

const READY_POLL: Duration = Duration::from_millis(10);
/// Crash recovery may take its time.
const READY: Duration = Duration::from_secs(60);
const FAST: Duration = Duration::from_secs(20);
const IMMEDIATE: Duration = Duration::from_secs(5);
/// A log beyond this is put aside at the next start.
const LOG_MAX_BYTES: u64 = 16 * 1024 * 1024;
const TAIL_LINES: usize = 12;

/// All that it takes to start the database; the same for each start.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) binaries: Binaries,
    pub(super) cluster: PathBuf,
    pub(super) socket_dir: PathBuf,
    pub(super) log: PathBuf,
    pub(super) account: Option<Account>,
    pub(super) tuning: Tuning,
}

impl Launch {
    /// Clears away what an earlier run left, starts the database and waits until `superuser` can connect.
    ///
    /// # Errors
    /// [`EmbeddedError::Ended`] with the end of its log, [`EmbeddedError::Deadline`],
    /// [`EmbeddedError::StillRunning`], or [`EmbeddedError::Sql`] when it runs and refuses us.
    pub(super) async fn start(
        &self,
        superuser: &PgConnectOptions,
    ) -> Result<(Postmaster, PgConnection), EmbeddedError> {
        remains::clear(&self.cluster, &self.socket_dir.join(SOCKET_LOCK)).await?;
        let (log, begin) = self.open_log()?;
        let mut postmaster = self.spawn(log)?;
        tokio::select! {
            _ = postmaster.ended() => Err(EmbeddedError::Ended { log: self.log.clone(), tail: self.tail(begin) }),
            connected = tokio::time::timeout(READY, connect(superuser)) => match connected {
                Ok(connection) => Ok(connection?),
                Err(_) => Err(self.late("did not become ready", READY)),
            },
        }
        .map(|connection| (postmaster, connection))
    }

    fn spawn(&self, log: File) -> Result<Postmaster, EmbeddedError> {
        let program = self.binaries.program("postgres");
        let mut command = command_as(self.account, &program, &self.cluster);
        command.arg("-D").arg(&self.cluster);
        for (name, value) in self.settings() {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // A group of its own: Ctrl-C on the terminal is ours to handle, and the database's end comes last.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = tokio::process::Command::from(command).spawn().map_err(io("run", &program))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Ok(Postmaster { child, pid, log: self.log.clone() })
    }

    /// Given on the command line, so that no file in the cluster can differ from what this program wants.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let durable = if self.tuning.durable { "on" } else { "off" };
        vec![
            ("listen_addresses", String::new()),
            ("unix_socket_directories", self.socket_dir.display().to_string()),
            ("unix_socket_permissions", "0700".to_owned()),
            ("port", PORT.to_string()),
            ("cluster_name", self.tuning.cluster_name.to_owned()),
            ("max_connections", self.tuning.max_connections.to_string()),
            ("max_prepared_transactions", self.tuning.prepared_transactions.to_string()),
            ("shared_buffers", "32MB".to_owned()),
            // Its statements are short: a compiler would be loaded into each connection for what it never makes up for.
            ("jit", "off".to_owned()),
            // In a cluster of hundreds of databases it starts a process for one of them many times a second.
            ("autovacuum", durable.to_owned()),
            ("fsync", durable.to_owned()),
            ("full_page_writes", durable.to_owned()),
            ("synchronous_commit", durable.to_owned()),
            ("password_encryption", "scram-sha-256".to_owned()),
            ("timezone", "UTC".to_owned()),
            // Nothing of a statement or its parameters reaches the log.
            ("logging_collector", "off".to_owned()),
            ("log_statement", "none".to_owned()),
            ("log_min_duration_statement", "-1".to_owned()),
            ("log_min_error_statement", "panic".to_owned()),
            ("log_error_verbosity", "terse".to_owned()),
            ("log_parameter_max_length", "0".to_owned()),
            ("log_parameter_max_length_on_error", "0".to_owned()),
        ]
    }

    /// The log, open at its end, and where this start's part begins.
    fn open_log(&self) -> Result<(File, u64), EmbeddedError> {
        if fs::metadata(&self.log).is_ok_and(|metadata| metadata.len() > LOG_MAX_BYTES) {
            fs::rename(&self.log, self.log.with_extension("log.1")).map_err(io("rename", &self.log))?;
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.log);
        let file = file.map_err(io("open", &self.log))?;
        let begin = file.metadata().map_err(io("look at", &self.log))?.len();
        Ok((file, begin))
    }

    fn tail(&self, begin: u64) -> String {
        let mut text = String::new();
        let read = File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(begin))?;
            file.read_to_string(&mut text)
        });
        if read.is_err() || text.is_empty() {
            return "(nothing)".to_owned();
        }
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n")
    }

    fn late(&self, what: &'static str, patience: Duration) -> EmbeddedError {
        EmbeddedError::Deadline { what, seconds: patience.as_secs(), log: self.log.clone() }
    }
}

/// Tries until the database takes a connection or refuses us for good.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, EmbeddedError> {
    loop {
        match options.connect().await {
            Ok(mut connection) => {
                let answered = connection.ping().await;
                return answered.map(|()| connection).map_err(|source| sql("ask the database", source));
            }
            Err(sqlx::Error::Io(_)) => {}
            // 57P03 cannot_connect_now: it starts up, or recovers.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("57P03") => {}
            Err(source) => return Err(sql("connect to the database", source)),
        }
        tokio::time::sleep(READY_POLL).await;
    }
}

fn sql(step: &'static str, source: sqlx::Error) -> EmbeddedError {
    EmbeddedError::Sql { step, source }
}

/// The running database. Dropping it asks the database to stop, without waiting for it.
#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
    pid: Option<Pid>,
    log: PathBuf,
}

impl Postmaster {
    pub(super) fn pid(&self) -> Option<i32> {
        self.pid.map(Pid::as_raw)
    }

    /// Resolves when the process has ended; it may be dropped and asked again.
    pub(super) async fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.wait().await.ok();
        self.pid = None;
        status
    }

    /// Stops it: connections are cut and a checkpoint is written (SIGINT); when that takes too long, at once
    /// (SIGQUIT), which the next start repairs.
    ///
    /// # Errors
    /// [`EmbeddedError::Deadline`] when it does not even quit.
    pub(super) async fn stop(mut self) -> Result<(), EmbeddedError> {
        for (signal, patience) in [(Signal::SIGINT, FAST), (Signal::SIGQUIT, IMMEDIATE)] {
            self.signal(signal);
            if tokio::time::timeout(patience, self.ended()).await.is_ok() {
                return Ok(());
            }
        }
        let seconds = (FAST + IMMEDIATE).as_secs();
        Err(EmbeddedError::Deadline { what: "did not stop", seconds, log: self.log.clone() })
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            let _gone_already = kill(pid, signal);
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        self.signal(Signal::SIGINT);
    }
}
