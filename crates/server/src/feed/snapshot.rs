//! PostgreSQL's snapshots: which transactions a reader sees.
//!
//! ```text
//! snapshot = xmin ":" xmax ":" [ xid *( "," xid ) ]     those that were in progress, between xmin and xmax
//! ```
//! (PostgreSQL's documentation, 9.27.8.) Ids are of 64 bits and do not wrap. A transaction is *visible* when it is below
//! `xmax` and was not in progress.

use std::fmt;
use std::str::FromStr;

/// What a statement saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    xmin: u64,
    xmax: u64,
    /// In ascending order.
    in_progress: Vec<u64>,
}

/// No snapshot stands there.
#[derive(Debug, thiserror::Error)]
#[error("not a snapshot of PostgreSQL's")]
pub(super) struct NoSnapshot;

impl Snapshot {
    /// Whether this one sees all that the other sees.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.xmax >= other.xmax && self.in_progress.iter().all(|xid| !other.sees(*xid))
    }

    /// Whether it cannot be later than the other: the database went back in time.
    pub(super) const fn is_before(&self, other: &Self) -> bool {
        self.xmax < other.xmax || self.xmin < other.xmin
    }

    /// Whether the transaction had ended.
    pub(super) fn sees(&self, xid: u64) -> bool {
        xid < self.xmax && self.in_progress.binary_search(&xid).is_err()
    }
}

impl FromStr for Snapshot {
    type Err = NoSnapshot;

    fn from_str(text: &str) -> Result<Self, NoSnapshot> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| NoSnapshot);
        let mut parts = text.split(':');
        let (Some(xmin), Some(xmax), Some(list), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoSnapshot);
        };
        let listed = list.split(',').filter(|xid| !xid.is_empty()).map(number);
        let mut in_progress = listed.collect::<Result<Vec<_>, _>>()?;
        in_progress.sort_unstable();
        Ok(Self { xmin: number(xmin)?, xmax: number(xmax)?, in_progress })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (n, xid) in self.in_progress.iter().enumerate() {
            write!(f, "{}{xid}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        text.parse().unwrap()
    }

    #[test]
    fn words_and_back() {
        for text in ["1:1:", "10:20:10,14,15", "18446744073709551614:18446744073709551615:"] {
            assert_eq!(snapshot(text).to_string(), text);
        }
        for text in ["", "1", "1:2", "1:2:x", "1:2:3:4", "-1:2:", "a:b:"] {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
    }

    #[test]
    fn one_covers_another_when_it_sees_all_that_the_other_sees() {
        for (one, other, covers) in [
            ("10:10:", "10:10:", true),
            ("10:12:", "10:10:", true),
            ("10:10:", "10:12:", false),
            // 10 has ended meanwhile; it had not when the first was taken.
            ("11:12:", "10:12:10", true),
            ("10:12:10", "11:12:", false),
            // A long transaction, running in both, holds nobody up.
            ("10:30:10", "10:20:10", true),
            ("10:30:10,15", "10:20:10", false),
            ("10:30:10,25", "10:20:10", true),
        ] {
            assert_eq!(snapshot(one).covers(&snapshot(other)), covers, "{one} {other}");
        }
        assert!(snapshot("9:9:").is_before(&snapshot("10:10:")));
        assert!(!snapshot("10:12:10").is_before(&snapshot("10:10:")));
    }
}
