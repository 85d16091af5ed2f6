//! Agreement with verifiers in other languages: they judge the golden files, each by what it knows.
//!
//! `cargo xtask test` installs what they need and says where it is. Where it is missing, these tests fail.

use std::path::PathBuf;
use std::process::Command;

use crate::golden::folder;

/// A program or file that `cargo xtask test` names.
#[expect(clippy::disallowed_methods, reason = "the tests' one look at the environment")]
fn tool(variable: &str) -> PathBuf {
    let named = std::env::var_os(variable).filter(|file| !file.is_empty());
    named.unwrap_or_else(|| panic!("{variable} is not set: `cargo xtask test` sets it, as it sets all tools")).into()
}

fn check(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}{complained}", output.status);
    said.into_owned()
}

#[test]
fn pymerkle_and_joserfc_agree() {
    let said = check(Command::new(tool("CHECK_PYTHON")).arg(folder().join("check/outside.py")).arg(folder()));
    assert!(said.contains("pymerkle 7.0.0: ") && said.contains("joserfc 1.8.0: "), "{said}");
}

#[test]
fn the_verifier_that_was_written_from_the_page_agrees() {
    let said = check(Command::new(tool("CHECK_PYTHON")).arg(folder().join("check/stranger.py")).arg(folder()));
    assert!(said.contains(" cases, 0 faults"), "{said}");
}

#[test]
fn what_was_written_from_the_vault_s_page_agrees() {
    let said = check(Command::new(tool("CHECK_PYTHON")).arg(folder().join("check/vault.py")).arg(folder()));
    assert!(said.contains(" cases, 0 faults"), "{said}");
}

#[test]
fn npm_jose_and_the_console_s_verifier_agree() {
    let verifier = folder().join("../crates/server/static/verify.js");
    let said = check(
        Command::new(tool("NODE"))
            .arg(folder().join("check/outside.mjs"))
            .arg(folder())
            .arg(tool("JOSE_JS"))
            .arg(verifier),
    );
    assert!(said.contains("jose: ") && said.contains("verify.js: "), "{said}");
}
