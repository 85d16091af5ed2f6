//! What the list can tell of a damaged log by itself: changed rows, gaps, and an end that is gone.

use crate::audit::model::AuditEvent;
use crate::ledger::Mismatch;

/// A sentence for each kind of damage that is in sight, the lowest entry of each.
///
/// `is_whole` says that nothing was filtered out of `events`, so that a gap between them is one in the log.
pub(super) fn seen_in(events: &[AuditEvent], is_whole: bool, end: Option<&Mismatch>) -> Vec<String> {
    let changed = events.iter().filter(|event| !event.intact).map(|event| event.seq).min();
    let gaps = events.iter().zip(events.iter().skip(1)).filter(|_| is_whole).filter_map(|(newer, older)| {
        let next = older.seq.saturating_add(1);
        (newer.generation == older.generation && newer.seq > next).then_some(next)
    });
    let changed = changed.map(|seq| format!("Entry {seq} is not what this log was signed over: it was changed later."));
    let missing = gaps.min().map(|seq| format!("Entry {seq} is missing from this log."));
    let end = end.map(|end| format!("Entry {} {}.", end.seq, end.what));
    [changed, missing, end].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::id::Id;
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;

    fn events(seqs: &[u64]) -> Vec<AuditEvent> {
        let event = |seq: &u64| AuditEvent {
            id: Id::from_uuid(Uuid::from_u128(u128::from(*seq))),
            seq: *seq,
            generation: 1,
            action: String::from("a.b"),
            actor: None,
            target: None,
            meta: None,
            client_ip: None,
            recorded_by: None,
            project_id: None,
            request_id: None,
            external_request_id: None,
            trace_id: None,
            recorded_at: OffsetDateTime::UNIX_EPOCH,
            leaf_hash: String::new(),
            intact: true,
        };
        seqs.iter().map(event).collect()
    }

    #[test]
    fn a_good_page_says_nothing() {
        assert!(seen_in(&events(&[3, 2, 1, 0]), true, None).is_empty());
        assert!(seen_in(&events(&[9, 4, 0]), false, None).is_empty(), "a filter leaves gaps");
        assert!(seen_in(&[], true, None).is_empty());
    }

    #[test]
    fn each_kind_of_damage_is_told_once_by_its_lowest_entry() {
        let mut all = events(&[9, 8, 6, 5, 2]);
        for event in all.iter_mut().take(2) {
            event.intact = false;
        }
        let end = Mismatch { seq: 10, what: "and what followed it is gone", receipt: None };
        let told = seen_in(&all, true, Some(&end));
        assert!(told[0].starts_with("Entry 8 is not") && told[1].starts_with("Entry 3 is missing"), "{told:?}");
        assert_eq!(told[2], "Entry 10 and what followed it is gone.");
    }
}
