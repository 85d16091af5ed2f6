//! Where a test run leaves what is looked at afterwards: clusters, logs and the secrets that were seen.

use std::path::PathBuf;

/// The folder that `cargo xtask test` names; without it a run leaves nothing behind.
#[expect(clippy::disallowed_methods, reason = "the tests' one look at the environment")]
pub fn run_dir() -> Option<PathBuf> {
    std::env::var_os("BAILIWICK_TEST_RUN_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// The environment that says where programs are.
#[expect(clippy::disallowed_methods, reason = "the tests' one look at the environment")]
pub fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
