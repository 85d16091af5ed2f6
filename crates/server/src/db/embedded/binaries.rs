//! Where PostgreSQL's binaries are.
//!
//! `$PG_BIN` is an explicit choice: when it is set, nothing else is looked at, so that a wrong one is noticed.
//! Otherwise the order is `pg_config --bindir`, the versioned folders of Debian's packages (newest first), `PATH`.
//! The environment is an argument ([`Search`]), because only `config` reads it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::EmbeddedError;

/// Views with `security_invoker` came with 15.
pub(super) const OLDEST_MAJOR: u32 = 15;

/// Both are needed: one makes the cluster, the other is the server.
const NEEDED: [&str; 2] = ["initdb", "postgres"];

/// What the search goes by.
#[derive(Clone, Debug)]
pub struct Search {
    /// The folder that `PG_BIN` names.
    pub pg_bin: Option<PathBuf>,
    /// The value of `PATH`.
    pub path: Option<OsString>,
    /// The folder whose children are named after major versions and hold a `bin`.
    pub versioned: PathBuf,
}

impl Search {
    /// A search by these values of `PG_BIN` and `PATH` in the place where Debian's packages install.
    #[must_use]
    pub fn new(pg_bin: Option<OsString>, path: Option<OsString>) -> Self {
        Self {
            pg_bin: pg_bin.filter(|value| !value.is_empty()).map(PathBuf::from),
            path,
            versioned: PathBuf::from("/usr/lib/postgresql"),
        }
    }

    /// The best binaries: those of `major` when a cluster exists already, else the first ones of the search.
    ///
    /// # Errors
    /// [`EmbeddedError::BinariesMissing`] when no place holds a supported version. `Ok(Err(_))` carries the major
    /// versions that were found when none of them is `major`.
    pub(super) fn find(&self, major: Option<u32>) -> Result<Result<Binaries, Vec<u32>>, EmbeddedError> {
        let mut searched = Vec::new();
        let mut found: Vec<Binaries> = Vec::new();
        for place in self.places() {
            match Binaries::at(&place.dir) {
                Ok(binaries) if major.is_none_or(|major| major == binaries.major) => return Ok(Ok(binaries)),
                Ok(binaries) => found.push(binaries),
                Err(why) => searched.push(format!("{} ({}): {why}", place.dir.display(), place.why)),
            }
        }
        if found.is_empty() {
            if searched.is_empty() {
                searched.push(format!("pg_config, {}, PATH: nothing there", self.versioned.display()));
            }
            return Err(EmbeddedError::BinariesMissing { oldest: OLDEST_MAJOR, searched });
        }
        let mut majors: Vec<u32> = found.iter().map(|binaries| binaries.major).collect();
        majors.sort_unstable_by(|a, b| b.cmp(a));
        majors.dedup();
        Ok(Err(majors))
    }

    fn places(&self) -> Vec<Place> {
        if let Some(dir) = &self.pg_bin {
            return vec![Place { dir: dir.clone(), why: "PG_BIN" }];
        }
        let on_path = || self.path.iter().flat_map(std::env::split_paths).filter(|dir| dir.is_absolute());
        let mut places = Vec::new();
        if let Some(dir) = on_path().find_map(|dir| bindir_of(&dir.join("pg_config"))) {
            places.push(Place { dir, why: "pg_config --bindir" });
        }
        places.extend(newest_first(&self.versioned).into_iter().map(|dir| Place { dir, why: "installed packages" }));
        places.extend(on_path().filter(|dir| dir.join("postgres").is_file()).map(|dir| Place { dir, why: "PATH" }));
        places
    }
}

struct Place {
    dir: PathBuf,
    why: &'static str,
}

/// A folder that holds a supported version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn at(dir: &Path) -> Result<Self, String> {
        if let Some(missing) = NEEDED.iter().find(|name| !dir.join(name).is_file()) {
            return Err(format!("no {missing}"));
        }
        let line = stdout_of(&dir.join("postgres"), "--version").ok_or("postgres --version fails")?;
        let major = parse_major(&line).ok_or("postgres --version is not understood")?;
        if major < OLDEST_MAJOR {
            return Err(format!("version {major} is too old"));
        }
        Ok(Self { dir: dir.to_path_buf(), major })
    }
}

fn newest_first(versioned: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<u32> = std::fs::read_dir(versioned)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.iter().map(|version| versioned.join(version.to_string()).join("bin")).collect()
}

fn bindir_of(pg_config: &Path) -> Option<PathBuf> {
    if !pg_config.is_file() {
        return None;
    }
    stdout_of(pg_config, "--bindir").map(|line| PathBuf::from(line.trim()))
}

fn stdout_of(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()
}

/// Reads the 15 of `postgres (PostgreSQL) 15.18 (Debian …)`.
fn parse_major(line: &str) -> Option<u32> {
    let version = line.split_once("(PostgreSQL) ")?.1;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A program that says one line. Another process writes it: a descriptor of ours that is open for writing would be
    /// inherited by whatever other tests fork meanwhile, and a file that somebody writes cannot be run (ETXTBSY).
    fn program(file: &Path, says: &str) {
        let script = r#"printf '#!/bin/sh\necho "%s"\n' "$2" >"$1" && chmod 755 "$1""#;
        let made = Command::new("/bin/sh").args(["-c", script, "sh"]).arg(file).arg(says).status().unwrap();
        assert!(made.success());
    }

    /// A folder with an `initdb` and a `postgres` that says it is of this version.
    fn install(dir: &Path, version: &str) {
        fs::create_dir_all(dir).unwrap();
        for name in NEEDED {
            program(&dir.join(name), &format!("postgres (PostgreSQL) {version}"));
        }
    }

    fn search(root: &Path) -> Search {
        Search { pg_bin: None, path: Some(root.join("path").into()), versioned: root.join("versioned") }
    }

    fn found(search: &Search, major: Option<u32>) -> PathBuf {
        search.find(major).unwrap().unwrap().dir
    }

    #[test]
    fn the_newest_installed_version_comes_before_the_path() {
        let root = tempfile::tempdir().unwrap();
        install(&root.path().join("versioned/15/bin"), "15.18");
        install(&root.path().join("versioned/101/bin"), "101beta1");
        install(&root.path().join("path"), "16.1");
        let search = search(root.path());
        assert_eq!(found(&search, None), root.path().join("versioned/101/bin"));
        assert_eq!(found(&search, Some(15)), root.path().join("versioned/15/bin"));
        assert_eq!(found(&search, Some(16)), root.path().join("path"));
        assert_eq!(search.find(Some(14)).unwrap(), Err(vec![101, 16, 15]));
    }

    #[test]
    fn pg_config_comes_first_and_pg_bin_alone() {
        let root = tempfile::tempdir().unwrap();
        install(&root.path().join("versioned/15/bin"), "15.18");
        install(&root.path().join("other"), "17.2");
        fs::create_dir_all(root.path().join("path")).unwrap();
        program(&root.path().join("path/pg_config"), &root.path().join("other").display().to_string());
        let mut search = search(root.path());
        assert_eq!(found(&search, None), root.path().join("other"));

        search.pg_bin = Some(root.path().join("empty"));
        let Err(EmbeddedError::BinariesMissing { searched, .. }) = search.find(None) else {
            panic!("a wrong PG_BIN must not fall back");
        };
        assert_eq!(searched, [format!("{} (PG_BIN): no initdb", root.path().join("empty").display())]);
    }

    #[test]
    fn what_is_too_old_or_absent_is_named() {
        let root = tempfile::tempdir().unwrap();
        let mut search = search(root.path());
        search.path = None;
        assert!(matches!(search.find(None), Err(EmbeddedError::BinariesMissing { .. })));
        install(&root.path().join("versioned/13/bin"), "13.4");
        let Err(EmbeddedError::BinariesMissing { searched, .. }) = search.find(None) else {
            panic!("13 is too old");
        };
        assert!(searched.concat().contains("version 13 is too old"), "{searched:?}");
    }
}
