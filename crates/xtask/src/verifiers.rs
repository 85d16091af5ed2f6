//! What the golden files are checked with that was not written here: packages of Python and of npm, in fixed versions.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::npm::Package;
use crate::{process, repo};

/// What is asked of PyPI: the two that check, and all that they need, so that nothing is chosen by the day.
const PYTHON_PACKAGES: [&str; 6] = [
    "pymerkle==7.0.0",
    "cachetools==7.2.1",
    "joserfc==1.8.0",
    "cryptography==50.0.2",
    "cffi==2.1.1",
    "pycparser==3.12",
];

/// Prints what is installed of the packages that are named on the command line.
const INSTALLED: &str = "import sys, importlib.metadata as m; [print(f'{n}=={m.version(n)}') for n in sys.argv[1:]]";

/// jose, which checks daily roots in JavaScript.
pub(crate) const JOSE: Package =
    Package { folder: "jose", name: "jose", version: "6.2.17", file: "dist/webapi/index.js" };

/// Whether this machine's Python can make an environment.
pub(crate) fn has_python() -> bool {
    process::output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_ok()
}

/// The JavaScript that runs outside of a browser.
pub(crate) fn find_node() -> Option<PathBuf> {
    process::on_path("node").or_else(|| process::on_path("nodejs"))
}

/// The Python of an environment below the target directory that has the packages, made if need be.
///
/// # Errors
/// When Python or pip fails, or another version than the wanted one is there afterwards.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    let python = dir().join("bin/python");
    if is_complete(&python) {
        return Ok(python);
    }
    eprintln!("xtask: installing with pip: {} into {}", PYTHON_PACKAGES.join(" "), dir().display());
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(dir()))
        .context("python3 cannot make an environment")?;
    // Wheels alone: a source package would run a script of its own. Nothing but what is listed.
    process::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--only-binary", ":all:", "--no-deps"])
            .args(PYTHON_PACKAGES)
            .stdout(std::io::stderr()),
    )?;
    if !is_complete(&python) {
        bail!("pip installed the packages, but {} does not have them", python.display());
    }
    Ok(python)
}

fn is_complete(python: &PathBuf) -> bool {
    let names = PYTHON_PACKAGES.iter().filter_map(|package| package.split("==").next());
    let installed = process::output(Command::new(python).args(["-c", INSTALLED]).args(names));
    installed.is_ok_and(|installed| installed.lines().eq(PYTHON_PACKAGES))
}

fn dir() -> PathBuf {
    repo::tools_dir().join("python")
}
