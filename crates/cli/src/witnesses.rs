//! What witnesses say of a checkpoint: checked against the user's policy, or named as what nobody has checked.
//!
//! # Invariants
//! A cosignature is shown as a fact only if a policy names its key and it holds.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::cosignature::time_claimed;
use bailiwick_proof::note::{Signature, VerifierKey};
use bailiwick_proof::policy::{MAX_POLICY_BYTES, Policy};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::refusal::Refusal;
use crate::statement;

/// Reads a policy.
///
/// # Errors
/// [`Exit::Failure`](crate::failure::Exit) when the file cannot be read, and `Usage` when it holds no policy.
pub(crate) fn policy(path: &Path) -> Result<Policy, Failure> {
    let limit = u64::try_from(MAX_POLICY_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text));
    read.map_err(|err| Failure::local(format!("could not read the policy in {}", path.display()), &err))?;
    text.parse().map_err(|err| {
        Failure::usage(format!("{} holds no policy: {err}", path.display()))
            .hint("the form is that of C2SP tlog-policy; see docs/guide/witnesses.md")
    })
}

/// The keys of the policy's logs, which are believed like those given.
pub(crate) fn keys(policy: &Policy) -> impl Iterator<Item = VerifierKey> {
    policy.logs().iter().map(|log| log.key.clone())
}

/// Adds who has cosigned to the statement of what was verified, if the quorum is met.
///
/// # Errors
/// Why the policy is not satisfied.
pub(crate) fn check(
    statement: &mut Value,
    witnessed: Option<&SignedCheckpoint>,
    policy: &Policy,
) -> Result<(), Refusal> {
    let nothing =
        || Refusal::new("quorum_not_met", "a daily root carries no cosignatures, so no policy can be met by it");
    let checkpoint = witnessed.ok_or_else(nothing)?;
    let cosigned = policy.check(checkpoint).map_err(|err| {
        Refusal::new(err.word(), err.to_string()).with("witnessed_origin", checkpoint.unverified().origin.as_str())
    })?;
    let witnesses: Vec<Value> = cosigned
        .iter()
        .map(|one| json!({ "name": one.name, "cosigned_at": statement::moment(one.time.saturating_mul(1000)) }))
        .collect();
    if let Some(members) = statement.as_object_mut() {
        members.insert("quorum".to_owned(), json!(policy.quorum()));
        members.insert("witnesses".to_owned(), Value::Array(witnesses));
    }
    Ok(())
}

/// Names the cosignatures that stand on it, of which nobody has checked any; answers what to say about them.
pub(crate) fn mention(statement: &mut Value, witnessed: Option<&SignedCheckpoint>) -> Option<String> {
    let checkpoint = witnessed?;
    let lines = checkpoint.note().signatures().iter().filter(|line| time_claimed(line).is_some());
    let claimed: Vec<String> = lines.map(named).collect();
    if claimed.is_empty() {
        return None;
    }
    let said = format!("nobody has checked the cosignatures in the name of {}: --policy does", claimed.join(", "));
    if let Some(members) = statement.as_object_mut() {
        members.insert("unchecked_cosignatures".to_owned(), json!(claimed));
    }
    Some(said)
}

fn named(line: &Signature) -> String {
    format!("{}+{}", line.name(), line.id())
}
