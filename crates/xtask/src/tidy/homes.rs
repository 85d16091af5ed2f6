//! What has one home in the server: constructors that the whole crate can see, because Rust has no narrower
//! visibility between sibling modules, but that one module alone may call.

use super::paths::blank_comments_and_text;
use super::tree::{Finding, Tree};

const SERVER: &str = "crates/server/src/";

/// The text of a call, the paths below `src` that may hold it, and what it would mean elsewhere.
const HOMES: [(&str, &[&str], &str); 9] = [
    ("Sealed for ", &["authz/", "authz.rs", "jobs/"], "an authority that nobody granted"),
    ("Authority for ", &["authz/", "authz.rs", "jobs/"], "an authority that nobody granted"),
    ("Claimed::of", &["jobs/"], "a job that nobody claimed"),
    ("commit_ending_job", &["jobs/", "db/workspace_tx.rs"], "the end of a job that is not at hand"),
    ("Recorded::staged", &["ledger.rs", "ledger/"], "a change whose ledger entry was never staged"),
    ("StagedEntry {", &["ledger.rs", "ledger/", "db/closing.rs"], "a ledger entry that was not worded by the ledger"),
    ("SignedIn::attested", &["authn/", "authn.rs"], "a person whose session nobody checked"),
    ("Founding::of", &["workspaces/", "workspaces.rs"], "authority over a workspace that may be somebody's"),
    ("Redeemed::of", &["members/", "members.rs"], "authority over a workspace that nobody has invited to"),
];

/// Where statements stand, besides every `sql.rs`.
const STATEMENTS: [&str; 4] = ["db/", "http/idempotency", "housekeeping", "command/migrate.rs"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.ending(".rs") {
        let Some(file) = path.strip_prefix(SERVER) else { continue };
        for (number, line) in blank_comments_and_text(source).lines().enumerate() {
            for (call, homes, meaning) in HOMES {
                if line.contains(call) && !homes.iter().any(|home| file.starts_with(home)) {
                    findings.push(Finding::at(path, number + 1, format!("{}: {meaning}", call.trim_end())));
                }
            }
            let statements = file.ends_with("sql.rs") || STATEMENTS.iter().any(|home| file.starts_with(home));
            if line.contains("sqlx::query") && !statements {
                findings.push(Finding::at(path, number + 1, "a statement outside sql.rs"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{HOMES, check};
    use crate::tidy::tree::found;

    #[test]
    fn each_call_is_refused_away_from_its_home() {
        for (call, homes, _) in HOMES {
            assert_eq!(found(check, &[("crates/server/src/mail/http.rs", call)]).len(), 1, "{call}");
            for home in homes {
                let path = format!("crates/server/src/{home}");
                assert_eq!(found(check, &[(&path, ""), (&format!("{path}x.rs"), call)]), [""; 0], "{call} in {home}");
            }
        }
        assert_eq!(found(check, &[("crates/server/src/mail.rs", "// Recorded::staged")]), [""; 0]);
    }

    #[test]
    fn statements_stand_in_sql() {
        let statement = "sqlx::query!(\"SELECT 1\")";
        for path in ["projects/ops.rs", "projects.rs", "ledger/stage.rs"] {
            assert_eq!(found(check, &[(&format!("crates/server/src/{path}"), statement)]).len(), 1, "{path}");
        }
        for path in ["projects/sql.rs", "db/migrations.rs"] {
            assert_eq!(found(check, &[(&format!("crates/server/src/{path}"), statement)]), [""; 0], "{path}");
        }
    }
}
