//! What the logs have told of rows so far, in memory.

use std::collections::HashMap;

use crate::authz::vouched::Kind;
use crate::authz::vouched::stamp::Stamped;
use crate::authz::vouched::standing::{self, At};
use crate::ledger::Follower;

/// A row whose time is over is forgotten so much later: no clock of ours is as wrong.
const OVER_MS: i64 = 3_600_000;

/// How a row stands to what the logs know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As they know it.
    Current,
    /// They know a later one.
    Older,
    /// They know none, or none so late.
    Unknown,
}

/// What the logs know, and how far they were read.
#[derive(Default)]
pub(super) struct Known {
    follower: Follower,
    rows: Rows,
}

/// The rows that the logs know.
#[derive(Default)]
pub(super) struct Rows {
    last: HashMap<(Kind, At), Last>,
    /// Which look it is.
    look: u64,
    now_ms: i64,
}

/// The last that was told of a row.
struct Last {
    serial: u64,
    until_ms: i64,
    /// The look at which it was there.
    seen: u64,
}

impl Rows {
    /// An entry says that a row was changed. What was told before, or is told out of order, says nothing new.
    pub(super) fn learn(&mut self, stamped: Stamped) {
        let Stamped { kind, at, serial, until_ms } = stamped;
        let last = self.last.entry((kind, at)).or_insert(Last { serial, until_ms, seen: self.look });
        last.serial = last.serial.max(serial);
        last.until_ms = last.until_ms.max(until_ms);
    }
}

impl Known {
    /// Begins a look, and forgets what is over.
    pub(super) fn begin(&mut self, now_ms: i64) {
        self.rows.look += 1;
        self.rows.now_ms = now_ms;
        self.rows.last.retain(|_, last| last.until_ms.saturating_add(OVER_MS) > now_ms);
    }

    pub(super) fn parts(&mut self) -> (&mut Follower, &mut Rows) {
        (&mut self.follower, &mut self.rows)
    }

    /// A row is there.
    pub(super) fn see(&mut self, kind: Kind, row: &standing::Standing) -> Standing {
        let Some(last) = self.rows.last.get_mut(&(kind, row.at.clone())) else { return Standing::Unknown };
        last.seen = self.rows.look;
        match row.serial.cmp(&last.serial) {
            std::cmp::Ordering::Less => Standing::Older,
            std::cmp::Ordering::Equal => Standing::Current,
            std::cmp::Ordering::Greater => Standing::Unknown,
        }
    }

    /// Rows whose time is not over, and which this look has not seen. Those that were told of for the first time during the
    /// look count as seen; challenges go with their partition.
    pub(super) fn gone(&self) -> impl Iterator<Item = (Kind, &At)> {
        let Rows { last, look, now_ms } = &self.rows;
        last.iter()
            .filter(|((kind, _), last)| *kind != Kind::Challenge && last.until_ms > *now_ms && last.seen != *look)
            .map(|((kind, at), _)| (*kind, at))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::vault::Meaning;

    fn told(serial: u64, until_ms: i64) -> Stamped {
        Stamped { kind: Kind::ApiKey, at: At::default(), serial, until_ms }
    }

    fn row(serial: u64) -> standing::Standing {
        standing::Standing {
            at: At::default(),
            row: Uuid::nil().to_string(),
            serial,
            until: None,
            meaning: Meaning::new(),
            mac: Vec::new(),
        }
    }

    #[test]
    fn the_highest_serial_counts_in_whatever_order_it_is_told() {
        let mut known = Known::default();
        known.begin(0);
        assert_eq!(known.see(Kind::ApiKey, &row(1)), Standing::Unknown);
        for serial in [1, 3, 2] {
            known.parts().1.learn(told(serial, i64::MAX));
        }
        let seen = [2, 3, 4].map(|serial| known.see(Kind::ApiKey, &row(serial)));
        assert_eq!(seen, [Standing::Older, Standing::Current, Standing::Unknown]);
        assert_eq!(known.see(Kind::User, &row(3)), Standing::Unknown, "of another kind");
    }

    #[test]
    fn a_row_that_is_not_seen_is_gone_until_its_time_is_over() {
        let mut known = Known::default();
        known.begin(0);
        known.parts().1.learn(told(1, 10_000));
        assert_eq!(known.gone().count(), 0, "it was told of during this look");
        known.begin(5_000);
        assert_eq!(known.gone().count(), 1);
        known.see(Kind::ApiKey, &row(1));
        assert_eq!(known.gone().count(), 0);
        known.begin(10_000);
        assert_eq!(known.gone().count(), 0, "its time is over");
        known.begin(10_000 + OVER_MS);
        assert_eq!(known.see(Kind::ApiKey, &row(1)), Standing::Unknown, "forgotten");
    }
}
