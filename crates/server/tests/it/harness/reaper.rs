//! Ends what was started on a data directory when the test is through with it, or when the test process has ended, in
//! whatever way.
//!
//! libtest has no hook for its end, and a killed process runs none. So a child waits on a pipe whose other end this
//! process holds: when it closes, the child stops the server that the directory's lock names, then the database.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = r#"
    ended() {
        tries=0
        while kill -0 "$1" 2>/dev/null && [ "$tries" -lt 300 ]; do sleep 0.05; tries=$((tries + 1)); done
    }
    read -r _
    if read -r server <"$1/lock" && [ "$(cat "/proc/$server/comm")" = bailiwickd ]; then
        kill -TERM "$server"; ended "$server"
    fi
    if read -r database <"$1/postgres/data/postmaster.pid" && [ "$(cat "/proc/$database/comm")" = postgres ]; then
        kill -INT "$database"; ended "$database"
    fi
    if [ -n "$2" ]; then rm -rf -- "$2"; fi"#;

/// Watches over a data directory until the returned child is dropped or we are gone; then removes `remove` too.
pub fn reaper(data_dir: &Path, remove: Option<&Path>) -> Child {
    Command::new("/bin/sh")
        .args(["-c", SCRIPT, "reaper"])
        .arg(data_dir)
        .arg(remove.unwrap_or(Path::new("")))
        // A group of its own, so that Ctrl-C on the terminal does not end it before its work.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
