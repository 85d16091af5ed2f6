//! The shape that all golden files have.

use serde_json::{Value, json};

/// A file under construction.
pub(super) struct File {
    about: &'static str,
    good: Vec<Value>,
    bad: Vec<Value>,
}

impl File {
    pub(super) const fn about(about: &'static str) -> Self {
        Self { about, good: Vec::new(), bad: Vec::new() }
    }

    /// Input that must be accepted, and what is found in it.
    pub(super) fn good(&mut self, name: &str, input: Value, expect: Value) {
        self.good.push(Value::from_iter([("name", Value::from(name)), ("input", input), ("expect", expect)]));
    }

    /// Input that must be refused. `detail` is Bailiwick's own word for it.
    pub(super) fn bad(&mut self, name: &str, input: Value, detail: &str) {
        let (reason, detail) = (Value::from(reason(detail)), Value::from(detail));
        self.bad.push(Value::from_iter([
            ("name", name.into()),
            ("input", input),
            ("reason", reason),
            ("detail", detail),
        ]));
    }

    /// As [`Self::bad`], where the place in the log is known.
    pub(super) fn bad_at(&mut self, name: &str, input: Value, detail: &str, seq: u64) {
        self.bad(name, input, detail);
        self.bad.last_mut().unwrap()["seq"] = json!(seq);
    }

    /// As [`Self::bad`], where a file proves that one checkpoint does not extend another.
    pub(super) fn bad_growth(&mut self, name: &str, input: Value, detail: &str) {
        self.bad(name, input, detail);
        self.bad.last_mut().unwrap()["reason"] = json!("does_not_extend");
    }

    pub(super) fn done(self) -> Value {
        json!({ "about": self.about, "good": self.good, "bad": self.bad })
    }
}

/// The reason of `docs/reference/ledger-format.md`, which any verifier can tell.
fn reason(detail: &str) -> &str {
    match detail {
        "signed_twice" | "bad_signature" | "no_known_signature" | "other_logs_key" | "other_log" | "other_seq"
        | "outside_tree" | "path_length" | "not_included" | "wrong_opening" | "other_origin" | "shrank"
        | "two_roots" | "quorum_not_met" | "unlinked" | "not_in_manifest" | "not_a_manifest" | "other_cell" => detail,
        "not_the_older_root" | "not_the_newer_root" => "does_not_extend",
        _ if detail.starts_with("entry_") => "not_an_entry",
        _ => "malformed",
    }
}

/// One replacement, which must hit.
pub(super) fn swap(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}
