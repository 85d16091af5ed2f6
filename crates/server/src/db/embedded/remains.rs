//! What an earlier run left: an orphaned postmaster, its children, or a pid file that names somebody else.
//!
//! Whoever holds the data directory's lock may clear these away, for no living bailiwickd uses them. A process is
//! taken for this cluster's only if it is a `postgres` whose working folder is the cluster (a postmaster and all its
//! children stay there); the number in `postmaster.pid` alone proves nothing after a reboot. Where there is no `/proc`,
//! nothing is touched, and PostgreSQL's own interlock decides.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::{EmbeddedError, io};

const POLL: Duration = Duration::from_millis(10);
const FAST: Duration = Duration::from_secs(15);
const IMMEDIATE: Duration = Duration::from_secs(5);

/// Ends every process of this cluster, and removes the pid files (the cluster's, and `socket_lock` with the same
/// number) that would keep it from starting.
///
/// # Errors
/// [`EmbeddedError::StillRunning`] when one of them withstands.
pub(super) async fn clear(cluster: &Path, socket_lock: &Path) -> Result<(), EmbeddedError> {
    if !Path::new("/proc/self").exists() {
        return Ok(());
    }
    let cluster = &cluster.canonicalize().map_err(io("resolve", cluster))?;
    let pid_file = cluster.join("postmaster.pid");
    let named = named_in(&pid_file);
    for (signal, patience) in [(Signal::SIGINT, FAST), (Signal::SIGQUIT, IMMEDIATE)] {
        let running = processes_of(cluster);
        if running.is_empty() {
            break;
        }
        tracing::warn!(event = "database.remains", processes = running.len(), signal = signal.as_str());
        end(&running, named, signal);
        let _still_there = tokio::time::timeout(patience, gone(cluster)).await;
    }
    if let Some(pid) = processes_of(cluster).first() {
        return Err(EmbeddedError::StillRunning { pid: *pid });
    }
    for pid_file in [&pid_file, socket_lock] {
        remove_stale(pid_file)?;
    }
    Ok(())
}

/// Removes a pid file whose number somebody else has by now, be it a zombie. PostgreSQL itself deals with one that
/// names nobody.
fn remove_stale(pid_file: &Path) -> Result<(), EmbeddedError> {
    let Some(pid) = named_in(pid_file) else { return Ok(()) };
    if !Path::new(&format!("/proc/{pid}")).exists() {
        return Ok(());
    }
    tracing::warn!(event = "database.stale_pid_file", pid);
    fs::remove_file(pid_file).map_err(io("remove", pid_file))
}

/// The process that a pid file names in its first line.
fn named_in(pid_file: &Path) -> Option<i32> {
    fs::read_to_string(pid_file).ok()?.lines().next()?.trim().parse().ok()
}

/// A living postmaster ends its children itself; children without one are told to quit, since nothing that they do
/// can be committed in good order.
fn end(running: &[i32], postmaster: Option<i32>, signal: Signal) {
    if let Some(pid) = postmaster.filter(|pid| running.contains(pid)) {
        let _gone_already = kill(Pid::from_raw(pid), signal);
        return;
    }
    for pid in running {
        let _gone_already = kill(Pid::from_raw(*pid), Signal::SIGQUIT);
    }
}

async fn gone(cluster: &Path) {
    while !processes_of(cluster).is_empty() {
        tokio::time::sleep(POLL).await;
    }
}

/// The processes whose program is `postgres` and whose working folder is `cluster`.
fn processes_of(cluster: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| is_postgres_in(*pid, cluster))
        .collect()
}

fn is_postgres_in(pid: i32, cluster: &Path) -> bool {
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}"));
    // After an upgrade of the package the link reads "…/postgres (deleted)".
    link("cwd").is_ok_and(|cwd| cwd == cluster)
        && link("exe").is_ok_and(|exe| {
            exe.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("postgres"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pid_file_that_names_somebody_else_goes() {
        let cluster = tempfile::tempdir().unwrap();
        let lock = cluster.path().join("socket.lock");
        fs::write(&lock, format!("{}\n", std::process::id())).unwrap();
        let file = cluster.path().join("postmaster.pid");
        fs::write(&file, format!("{}\n{}\n", std::process::id(), cluster.path().display())).unwrap();
        clear(cluster.path(), &lock).await.unwrap();
        assert!(!file.exists() && !lock.exists());
    }

    #[tokio::test]
    async fn a_pid_file_that_names_nobody_is_postgresqls_own_business() {
        let cluster = tempfile::tempdir().unwrap();
        let lock = cluster.path().join("socket.lock");
        let file = cluster.path().join("postmaster.pid");
        fs::write(&file, "2147483647\n").unwrap();
        clear(cluster.path(), &lock).await.unwrap();
        assert!(file.exists());
    }
}
