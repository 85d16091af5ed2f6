//! What the browser tests need: Chromium, and axe-core, which looks for accessibility faults in a page.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{process, repo};

const AXE_CORE_VERSION: &str = "4.14.1";
const CHROMIUM_NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// `$CHROMIUM`, else the first browser on `PATH` that answers to `--version`.
///
/// It must answer, since Ubuntu's `chromium-browser` is a script that asks for a snap instead of starting one.
pub(crate) fn find_chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let known = CHROMIUM_NAMES.iter().filter_map(|name| process::on_path(name));
    named.into_iter().chain(known).find(|file| process::output(Command::new(file).arg("--version")).is_ok())
}

/// `axe.min.js` of the pinned version, when it has been installed.
pub(crate) fn find_axe_core() -> Option<PathBuf> {
    let package = axe_core_dir();
    let manifest = std::fs::read_to_string(package.join("package.json")).ok()?;
    let script = package.join("axe.min.js");
    (manifest.contains(&format!("\"version\": \"{AXE_CORE_VERSION}\"")) && script.is_file()).then_some(script)
}

/// Installs axe-core below the target directory; needs `npm`.
///
/// # Errors
/// When npm fails, or does not leave the script where it belongs.
pub(crate) fn install_axe_core() -> anyhow::Result<PathBuf> {
    let package = format!("axe-core@{AXE_CORE_VERSION}");
    eprintln!("xtask: installing with npm: {package} into {}", tools_dir().display());
    std::fs::create_dir_all(tools_dir()).context("cannot create the folder for tools")?;
    process::run(
        Command::new("npm")
            .args(["install", "--silent", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"])
            .arg("--prefix")
            .arg(tools_dir())
            .arg(&package)
            .stdout(std::io::stderr()),
    )?;
    match find_axe_core() {
        Some(script) => Ok(script),
        None => bail!("npm installed {package}, but {} is not there", axe_core_dir().display()),
    }
}

fn axe_core_dir() -> PathBuf {
    tools_dir().join(Path::new("node_modules/axe-core"))
}

fn tools_dir() -> PathBuf {
    repo::target_dir().join("tools")
}
