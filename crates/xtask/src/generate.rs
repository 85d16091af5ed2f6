//! `cargo xtask generate`: the committed documents that the server's own tables are the source of.

use std::fs;
use std::process::Command;

use anyhow::{Context, bail};

use crate::{process, repo};

/// A committed file, and the arguments of `bailiwickd` that print it.
const DOCUMENTS: [(&str, &[&str]); 5] = [
    ("api/openapi.json", &["openapi"]),
    ("docs/reference/problem-codes.md", &["reference", "codes"]),
    ("docs/reference/operational-paths.md", &["reference", "paths"]),
    ("docs/reference/permissions.md", &["reference", "permissions"]),
    ("docs/reference/configuration.md", &["reference", "config"]),
];

/// # Errors
/// When an argument is unknown, the server does not build or print, or (`--check`) a committed file differs.
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let act: fn() -> anyhow::Result<()> = match args.as_slice() {
        [] => write,
        ["--check"] => check,
        _ => bail!("usage: cargo xtask generate [--check]"),
    };
    process::run(process::cargo().args(["build", "--workspace"]))?;
    act()
}

/// Compares the committed documents with what the binary that was last built prints.
///
/// # Errors
/// When one differs; the message names each and says what to run.
pub(crate) fn check() -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for (file, args) in DOCUMENTS {
        let committed = fs::read_to_string(repo::root().join(file)).unwrap_or_default();
        if committed != print(args)? {
            stale.push(file);
        }
    }
    if !stale.is_empty() {
        bail!("not what the server prints; run `cargo xtask generate` and commit:\n  {}", stale.join("\n  "));
    }
    Ok(())
}

fn write() -> anyhow::Result<()> {
    for (file, args) in DOCUMENTS {
        let path = repo::root().join(file);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        fs::write(&path, print(args)?).with_context(|| format!("cannot write {file}"))?;
        eprintln!("xtask: wrote {file}");
    }
    Ok(())
}

fn print(args: &[&str]) -> anyhow::Result<String> {
    process::output(Command::new(repo::built("bailiwickd")).args(args).current_dir(repo::root()))
}
