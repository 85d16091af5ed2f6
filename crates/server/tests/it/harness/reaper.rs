//! Ends what a test process started when that process has ended, in whatever way.
//!
//! libtest has no hook for its end, and a killed process runs none. So a child waits on a pipe whose other end this
//! process holds: when it closes, the child stops the server (if there is one), then the database of the directory.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = r#"
    ended() {
        tries=0
        while kill -0 "$1" 2>/dev/null && [ "$tries" -lt 300 ]; do sleep 0.05; tries=$((tries + 1)); done
    }
    read -r _
    if [ -n "$1" ]; then kill -TERM "$1" 2>/dev/null; ended "$1"; fi
    if read -r database 2>/dev/null <"$2/postgres/data/postmaster.pid"; then
        kill -INT "$database" 2>/dev/null; ended "$database"
    fi
    if [ "$3" = remove ]; then rm -rf -- "$2"; fi"#;

/// Watches over a data directory, and over the server on it, until the returned child is dropped or we are gone.
pub fn reaper(server: Option<u32>, data_dir: &Path, remove: bool) -> Child {
    Command::new("/bin/sh")
        .args(["-c", SCRIPT, "reaper"])
        .arg(server.map(|pid| pid.to_string()).unwrap_or_default())
        .arg(data_dir)
        .arg(if remove { "remove" } else { "keep" })
        // A group of its own, so that Ctrl-C on the terminal does not end it before its work.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
