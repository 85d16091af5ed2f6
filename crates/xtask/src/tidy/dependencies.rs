//! The dependencies: how many, under which licences, and none that brings a second implementation of TLS.
//!
//! `deny.toml` says the same and more to those who have cargo-deny; this asks nothing of the machine but cargo. Both
//! look at the packages that are built for this machine, not at all that `Cargo.lock` knows: it also lists those that
//! an optional feature of a dependency would need, such as ring.

use std::collections::BTreeSet;

use super::tree::{Finding, Tree};
use crate::process;

const MOST_PACKAGES: usize = 599;

const REFUSED: [(&str, &str); 4] = [
    ("ring", "cryptography is aws-lc-rs"),
    ("openssl-sys", "TLS is rustls"),
    ("native-tls", "TLS is rustls"),
    ("openssl", "TLS is rustls"),
];

const LICENCES: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// # Errors
/// When cargo cannot list the packages.
pub(super) fn check(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    let packages = process::output(process::cargo().args([
        "tree",
        "--quiet",
        "--workspace",
        "--locked",
        "--prefix=none",
        "--edges=all",
        "--format={p}|{l}",
    ]))?;
    let mut findings = check_packages(&packages);
    findings.extend(check_count(tree.text("Cargo.lock").unwrap_or_default()));
    Ok(findings)
}

/// `packages` has lines of the shape `name v1.2.3 (…)|licence`, with ` (*)` at its end when seen before.
fn check_packages(packages: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = packages.lines().map(|line| line.trim_end_matches(" (*)"));
    let distinct: BTreeSet<&str> = lines.filter(|line| line.contains('|')).collect();
    for line in distinct {
        let (package, licence) = line.split_once('|').unwrap_or((line, ""));
        let name = package.split(' ').next().unwrap_or(package);
        if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            findings.push(Finding::at("Cargo.lock", 1, format!("{name} is built: {reason}")));
        }
        if !is_allowed(licence) {
            findings.push(Finding::at("Cargo.lock", 1, format!("{package}: licence `{licence}`")));
        }
    }
    findings
}

fn check_count(lock: &str) -> Option<Finding> {
    let count = lock.lines().filter(|line| *line == "[[package]]").count();
    (count > MOST_PACKAGES).then(|| Finding::at("Cargo.lock", 1, format!("{count} packages, of {MOST_PACKAGES}")))
}

/// Whether an SPDX expression can be met by allowed licences alone: every `AND` needs both sides, an `OR` (or the old
/// `/`) one. Parentheses nest; `AND` binds tighter.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any_of(&mut words);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>) -> bool {
    let mut met = all_of(words);
    while words.next_if_eq(&"OR").is_some() {
        met |= all_of(words);
    }
    met
}

fn all_of(words: &mut Words<'_>) -> bool {
    let mut met = one(words);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words);
    }
    met
}

fn one(words: &mut Words<'_>) -> bool {
    match words.next() {
        Some("(") => {
            let met = any_of(words);
            words.next_if_eq(&")").is_some() && met
        }
        Some(licence) => match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
            Some(exception) => LICENCES.contains(&format!("{licence} WITH {exception}").as_str()),
            None => LICENCES.contains(&licence),
        },
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{check_count, check_packages, is_allowed};

    #[test]
    fn refused_packages_and_licences_are_found() {
        let packages = "serde v1.0.0|MIT OR Apache-2.0\nring v0.17.0|Apache-2.0 AND ISC\ncopyleft v1.0.0|GPL-3.0\nserde v1.0.0|MIT OR Apache-2.0 (*)\n\n";
        let findings: Vec<String> = check_packages(packages).iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            [
                "Cargo.lock:1: copyleft v1.0.0: licence `GPL-3.0`",
                "Cargo.lock:1: ring is built: cryptography is aws-lc-rs"
            ]
        );
    }

    #[test]
    fn too_many_packages_are_found() {
        assert!(check_count(&"[[package]]\n".repeat(599)).is_none());
        assert!(check_count(&"[[package]]\n".repeat(600)).is_some());
    }

    #[test]
    fn reads_licence_expressions() {
        for (expression, allowed) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
            ("(MIT AND GPL-3.0) OR ISC", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression), allowed, "{expression}");
        }
    }
}
