//! Packages of npm, below the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{process, repo};

/// One file of one package in one version. Each has a folder of its own, since npm removes what it did not just install.
pub(crate) struct Package {
    pub(crate) folder: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) file: &'static str,
}

impl Package {
    /// The file, when this version has been installed.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        let manifest = std::fs::read_to_string(self.dir().join("package.json")).ok()?;
        let file = self.dir().join(self.file);
        (manifest.contains(&format!("\"version\": \"{}\"", self.version)) && file.is_file()).then_some(file)
    }

    /// The file, installed if need be; that needs `npm`. No script of a package is run.
    ///
    /// # Errors
    /// When npm fails, or does not leave the file where it belongs.
    pub(crate) fn find_or_install(&self) -> anyhow::Result<PathBuf> {
        if let Some(file) = self.find() {
            return Ok(file);
        }
        let package = format!("{}@{}", self.name, self.version);
        eprintln!("xtask: installing with npm: {package} into {}", self.prefix().display());
        std::fs::create_dir_all(self.prefix()).context("cannot create the folder for tools")?;
        process::run(
            Command::new("npm")
                .args(["install", "--silent", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"])
                .arg("--prefix")
                .arg(self.prefix())
                .arg(&package)
                .stdout(std::io::stderr()),
        )?;
        match self.find() {
            Some(file) => Ok(file),
            None => bail!("npm installed {package}, but {} is not there", self.dir().join(self.file).display()),
        }
    }

    fn prefix(&self) -> PathBuf {
        repo::tools_dir().join(self.folder)
    }

    fn dir(&self) -> PathBuf {
        self.prefix().join(Path::new("node_modules")).join(self.name)
    }
}
