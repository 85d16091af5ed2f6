//! `audit list`: the log's entries, newest first.

use serde_json::Value;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use crate::access::Access;
use crate::args::List;
use crate::failure::Failure;
use crate::output::{Answer, Listing};

static LISTING: Listing = Listing {
    noun: "entries",
    id: "id",
    columns: &["seq", "recorded_at", "action", "actor", "target", "id", "intact"],
};

/// Lists the entries that the filters let through, and says which of them are not intact.
pub(super) async fn list(access: Access, wanted: &List) -> Result<Answer, Failure> {
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "audit", "events"];
    let entries = access.client.search(&path, &filters(wanted)?, wanted.page.limit).await?;
    let warning = warning(&entries);
    let answer = Answer::many(entries, &LISTING);
    Ok(match warning {
        Some(warning) => answer.note(warning),
        None => answer,
    })
}

fn filters(wanted: &List) -> Result<Vec<(&'static str, String)>, Failure> {
    let words = [("action", &wanted.action), ("actor", &wanted.actor), ("target", &wanted.target)];
    let words = words.into_iter().filter_map(|(name, word)| Some((name, word.clone()?)));
    let times = [("from", wanted.from), ("to", wanted.to)];
    let times = times.into_iter().filter_map(|(name, time)| Some((name, time?)));
    let times = times.map(|(name, time)| Ok((name, exact(time)?)));
    words.map(Ok).chain(times).collect()
}

/// A moment in UTC with all of its fraction, since a bound that is rounded lets other entries through.
fn exact(time: OffsetDateTime) -> Result<String, Failure> {
    let utc = time.checked_to_offset(UtcOffset::UTC);
    let text = utc.and_then(|utc| utc.format(&Rfc3339).ok());
    text.ok_or_else(|| Failure::usage("a time is outside the years 0 to 9999"))
}

/// Which entries the server itself finds changed.
fn warning(entries: &[Value]) -> Option<String> {
    let damaged = entries.iter().filter(|entry| entry.get("intact") == Some(&Value::Bool(false)));
    let seqs: Vec<String> = damaged.filter_map(|entry| Some(entry.get("seq")?.to_string())).collect();
    (!seqs.is_empty()).then(|| {
        let seqs = seqs.join(", ");
        format!(
            "warning: not intact: seq {seqs}; what is stored is not what was logged. `audit receipt` gives the proof"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_bound_keeps_its_fraction() {
        assert_eq!(exact(datetime!(2026-01-02 03:04:05.678 +01:00)).unwrap(), "2026-01-02T02:04:05.678Z");
    }

    #[test]
    fn entries_that_are_not_intact_are_named() {
        let entries = [json!({ "seq": 3, "intact": true }), json!({ "seq": 2, "intact": false }), json!({ "seq": 1 })];
        assert!(warning(&entries).unwrap().contains("seq 2;"));
        assert_eq!(warning(&entries[..1]), None);
    }
}
