//! System packages through `apt-get`, on Debian and its relatives.

use std::process::Command;

use anyhow::{Context, bail};

use crate::process;

/// Installs the packages, after one `apt-get update`; says on stderr what it is about to do.
///
/// # Errors
/// When there is no `apt-get`, we are neither root nor have `sudo`, or the installation fails. The message says what
/// to install or to run by hand.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if process::on_path("apt-get").is_none() {
        bail!("missing on this machine; install what your system calls: {list}");
    }
    let sudo = !process::is_root();
    if sudo && process::on_path("sudo").is_none() {
        bail!("missing on this machine; run as root: apt-get update && apt-get install {list}");
    }
    eprintln!("xtask: installing with apt-get: {list}");
    process::run(apt_get(sudo).args(["--quiet", "update"]))?;
    process::run(apt_get(sudo).args(["--quiet", "--yes", "--no-install-recommends", "install"]).args(packages))
        .with_context(|| format!("cannot install {list}"))
}

fn apt_get(sudo: bool) -> Command {
    let mut command = Command::new(if sudo { "sudo" } else { "env" });
    if sudo {
        command.arg("env");
    }
    // What `xtask run` prints on stdout is the server's one line.
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).stdout(std::io::stderr());
    command
}
