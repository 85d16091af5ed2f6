//! Lists in the documentation that the code knows better.

use std::collections::BTreeSet;

use bailiwick_server::config::{SETTINGS, Setting};
use bailiwick_server::ledger::{Action, RESERVED};

use super::page;

fn read(path: &str) -> String {
    let file = page::root().join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The texts between backticks, line by line, outside fenced blocks.
fn quoted(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        found.extend(line.split('`').skip(1).step_by(2).filter(|_| !fenced).map(str::to_owned));
    }
    found
}

/// What stands in the first column of the page's tables.
fn first_column(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn the_architecture_names_what_there_is() {
    let paths = ["crates/", "docs/", "api/"];
    for name in quoted(&read("ARCHITECTURE.md")) {
        if paths.iter().any(|start| name.starts_with(start)) {
            let file = name.split("::").next().unwrap();
            assert!(page::root().join(file).exists(), "ARCHITECTURE.md names {file}");
        }
    }
}

#[test]
fn every_invariant_is_held_by_a_test_that_exists() {
    let text = read("ARCHITECTURE.md");
    let (_, after) = text.split_once("\n## Invariants\n").unwrap();
    let section = after.split("\n## ").next().unwrap();
    let mut invariants = 0;
    for invariant in section.split("\n### ").skip(1) {
        invariants += 1;
        let name = invariant.lines().next().unwrap();
        let (_, held) = invariant.split_once("\nHeld by ").unwrap_or_else(|| panic!("{name}: held by nothing"));
        let tests: Vec<String> = quoted(held);
        assert!(!tests.is_empty(), "{name}: held by nothing");
        for test in tests {
            let (file, function) = test.split_once("::").unwrap_or_else(|| panic!("{name}: {test}"));
            let source =
                read(&if file.starts_with("crates/") { file.to_owned() } else { format!("crates/server/{file}") });
            assert!(source.contains(&format!("fn {function}(")), "{name}: there is no {test}");
        }
    }
    assert!(invariants > 10, "the section is found");
}

#[test]
fn every_dependency_has_its_line() {
    let table: BTreeSet<String> = first_column(&read("docs/adr/0002-libraries.md"));
    let mut used = BTreeSet::new();
    for member in ["proof", "server", "cli", "xtask"] {
        let manifest = read(&format!("crates/{member}/Cargo.toml"));
        let lines = manifest.lines().filter_map(|line| line.strip_suffix(" = { workspace = true }"));
        used.extend(lines.filter(|name| !name.starts_with("bailiwick-")).map(str::to_owned));
    }
    assert!(used.contains("axum"), "the manifests are read");
    let without: Vec<&String> = used.difference(&table).collect();
    let gone: Vec<&String> =
        table.difference(&used).filter(|name| !["library", "---"].contains(&name.as_str())).collect();
    assert!(without.is_empty() && gone.is_empty(), "without a line: {without:?}; not used: {gone:?}");
}

/// Faults are dotted words like settings; what is no setting is a fault.
#[test]
fn every_fault_of_a_start_stands_in_the_runbook() {
    let sources = ["boot.rs", "config.rs", "config/anchor.rs", "config/layers.rs"]
        .map(|file| read(&format!("crates/server/src/{file}")));
    let kinds = ["anchor", "config", "secret", "listen", "public_url", "mail", "role", "database", "schema"];
    let mut codes = BTreeSet::new();
    for source in &sources {
        let product = source.split("#[cfg(test)]").next().unwrap();
        for text in product.split('"').skip(1).step_by(2) {
            let word = text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
            let known = text.split_once('.').is_some_and(|(kind, _)| kinds.contains(&kind));
            if word && known && Setting::by_key(text).is_none() {
                codes.insert(text.to_owned());
            }
        }
    }
    assert!(codes.contains("role.superuser") && codes.contains("config.twice"), "the sources are read: {codes:?}");
    let named: BTreeSet<String> = quoted(&read("docs/runbooks/server-does-not-start.md")).into_iter().collect();
    let missing: Vec<&String> = codes.difference(&named).collect();
    assert!(missing.is_empty(), "not in the runbook: {missing:?}");
    let kept = |name: &&String| kinds.iter().any(|kind| name.starts_with(&format!("{kind}.")));
    let settings: BTreeSet<String> = SETTINGS.iter().map(|setting| setting.key.to_owned()).collect();
    let invented: Vec<&String> =
        named.iter().filter(kept).filter(|name| !codes.contains(*name) && !settings.contains(*name)).collect();
    assert!(invented.is_empty(), "in the runbook alone: {invented:?}");
}

#[test]
fn the_guide_names_every_action_and_every_reserved_word() {
    let named: BTreeSet<String> = quoted(&read("docs/guide/audit-log.md")).into_iter().collect();
    let words = RESERVED.into_iter().chain(Action::ALL.into_iter().map(|action| action.as_str()));
    let missing: Vec<&str> = words.filter(|word| !named.contains(*word)).collect();
    assert!(missing.is_empty(), "not in the guide to the audit log: {missing:?}");
}

/// What the tests call beyond what `cargo xtask test` installs is said where a newcomer reads it.
#[test]
fn the_readme_names_what_is_installed() {
    let readme = read("README.md");
    for (source, names) in [
        ("crates/xtask/src/setup.rs", &["postgresql", "chromium", "npm"][..]),
        ("crates/xtask/src/browser.rs", &["axe-core"][..]),
    ] {
        let source = read(source);
        for name in names {
            assert!(source.contains(&format!("\"{name}\"")) || source.contains(&format!("{name}@")), "{name}");
            assert!(readme.contains(name), "README.md does not name {name}");
        }
    }
    let setup = read("crates/xtask/src/setup.rs");
    let pushed = setup.split("packages.push(\"").skip(1).filter_map(|rest| rest.split('"').next());
    for package in pushed {
        assert!(readme.contains(&format!("`{package}`")), "README.md does not name the package {package}");
    }
}
