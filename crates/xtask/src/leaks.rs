//! The leak scan: nothing that opens a door may stand in a log or in a database after the tests.
//!
//! The test harness writes down every secret that it saw (`secrets.txt`, one a line), all logs of the servers that it
//! started (`logs/`), and the databases that they used (`clusters/`). Every byte of the latter two is searched for
//! every one of the former. A scan that had nothing to look for, or nowhere to look, fails: it proved nothing.

mod patterns;
mod search;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::repo;
use patterns::Patterns;

/// Below this, the harness has surely stopped recording: a full run makes hundreds.
const FEWEST_SECRETS: usize = 50;

/// # Errors
/// When an argument is given, or the scan fails: see [`check`].
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    if !args.is_empty() {
        bail!("usage: cargo xtask leaks");
    }
    check(&repo::test_run_dir())
}

/// Searches what a test run left in `dir`.
///
/// # Errors
/// When a secret occurs in a file (the message names file and kind, never the secret), or when the secrets, the logs
/// or the databases are missing.
pub(crate) fn check(dir: &Path) -> anyhow::Result<()> {
    let listed = dir.join("secrets.txt");
    let text = fs::read_to_string(&listed).with_context(|| format!("cannot read {}", listed.display()))?;
    let secrets: BTreeSet<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let patterns = Patterns::new(secrets);
    if patterns.secrets() < FEWEST_SECRETS {
        bail!("{} lists {} secrets, fewer than {FEWEST_SECRETS}", listed.display(), patterns.secrets());
    }
    let mut files = Vec::new();
    for part in ["logs", "clusters"] {
        let before = files.len();
        collect_files(&dir.join(part), &mut files)?;
        if files.len() == before {
            bail!("the tests left no files in {}", dir.join(part).display());
        }
    }
    let report = search::search(&patterns, &files)?;
    eprintln!(
        "xtask: looked for {} secrets in {} files, {} MiB",
        patterns.secrets(),
        files.len(),
        report.bytes / (1 << 20)
    );
    if !report.leaks.is_empty() {
        bail!("secrets in plain text:\n  {}", report.leaks.into_iter().collect::<Vec<_>>().join("\n  "));
    }
    Ok(())
}

/// Regular files below `dir`; sockets and links are none of ours.
fn collect_files(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("cannot read {}", dir.display()))?,
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", dir.display()))?;
        let kind = entry.file_type().with_context(|| format!("cannot look at {}", entry.path().display()))?;
        if kind.is_dir() {
            collect_files(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
