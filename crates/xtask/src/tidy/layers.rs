//! The direction of imports: inside the server from the composition root down, between crates towards `proof`.
//!
//! [`LAYERS`] is the rule itself. A module uses those of its own row and of all rows above it in the table. Whatever
//! the table does not name is a feature, and a feature is entered by its root alone: what stands in `workspaces.rs`
//! is for everybody above or beside it, `workspaces/ops.rs` for `workspaces` only. `sql` belongs to its module always.

use super::paths::crate_paths;
use super::tree::{Finding, Tree};

/// The server's modules, from the lowest row up.
const LAYERS: [&[&str]; 12] = [
    &["clock", "entropy", "config", "context", "name", "networks", "supervise", "telemetry"],
    &["db", "vault", "anchor", "authz"],
    &["feed", "server_secrets"],
    &["authn", "http"],
    &["console"],
    &["ledger", "jobs", "mail", "limits"],
    &[FEATURE],
    &["state"],
    &["router", "housekeeping"],
    &["app", "boot"],
    &["command"],
    &["main", "lib"],
];

/// Stands in the table for every module that it does not name.
const FEATURE: &str = "any feature";

const SERVER: &str = "crates/server/src/";

/// What a crate's manifest must not ask for, and why.
const CRATES: [(&str, &[&str], &str); 3] = [
    (
        "crates/proof/Cargo.toml",
        &["bailiwick-server", "bailiwick-cli", "tokio", "sqlx", "axum", "reqwest", "rand", "getrandom", "time"],
        "proof is pure: no runtime, clock, randomness, network or files",
    ),
    ("crates/cli/Cargo.toml", &["bailiwick-server", "sqlx"], "the command line knows the server by its API only"),
    ("crates/server/Cargo.toml", &["bailiwick-cli"], "the server does not know its clients"),
];

/// What proof must not touch in the standard library.
const IMPURE: [&str; 7] =
    ["std::fs", "std::net", "std::env", "std::process", "std::thread", "SystemTime", "std::time::Instant"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.ending(".rs") {
        if let Some(module) = path.strip_prefix(SERVER).and_then(|file| file.strip_suffix(".rs")) {
            check_module(tree, path, module, source, &mut findings);
        }
        if path.starts_with("crates/proof/src/") {
            check_purity(path, source, &mut findings);
        }
    }
    for (manifest, refused, reason) in CRATES {
        for (number, line) in tree.text(manifest).unwrap_or_default().lines().enumerate() {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if refused.contains(&name) {
                findings.push(Finding::at(manifest, number + 1, format!("depends on {name}: {reason}")));
            }
        }
    }
    findings
}

/// `module` is the file's path below `src` without its ending: `api_keys/ops`.
fn check_module(tree: &Tree, path: &str, module: &str, source: &str, findings: &mut Vec<Finding>) {
    let own = module.split('/').next().unwrap_or(module);
    for used in crate_paths(source, module.split('/').count()) {
        let mut segments = used.segments.iter().map(String::as_str);
        let (Some(other), inner) = (segments.next(), segments.next()) else { continue };
        if other == own || !is_module(tree, other) {
            continue;
        }
        if row(other) > row(own) {
            findings.push(Finding::at(path, used.line, format!("{own} uses {other}, which stands above it")));
        } else if inner == Some("sql") {
            findings.push(Finding::at(path, used.line, format!("{own} uses {other}::sql, which is {other}'s own")));
        } else if let Some(inner) = inner.filter(|inner| is_part(tree, other, inner))
            && row(own) == feature_row()
            && row(other) == feature_row()
        {
            let message = format!("{own} reaches into {other}::{inner}; a feature is used by its root's re-exports");
            findings.push(Finding::at(path, used.line, message));
        }
    }
}

fn check_purity(path: &str, source: &str, findings: &mut Vec<Finding>) {
    let code = super::paths::blank_comments_and_text(source);
    for (number, line) in code.lines().enumerate() {
        for impure in IMPURE.iter().filter(|impure| line.contains(**impure)) {
            findings.push(Finding::at(path, number + 1, format!("uses {impure}: proof is pure")));
        }
    }
}

fn row(module: &str) -> usize {
    LAYERS.iter().position(|row| row.contains(&module)).unwrap_or_else(feature_row)
}

fn feature_row() -> usize {
    LAYERS.iter().position(|row| row.contains(&FEATURE)).unwrap_or_default()
}

/// Whether the server has such a module, so that the name is not an item of the crate's root.
fn is_module(tree: &Tree, name: &str) -> bool {
    tree.has(&format!("{SERVER}{name}.rs")) || tree.has(&format!("{SERVER}{name}"))
}

fn is_part(tree: &Tree, module: &str, name: &str) -> bool {
    tree.has(&format!("{SERVER}{module}/{name}.rs")) || tree.has(&format!("{SERVER}{module}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::found;

    /// What the rule says about one file of the server beside some that do no harm.
    fn check_file(path: &str, source: &str) -> Vec<String> {
        let path = format!("crates/server/src/{path}");
        let mut files = vec![
            ("crates/server/src/db.rs", ""),
            ("crates/server/src/http.rs", ""),
            ("crates/server/src/ledger.rs", ""),
            ("crates/server/src/ledger/sql.rs", ""),
            ("crates/server/src/console.rs", ""),
            ("crates/server/src/router.rs", ""),
            ("crates/server/src/workspaces.rs", ""),
            ("crates/server/src/workspaces/sql.rs", ""),
            ("crates/server/src/workspaces/ops.rs", ""),
        ];
        files.push((&path, source));
        found(check, &files)
    }

    #[test]
    fn downwards_beside_and_into_oneself_is_allowed() {
        for (path, source) in [
            ("api_keys/ops.rs", "use crate::{db::WorkspaceTx, ledger, workspaces::Workspace};"),
            ("api_keys/page.rs", "use crate::console::layout;"),
            ("workspaces/page.rs", "use crate::workspaces::sql::list; use super::ops;"),
            ("router.rs", "use crate::workspaces::http::create;"),
            ("authz.rs", "use crate::db::Pools;"),
            ("vault.rs", "use crate::Unknown;"),
        ] {
            assert_eq!(check_file(path, source), [""; 0], "{path}");
        }
    }

    #[test]
    fn upwards_is_refused() {
        for (path, source, message) in [
            ("db.rs", "\nuse crate::http::Problem;", "db.rs:2: db uses http, which stands above it"),
            ("http/problem.rs", "fn f() { crate::ledger::stage() }", "problem.rs:1: http uses ledger, which"),
            ("ledger.rs", "use crate::workspaces::Id;", "ledger.rs:1: ledger uses workspaces, which"),
            ("console.rs", "use super::workspaces::Id;", "console.rs:1: console uses workspaces, which"),
            ("workspaces/http.rs", "use super::super::router::paths;", "http.rs:1: workspaces uses router, which"),
        ] {
            let findings = check_file(path, source);
            assert_eq!(findings.len(), 1, "{path}: {findings:?}");
            assert!(findings.iter().all(|finding| finding.contains(message)), "{path}: {findings:?}");
        }
    }

    #[test]
    fn the_inside_of_another_module_is_refused() {
        for (path, source, message) in [
            ("api_keys.rs", "use crate::workspaces::ops;", "api_keys reaches into workspaces::ops"),
            ("api_keys.rs", "use crate::workspaces::{sql, Id};", "workspaces::sql, which is workspaces's own"),
            ("api_keys.rs", "use crate::ledger::sql::stage;", "ledger::sql, which is ledger's own"),
            ("router.rs", "use crate::workspaces::sql::list;", "workspaces::sql, which is workspaces's own"),
        ] {
            let findings = check_file(path, source);
            assert!(findings.len() == 1 && findings.iter().all(|f| f.contains(message)), "{path}: {findings:?}");
        }
    }

    #[test]
    fn crates_point_towards_proof() {
        for (manifest, line) in [
            ("crates/proof/Cargo.toml", "tokio = { workspace = true }"),
            ("crates/cli/Cargo.toml", "bailiwick-server.workspace = true"),
        ] {
            let findings = found(check, &[(manifest, &format!("[dependencies]\n{line}\n"))]);
            assert!(findings.iter().all(|finding| finding.starts_with(&format!("{manifest}:2: depends on "))));
            assert_eq!(findings.len(), 1, "{manifest}");
        }
        let findings = found(check, &[("crates/proof/src/id.rs", "let now = std::time::SystemTime::now();")]);
        assert_eq!(findings, ["crates/proof/src/id.rs:1: uses SystemTime: proof is pure"]);
    }
}
