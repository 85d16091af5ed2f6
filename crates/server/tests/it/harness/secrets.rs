//! Every secret that a test gets to see is written down, so that the leak scan after the run knows what to look for in
//! the database's files and in the logs.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use super::run_dir::run_dir;

/// Notes a key, token, code or link that must not be found anywhere.
pub fn record(secret: &str) {
    let Some(dir) = run_dir() else { return };
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(dir.join("secrets.txt"));
    // One write of one line: appends of several processes do not mix.
    file.unwrap().write_all(format!("{secret}\n").as_bytes()).unwrap();
}
