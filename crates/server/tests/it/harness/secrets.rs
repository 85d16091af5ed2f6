//! Every secret that a test gets to see is written down, so that the leak scan after the run knows what to look for in
//! the database's files and in the logs.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use serde_json::Value;

use super::run_dir::run_dir;

/// Members of answers that hold one.
const MEMBERS: [&str; 9] = [
    "key",
    "access_token",
    "refresh_token",
    "challenge",
    "factor_token",
    "secret",
    "otpauth_url",
    "device_code",
    "user_code",
];

/// Notes every secret in an answer's body, if that is JSON.
pub fn record_those_of(body: &str) {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return };
    MEMBERS.iter().filter_map(|name| body[name].as_str()).for_each(record);
}

/// Notes a key, token, code or link that must not be found anywhere.
pub fn record(secret: &str) {
    let Some(dir) = run_dir() else { return };
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(dir.join("secrets.txt"));
    // One write of one line: appends of several processes do not mix.
    file.unwrap().write_all(format!("{secret}\n").as_bytes()).unwrap();
}
