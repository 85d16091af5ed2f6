//! Where things are in the repository.

use std::path::{Path, PathBuf};

/// The repository's root: two levels above this crate.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// Cargo's target directory: `CARGO_TARGET_DIR`, else `target` in the root. Always absolute.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A binary of the workspace, as the development profile builds it.
pub(crate) fn built(name: &str) -> PathBuf {
    target_dir().join("debug").join(name)
}

/// Where tools are installed that only this repository uses.
pub(crate) fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// Where the tests of one run leave what is looked at afterwards: secrets, logs and databases.
pub(crate) fn test_run_dir() -> PathBuf {
    target_dir().join("test-run")
}
