//! `cargo xtask run`: from a bare toolchain to a running server.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::{process, repo, setup};

/// Never returns when all goes well: this process becomes `bailiwickd dev`, so that Ctrl-C reaches it alone.
///
/// # Errors
/// When PostgreSQL is missing, the build fails, or the server cannot be started.
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    let pg_bin = setup::for_run()?;
    // The whole workspace, as everywhere: another selection of packages would build dependencies with other features.
    process::run(process::cargo().args(["build", "--workspace"]))?;
    let server = repo::built("bailiwickd");
    let error = Command::new(&server).arg("dev").args(args).env("PG_BIN", pg_bin).exec();
    Err(anyhow::Error::new(error).context(format!("cannot start {}", server.display())))
}
