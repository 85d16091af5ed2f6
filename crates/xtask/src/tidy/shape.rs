//! The shape of a file: short enough for one sitting, and opening with what it is for.

use super::tree::{Finding, Tree};

const RUST_LINES: usize = 500;
const README_LINES: usize = 150;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        let most = match path {
            "README.md" => README_LINES,
            _ if path.ends_with(".rs") => RUST_LINES,
            _ => continue,
        };
        let lines = text.lines().count();
        if lines > most {
            findings.push(Finding::at(path, lines, format!("{lines} lines, of {most}: which concept is missing?")));
        }
        if path.ends_with(".rs") && !is_exempt_from_docs(path) && !opens_with_docs(text) {
            findings.push(Finding::at(path, 1, "opens without //! docs: purpose, invariants, specification"));
        }
    }
    findings
}

fn opens_with_docs(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!"))
}

/// Tests say by their names what they are for.
fn is_exempt_from_docs(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::found;

    #[test]
    fn long_files_are_refused() {
        let long = format!("//! Docs.\n{}", "fn f() {}\n".repeat(500));
        assert_eq!(found(check, &[("crates/proof/src/id.rs", &long)]).len(), 1);
        assert_eq!(found(check, &[("README.md", &"line\n".repeat(151))]).len(), 1);
        assert_eq!(found(check, &[("README.md", &"line\n".repeat(150)), ("docs/long.md", &long)]), [""; 0]);
    }

    #[test]
    fn a_module_opens_with_its_docs() {
        assert_eq!(found(check, &[("crates/proof/src/id.rs", "\nuse std::fmt;\n//! Late.\n")]).len(), 1);
        for path in ["crates/server/tests/it/keys.rs", "crates/server/src/api_keys/tests.rs"] {
            assert_eq!(found(check, &[(path, "use super::*;\n")]), [""; 0], "{path}");
        }
    }
}
