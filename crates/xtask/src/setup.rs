//! `cargo xtask setup`: finds what this machine lacks and installs it through its ordinary package clients.
//!
//! What is there already is left alone, so that a second call does nothing and needs neither network nor root.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::{apt, browser, nginx, postgres, process, verifiers};

const POSTGRES_TO_RUN: [&str; 3] = ["initdb", "postgres", "pg_ctl"];
const POSTGRES_TO_TEST: [&str; 6] = ["initdb", "postgres", "pg_ctl", "psql", "pg_dump", "pg_dumpall"];

/// Where the tests find what they need.
pub(crate) struct TestTools {
    pub(crate) pg_bin: PathBuf,
    pub(crate) pgbouncer: PathBuf,
    pub(crate) chromium: PathBuf,
    pub(crate) axe_core: PathBuf,
    /// A Python that has the packages which check the golden files.
    pub(crate) python: PathBuf,
    /// OpenBao.
    pub(crate) bao: PathBuf,
    pub(crate) node: PathBuf,
    pub(crate) jose: PathBuf,
    pub(crate) nginx: PathBuf,
}

/// # Errors
/// When an argument is unknown, or something is missing and cannot be installed.
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["--for", "run"] => {
            eprintln!("xtask: PostgreSQL in {}", for_run()?.display());
        }
        [] | ["--for", "test"] => {
            let tools = for_test()?;
            eprintln!("xtask: PostgreSQL in {}", tools.pg_bin.display());
            eprintln!("xtask: PgBouncer is {}", tools.pgbouncer.display());
            eprintln!("xtask: Chromium is {}", tools.chromium.display());
            eprintln!("xtask: axe-core is {}", tools.axe_core.display());
            eprintln!("xtask: Python with pymerkle, joserfc and PyJWT is {}", tools.python.display());
            eprintln!("xtask: OpenBao is {}", tools.bao.display());
            eprintln!("xtask: nginx is {}", tools.nginx.display());
            eprintln!("xtask: jose is {}, for {}", tools.jose.display(), tools.node.display());
        }
        _ => bail!("usage: cargo xtask setup [--for run|test]"),
    }
    Ok(())
}

/// The folder of PostgreSQL's binaries, installed if need be.
///
/// # Errors
/// When PostgreSQL is missing and cannot be installed, or is too old.
pub(crate) fn for_run() -> anyhow::Result<PathBuf> {
    if let Some(dir) = postgres::find_bin_dir(&POSTGRES_TO_RUN) {
        return Ok(dir);
    }
    apt::install(&["postgresql"])?;
    postgres::find_bin_dir(&POSTGRES_TO_RUN).with_context(too_old)
}

/// Everything that the tests need, installed if need be.
///
/// # Errors
/// When something is missing and cannot be installed.
pub(crate) fn for_test() -> anyhow::Result<TestTools> {
    let mut packages = Vec::new();
    if postgres::find_bin_dir(&POSTGRES_TO_TEST).is_none() {
        packages.push("postgresql");
    }
    if postgres::find_pgbouncer().is_none() {
        packages.push("pgbouncer");
    }
    if browser::find_chromium().is_none() {
        packages.push("chromium");
    }
    let lacks_npm_packages = browser::AXE_CORE.find().is_none() || verifiers::JOSE.find().is_none();
    if lacks_npm_packages && process::on_path("npm").is_none() {
        packages.push("npm");
    }
    if verifiers::find_node().is_none() {
        packages.push("nodejs");
    }
    if nginx::find().is_none() {
        packages.push("nginx");
    }
    if !verifiers::has_python() {
        packages.push("python3-venv");
    }
    apt::install(&packages)?;
    let python = verifiers::python()?;
    Ok(TestTools {
        pg_bin: postgres::find_bin_dir(&POSTGRES_TO_TEST).with_context(too_old)?,
        pgbouncer: postgres::find_pgbouncer()
            .context("no PgBouncer found; install one, and name it in the variable PGBOUNCER")?,
        chromium: browser::find_chromium()
            .context("no Chromium that starts: install one, and name it in the variable CHROMIUM")?,
        axe_core: browser::AXE_CORE.find_or_install()?,
        bao: verifiers::bao(&python)?,
        python,
        node: verifiers::find_node().context("no Node.js found; install one, and put it on PATH")?,
        jose: verifiers::JOSE.find_or_install()?,
        nginx: nginx::find()
            .context("no nginx with auth_request found; install one, and name it in the variable NGINX")?,
    })
}

fn too_old() -> String {
    format!(
        "no PostgreSQL {} or later found; install one, and name the folder of its programs in the variable PG_BIN",
        postgres::OLDEST_MAJOR
    )
}
