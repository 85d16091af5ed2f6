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
    /// They know two of this serial, or one that stands on either: the row was put back, and then changed.
    Forked,
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
    /// Of which a serial was told twice, and which, since rows were last judged.
    told_twice: HashMap<(Kind, At), u64>,
    /// The same, to be judged, until it was seen to.
    forks: HashMap<(Kind, At), u64>,
    /// Whether a look came to its end. What the first one reads may have been seen to long ago.
    is_live: bool,
    /// Which look it is.
    look: u64,
    now_ms: i64,
}

/// The last that was told of a row.
struct Last {
    serial: u64,
    told: Serials,
    until_ms: i64,
    /// The look at which it was there.
    seen: u64,
    /// Which serial it had when a look missed it, or found it changed past the server, if nobody has changed it since.
    lost: Option<u64>,
}

impl Rows {
    /// An entry says that a row was changed. What is told out of order says nothing new; what was told before, that somebody
    /// put the row back in between.
    pub(super) fn learn(&mut self, stamped: Stamped) {
        let Stamped { kind, at, serial, until_ms } = stamped;
        let fresh = Last { serial, told: Serials::default(), until_ms, seen: self.look, lost: None };
        let last = self.last.entry((kind, at.clone())).or_insert(fresh);
        last.serial = last.serial.max(serial);
        last.until_ms = last.until_ms.max(until_ms);
        if kind.is_counted() && !last.told.insert(serial) {
            self.told_twice.insert((kind, at), serial);
        }
    }
}

/// Serials of one row: all up to one of them, and the few beyond it.
#[derive(Default)]
struct Serials {
    all_to: u64,
    beyond: Vec<u64>,
}

impl Serials {
    /// Whether it was not there.
    fn insert(&mut self, serial: u64) -> bool {
        if serial <= self.all_to || self.beyond.contains(&serial) {
            return false;
        }
        self.beyond.push(serial);
        while let Some(next) = self.beyond.iter().position(|beyond| *beyond == self.all_to + 1) {
            self.beyond.swap_remove(next);
            self.all_to += 1;
        }
        true
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
        let fork = self.rows.forks.get(&(kind, row.at.clone()));
        if fork.is_some_and(|serial| row.serial == *serial || (self.rows.is_live && row.serial > *serial)) {
            return Standing::Forked;
        }
        match row.serial.cmp(&last.serial) {
            std::cmp::Ordering::Less => Standing::Older,
            std::cmp::Ordering::Equal => Standing::Current,
            std::cmp::Ordering::Greater => Standing::Unknown,
        }
    }

    /// A row is not there, or nobody vouches for what stands there.
    pub(super) fn lose(&mut self, kind: Kind, at: &At) {
        if let Some(last) = self.rows.last.get_mut(&(kind, at.clone())) {
            last.lost.get_or_insert(last.serial);
        }
    }

    /// Whether a row that is as the logs know it was lost, and is back as it was. Asked once, it is forgotten.
    pub(super) fn is_back(&mut self, kind: Kind, row: &standing::Standing) -> bool {
        let last = self.rows.last.get_mut(&(kind, row.at.clone()));
        last.and_then(|last| last.lost.take()) == Some(row.serial)
    }

    /// The last serial that is known of a row; 0 if there is none.
    pub(super) fn serial(&self, kind: Kind, at: &At) -> u64 {
        self.rows.last.get(&(kind, at.clone())).map_or(0, |last| last.serial)
    }

    /// From now on rows are judged by what was told up to here. What is told during it is for the next look, which sees every
    /// row again.
    pub(super) fn judge(&mut self) {
        let told = std::mem::take(&mut self.rows.told_twice);
        self.rows.forks.extend(told);
    }

    /// Ends a look: what it found was seen to, but for these.
    pub(super) fn end(&mut self, is_left: impl Fn(Kind, &At) -> bool) {
        self.rows.forks.retain(|(kind, at), _| is_left(*kind, at));
        self.rows.is_live = true;
    }

    /// Rows whose time is not over, and which this look has not seen. Those that were told of for the first time during the
    /// look count as seen; challenges go with their partition.
    pub(super) fn gone(&self) -> impl Iterator<Item = (Kind, &At)> {
        let Rows { last, look, now_ms, .. } = &self.rows;
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
    fn a_serial_that_is_told_twice_was_put_back_in_between() {
        let mut known = Known::default();
        known.begin(0);
        for serial in [2, 1, 4, 3, 9, 7, 8] {
            known.parts().1.learn(told(serial, i64::MAX));
        }
        assert_eq!(known.see(Kind::ApiKey, &row(9)), Standing::Current, "in whatever order");
        known.parts().1.learn(told(3, i64::MAX));
        assert_eq!(known.see(Kind::ApiKey, &row(9)), Standing::Current, "told after rows were judged");
        known.end(|_, _| false);
        known.rows.is_live = false;
        known.judge();
        let seen = [3, 9].map(|serial| known.see(Kind::ApiKey, &row(serial)));
        assert_eq!(seen, [Standing::Forked, Standing::Current], "what was read first may be mended since");
        known.end(|kind, _| kind == Kind::ApiKey);
        assert_eq!(known.see(Kind::ApiKey, &row(3)), Standing::Forked, "not seen to, for it could not be");
        known.end(|kind, _| kind == Kind::User);
        assert_eq!(known.see(Kind::ApiKey, &row(9)), Standing::Current, "seen to");
        known.begin(0);
        known.parts().1.learn(told(8, i64::MAX));
        known.judge();
        let seen = [8, 9].map(|serial| known.see(Kind::ApiKey, &row(serial)));
        assert_eq!(seen, [Standing::Forked, Standing::Forked], "what stands on it, too");
        let ends = Stamped { kind: Kind::RefreshToken, ..told(2, i64::MAX) };
        known.parts().1.learn(ends.clone());
        known.parts().1.learn(ends);
        known.judge();
        assert_eq!(known.see(Kind::RefreshToken, &row(2)), Standing::Current, "nobody counts those");
    }

    #[test]
    fn a_row_that_was_lost_and_is_back_as_it_was_is_told_once() {
        let mut known = Known::default();
        known.begin(0);
        assert!(!known.is_back(Kind::ApiKey, &row(1)), "nobody knows it");
        known.parts().1.learn(told(1, i64::MAX));
        assert!(!known.is_back(Kind::ApiKey, &row(1)), "it was never lost");
        known.lose(Kind::ApiKey, &At::default());
        assert!(known.is_back(Kind::ApiKey, &row(1)));
        assert!(!known.is_back(Kind::ApiKey, &row(1)), "told");
        known.lose(Kind::ApiKey, &At::default());
        known.parts().1.learn(told(2, i64::MAX));
        known.lose(Kind::ApiKey, &At::default());
        assert!(!known.is_back(Kind::ApiKey, &row(2)), "the server has changed it since");
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
