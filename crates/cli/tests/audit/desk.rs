//! Somebody at a terminal, with a home of their own.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const KEY: &str = "bw_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde1dg76K";

/// A home, and the server that the token goes to.
pub struct Desk {
    home: tempfile::TempDir,
    server: String,
}

/// What a run of the program left.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    /// A desk where nothing was pinned.
    pub fn at(server: &str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), server: server.to_owned() }
    }

    /// Runs the program.
    pub fn run(&self, args: &[&str]) -> Run {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_bailiwick"))
            .args(args)
            .env_clear()
            .env("XDG_CONFIG_HOME", self.home.path())
            .env("BAILIWICK_SERVER", &self.server)
            .env("BAILIWICK_TOKEN", KEY)
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A file in the desk's home.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The folder of the live log's pins.
    pub fn pins(&self) -> PathBuf {
        self.file("bailiwick/pins").join(super::forger::WORKSPACE).join("live")
    }

    /// What the pinned files say, but for evidence and locks.
    pub fn pinned(&self) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.pins()).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_file() && name != "pin.lock" {
                files.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
        files.sort();
        files
    }
}

impl Run {
    /// The answer of a run that did what it was asked for, as JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The verdict of a run that refused for this reason.
    pub fn refused(&self, code: &str) -> Value {
        assert_eq!(self.code, 6, "{}{}", self.stdout, self.stderr);
        let verdict: Value = serde_json::from_str(&self.stdout).unwrap();
        assert_eq!((&verdict["verified"], verdict["code"].as_str()), (&Value::Bool(false), Some(code)), "{verdict}");
        let told: Value = serde_json::from_str(&self.stderr).unwrap();
        assert_eq!((told["code"].as_str(), &told["refusal"]), (Some("cli_unverified"), &verdict["code"]));
        assert_eq!((&told["title"], &told["seq"]), (&verdict["reason"], &verdict["seq"]));
        verdict
    }
}
