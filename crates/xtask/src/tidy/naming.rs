//! Names that say nothing: a module is called after what it knows, never after being useful.

use super::paths::blank_comments_and_text;
use super::tree::{Finding, Tree};

const EMPTY_NAMES: [&str; 14] = [
    "util", "utils", "common", "helper", "helpers", "core", "type", "types", "manager", "managers", "service",
    "services", "misc", "shared",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.ending(".rs") {
        if path.ends_with("/mod.rs") {
            findings.push(Finding::at(path, 1, "foo.rs stands beside foo/, not in it as mod.rs"));
        }
        for name in path.trim_end_matches(".rs").split('/').filter(|name| EMPTY_NAMES.contains(name)) {
            findings.push(Finding::at(path, 1, format!("{name} says nothing: which concept is it?")));
        }
        for (number, line) in blank_comments_and_text(source).lines().enumerate() {
            if let Some(name) = declared_module(line).filter(|name| EMPTY_NAMES.contains(name)) {
                findings.push(Finding::at(path, number + 1, format!("mod {name} says nothing: which concept is it?")));
            }
        }
    }
    findings
}

/// The name in `pub(crate) mod name;` or `mod name {`.
fn declared_module(line: &str) -> Option<&str> {
    let (visibility, rest) = line.trim_start().split_once("mod ")?;
    let visibility = visibility.trim_end();
    if !visibility.is_empty() && !visibility.starts_with("pub") {
        return None;
    }
    Some(rest.split([';', ' ', '{']).next().unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::found;

    #[test]
    fn empty_names_are_refused() {
        for (path, source) in [
            ("crates/server/src/http/utils.rs", ""),
            ("crates/server/src/helpers/slug.rs", ""),
            ("crates/server/src/http/mod.rs", ""),
            ("crates/server/src/http.rs", "pub(crate) mod common;"),
            ("crates/server/src/http.rs", "    mod types {"),
        ] {
            assert_eq!(found(check, &[(path, source)]).len(), 1, "{path} {source}");
        }
    }

    #[test]
    fn names_that_say_something_pass() {
        for (path, source) in [
            ("crates/server/src/http/problem.rs", "mod problem; // mod utils;\nlet text = \"mod utils;\";"),
            ("docs/types.md", ""),
        ] {
            assert_eq!(found(check, &[(path, source)]), [""; 0], "{path}");
        }
    }
}
