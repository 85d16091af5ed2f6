//! Why something is not verified: a reason for people, a code for programs, and the first bad seq.

use std::fmt::Write as _;

use bailiwick_proof::checkpoint::CheckpointError;
use bailiwick_proof::consistency::{MalformedPair, PairError};
use bailiwick_proof::jose::JoseError;
use bailiwick_proof::manifest::proof::{MalformedManifestProof, ManifestProofError};
use bailiwick_proof::receipt::{MalformedReceipt, ReceiptError};
use serde_json::{Value, json};

use crate::output::printable;
use crate::problem::Problem;

/// The problem code of a server whose own check found its log damaged.
const LEDGER_MISMATCH: &str = "ledger_mismatch";

/// What keeps something from being believed.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Stable, for programs.
    code: String,
    /// For people.
    reason: String,
    /// The first entry that is known to be wrong, where one is.
    seq: Option<u64>,
    /// Other facts, each a line for people and a member for programs.
    facts: Vec<(&'static str, Value)>,
    /// A document that anybody can check for themselves, not yet kept anywhere.
    evidence: Option<String>,
}

impl Refusal {
    /// A refusal that names no entry.
    pub(crate) fn new(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code: code.into(), reason: reason.into(), seq: None, facts: Vec::new(), evidence: None }
    }

    /// The code alone.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The reason alone.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// Names the first entry that is known to be wrong.
    pub(crate) const fn at(mut self, seq: Option<u64>) -> Self {
        self.seq = seq;
        self
    }

    /// Adds a fact, such as where the evidence is.
    pub(crate) fn with(mut self, name: &'static str, fact: impl Into<Value>) -> Self {
        self.facts.push((name, fact.into()));
        self
    }

    /// Hands over the document to keep as evidence.
    pub(crate) const fn take_evidence(&mut self) -> Option<String> {
        self.evidence.take()
    }

    /// The refusal in a server's own words, when it says that its log is damaged.
    pub(crate) fn stated(problem: &Problem) -> Option<Self> {
        let document = problem.document();
        let text = |member| document.get(member).and_then(Value::as_str).unwrap_or_default();
        let reason = if text("detail").is_empty() { text("title") } else { text("detail") };
        let refusal = Self::new(LEDGER_MISMATCH, format!("the server says that this log is damaged: {reason}"));
        let mut refusal =
            refusal.at(document.get("seq").and_then(Value::as_u64)).with("request_id", text("request_id"));
        refusal.evidence = document.get("receipt").and_then(Value::as_str).map(str::to_owned);
        (problem.code() == LEDGER_MISMATCH).then_some(refusal)
    }

    /// The answer on standard output, for programs.
    pub(crate) fn verdict(&self) -> Value {
        let mut verdict = json!({ "verified": false, "reason": self.reason, "code": self.code, "seq": self.seq });
        self.add_facts(&mut verdict);
        verdict
    }

    /// The document on standard error, for programs.
    pub(crate) fn problem(&self, code: &str) -> Value {
        let mut problem = json!({ "title": self.reason, "code": code, "refusal": self.code, "seq": self.seq });
        self.add_facts(&mut problem);
        problem
    }

    fn add_facts(&self, document: &mut Value) {
        if let Some(members) = document.as_object_mut() {
            members.extend(self.facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone())));
        }
    }

    /// `error: not verified: <reason> (code)`, then a line for the first bad seq and for each fact.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("error: not verified: {} ({})\n", printable(&self.reason), printable(&self.code));
        if let Some(seq) = self.seq {
            let _ = writeln!(text, "  first bad seq: {seq}");
        }
        for (name, fact) in &self.facts {
            let fact = fact.as_str().map_or_else(|| fact.to_string(), str::to_owned);
            let _ = writeln!(text, "  {}: {}", name.replace('_', " "), printable(&fact));
        }
        text
    }
}

impl From<CheckpointError> for Refusal {
    fn from(err: CheckpointError) -> Self {
        Self::new(err.word(), err.to_string())
    }
}

impl From<JoseError> for Refusal {
    fn from(err: JoseError) -> Self {
        Self::new(err.word(), err.to_string())
    }
}

impl From<MalformedManifestProof> for Refusal {
    fn from(err: MalformedManifestProof) -> Self {
        Self::new(err.word(), err.to_string())
    }
}

impl From<ManifestProofError> for Refusal {
    fn from(err: ManifestProofError) -> Self {
        Self::new(err.word(), err.to_string()).at(err.seq())
    }
}

impl From<MalformedReceipt> for Refusal {
    fn from(err: MalformedReceipt) -> Self {
        Self::new(err.word(), err.to_string())
    }
}

impl From<ReceiptError> for Refusal {
    fn from(err: ReceiptError) -> Self {
        Self::new(err.word(), err.to_string()).at(err.seq())
    }
}

impl From<MalformedPair> for Refusal {
    fn from(err: MalformedPair) -> Self {
        Self::new(err.word(), err.to_string())
    }
}

impl From<PairError> for Refusal {
    fn from(err: PairError) -> Self {
        Self::new(err.word(), err.to_string()).at(err.first_bad_seq())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_to_people_and_to_programs() {
        let refusal = Refusal::new("not_included", "no \u{1b}[2J").at(Some(7)).with("evidence", "/e/x");
        assert_eq!(
            refusal.to_text(),
            "error: not verified: no \\u{1b}[2J (not_included)\n  first bad seq: 7\n  evidence: /e/x\n"
        );
        let verdict = json!({
            "verified": false, "reason": "no \u{1b}[2J", "code": "not_included", "seq": 7, "evidence": "/e/x",
        });
        assert_eq!(refusal.verdict(), verdict);
    }

    #[test]
    fn only_a_damaged_log_is_a_refusal_of_the_server() {
        let problem = |code| {
            let body = json!({ "title": "Damaged", "code": code, "seq": 3, "request_id": "req_1" }).to_string();
            Problem::from_answer(409, "Conflict", None, body.as_bytes())
        };
        assert_eq!(Refusal::stated(&problem("ledger_mismatch")).unwrap().verdict()["seq"], 3);
        assert!(Refusal::stated(&problem("slug_taken")).is_none());
    }
}
