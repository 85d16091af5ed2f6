//! The committed query metadata in `crates/server/.sqlx`, by which `sqlx::query!` compiles without a database.
//!
//! It is made as sqlx's own tool would make it, but without that tool: the macros write a file for each query into
//! `SQLX_OFFLINE_DIR` while the server is compiled against a live database that has just been migrated. The new files
//! replace the old ones only when everything compiled, so a broken query never empties the folder.
//!
//! Tests are left out: they ask the database without the macros, and some of them read what `generate` writes, which
//! needs the server built.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};

use crate::postgres::{self, Cluster};
use crate::{process, repo};

/// What compiling the server begins with; a newer time makes cargo compile the crate again, and all its queries.
const CRATE_ROOTS: [&str; 2] = ["src/lib.rs", "src/main.rs"];

/// # Errors
/// When an argument is unknown, the database or a migration fails, a query does not compile, or (`--check`) the
/// committed files are not those that the sources ask for.
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => {
            let fresh = prepare()?;
            replace(&fresh)?;
            eprintln!("xtask: {} queries in crates/server/.sqlx", fresh.len());
            Ok(())
        }
        ["--check"] => check(),
        ["--serve"] => serve(),
        _ => bail!("usage: cargo xtask sqlx [--check|--serve]"),
    }
}

/// Metadata by file name.
type Queries = BTreeMap<String, Vec<u8>>;

fn prepare() -> anyhow::Result<Queries> {
    let cluster = migrated_cluster()?;
    let scratch = repo::target_dir().join("sqlx");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    for file in CRATE_ROOTS {
        touch(&server_dir().join(file))?;
    }
    process::run(
        process::cargo()
            .args(["check", "--quiet", "--package", "bailiwick-server"])
            .env("DATABASE_URL", cluster.owner_url())
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", &scratch),
    )?;
    read_queries(&scratch)
}

fn replace(fresh: &Queries) -> anyhow::Result<()> {
    let dir = committed_dir();
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for stale in read_queries(&dir)?.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(dir.join(stale)).with_context(|| format!("cannot remove {stale}"))?;
    }
    for (name, content) in fresh {
        fs::write(dir.join(name), content).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

fn check() -> anyhow::Result<()> {
    let committed = read_queries(&committed_dir())?;
    let fresh = prepare()?;
    let names: std::collections::BTreeSet<&String> = committed.keys().chain(fresh.keys()).collect();
    let differing: Vec<&str> =
        names.into_iter().filter(|name| committed.get(*name) != fresh.get(*name)).map(String::as_str).collect();
    if !differing.is_empty() {
        bail!(
            "crates/server/.sqlx is not what the queries ask for; run `cargo xtask sqlx` and commit:\n  {}",
            differing.join("\n  ")
        );
    }
    Ok(())
}

fn serve() -> anyhow::Result<()> {
    let cluster = migrated_cluster()?;
    println!("export DATABASE_URL='{}'", cluster.owner_url());
    eprintln!("xtask: Enter or end of input stops the database");
    let _ = std::io::stdin().read(&mut [0]).context("cannot read stdin")?;
    Ok(())
}

fn migrated_cluster() -> anyhow::Result<Cluster> {
    let Some(bin) = postgres::find_bin_dir(&["initdb", "postgres", "psql"]) else {
        bail!("PostgreSQL is missing: run `cargo xtask setup`");
    };
    let cluster = Cluster::start(&bin)?;
    for migration in migrations()? {
        cluster.apply(&migration)?;
    }
    Ok(cluster)
}

/// The migrations, in the order of their versions.
fn migrations() -> anyhow::Result<Vec<PathBuf>> {
    let dir = server_dir().join("migrations");
    let mut files: Vec<(u64, PathBuf)> = fs::read_dir(&dir)
        .with_context(|| format!("cannot read {}", dir.display()))?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?;
            let version = name.strip_suffix(".sql")?.split_once('_')?.0.parse().ok()?;
            Some((version, path))
        })
        .collect();
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn read_queries(dir: &Path) -> anyhow::Result<Queries> {
    let mut queries = Queries::new();
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(queries);
    };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", dir.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("query-") && name.ends_with(".json") {
            let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            queries.insert(name, content);
        }
    }
    Ok(queries)
}

fn touch(file: &Path) -> anyhow::Result<()> {
    File::options()
        .append(true)
        .open(file)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .with_context(|| format!("cannot touch {}", file.display()))
}

fn server_dir() -> PathBuf {
    repo::root().join("crates/server")
}

fn committed_dir() -> PathBuf {
    server_dir().join(".sqlx")
}
