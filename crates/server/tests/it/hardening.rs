//! What the process holds in memory does not get out by way of the system: no core, no reading by others, no swap where it may lock.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::harness::process::{DevHome, bailiwickd};

/// The soft and the hard limit of this name.
fn limits(pid: impl std::fmt::Display, name: &str) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

/// A line of a process' status, without the unit.
fn status_of(pid: impl std::fmt::Display, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

/// All files of a process that can be read belong to whom it runs as; those of one that is not dumpable, to root (proc(5)).
fn owner_of_memory(process: &Child) -> u32 {
    std::fs::metadata(format!("/proc/{}/mem", process.id().unwrap())).unwrap().uid()
}

fn cores(dir: &Path) -> usize {
    let is_core = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("core");
    std::fs::read_dir(dir).unwrap().filter(|file| is_core(&file.as_ref().unwrap().file_name())).count()
}

#[tokio::test]
async fn a_crash_leaves_no_core() {
    let home = DevHome::temporary();
    let dir = tempfile::tempdir().unwrap();
    let in_dir = format!("ulimit -c unlimited; cd {}", dir.path().display());

    let abort = format!("{in_dir}; kill -ABRT $$");
    let other = Command::new("sh").args(["-c", &abort]).status().await.unwrap();
    assert!(other.core_dumped(), "others leave one here: {other}");
    let left_by_others = cores(dir.path());

    let server = home.start_by(&format!("{in_dir}; exec")).await;
    assert_eq!(limits(server.pid(), "Max core file size"), ("0".to_owned(), "0".to_owned()));
    let (status, _) = server.stop(Signal::SIGABRT).await;
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{status}");
    assert!(!status.core_dumped());
    assert_eq!(cores(dir.path()), left_by_others);
}

/// A process that waits for a database which never answers, as somebody who is not root.
#[tokio::test]
async fn others_of_its_user_cannot_read_its_memory() {
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let user = if Uid::effective().is_root() { nobody.uid } else { Uid::effective() };
    let as_user = |command: &mut Command| command.uid(user.as_raw()).kill_on_drop(true).spawn().unwrap();
    // Where it was built, nobody may look.
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let binary = dir.path().join("bailiwickd");
    std::fs::copy(bailiwickd([]).as_std().get_program(), &binary).unwrap();

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://bailiwick_owner:pass-word@{}/bailiwick", silent.local_addr().unwrap());
    let mut command = Command::new(&binary);
    let process = as_user(command.arg("migrate").env("BAILIWICK_DATABASE_MIGRATE_URL", url));
    let (_connection, _) = silent.accept().await.unwrap();
    assert_eq!(status_of(process.id().unwrap(), "Uid"), user.to_string());
    assert_eq!(owner_of_memory(&process), 0);
    let other = as_user(Command::new("sleep").arg("60"));
    assert_eq!(owner_of_memory(&other), user.as_raw(), "anybody else's is open to the same user");
}

#[tokio::test]
async fn memory_is_locked_where_all_of_it_may_be() {
    const CAP_IPC_LOCK: u64 = 1 << 14;
    let home = DevHome::temporary();
    let as_root = ["exec", "exec setpriv --bounding-set -ipc_lock"];
    for shell in as_root.into_iter().take(if Uid::effective().is_root() { 2 } else { 1 }) {
        let server = home.start_by(shell).await;
        let (_, limit) = limits(server.pid(), "Max locked memory");
        let capabilities = u64::from_str_radix(&status_of(server.pid(), "CapEff"), 16).unwrap();
        let may = limit == "unlimited" || capabilities & CAP_IPC_LOCK != 0;
        assert_eq!(status_of(server.pid(), "VmLck") != "0", may, "limit {limit}");
        let (event, locked) = ("event=\"process.hardened\"", format!("memory_locked={may}"));
        let log = home.log();
        let reported = log.lines().rfind(|line| line.contains(event)).unwrap();
        assert!(reported.contains(&locked), "{reported}");
        let (status, _) = server.stop(Signal::SIGTERM).await;
        assert!(status.success(), "{status}");
    }
}
