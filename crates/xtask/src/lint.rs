//! Clippy as the compiler of the workspace's own crates, so that they and what they depend on are compiled once and not twice:
//! `cargo clippy` would check all of it beside the build.
//!
//! It is how `cargo clippy` itself calls it: as cargo's wrapper for workspace members, with its arguments in a variable.

use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;

use crate::{process, repo};

/// Between two arguments.
const BREAK: &str = "__CLIPPY_HACKERY__";

/// The toolchain's `clippy-driver`.
pub(crate) struct Linter(PathBuf);

impl Linter {
    /// # Errors
    /// When the toolchain has none.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(repo::root()))?;
        let driver = PathBuf::from(sysroot.trim()).join("bin").join("clippy-driver");
        if !driver.exists() {
            bail!("the toolchain has no clippy: `rustup component add clippy`");
        }
        Ok(Self(driver))
    }

    /// Has this call of cargo compile with it; a warning is an error.
    pub(crate) fn compile(&self, cargo: &mut Command) {
        cargo.env("RUSTC_WORKSPACE_WRAPPER", &self.0).env("CLIPPY_ARGS", format!("-D{BREAK}warnings{BREAK}"));
    }
}
