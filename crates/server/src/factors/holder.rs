//! What a person has besides their authenticators: recovery codes, and the count of wrong ones.
//!
//! # Invariants
//! - Wrong codes are counted for the person, whoever types them and wherever, and only by somebody who was let in by the mail:
//!   a stranger counts nothing.
//! - After a few the next code has to wait, for longer each time. Recovery codes do not wait: nobody guesses eighty bits, and
//!   the owner of an account that somebody guesses at gets in by one.

use bailiwick_proof::id::UserId;
use time::{Duration, OffsetDateTime};

use crate::authz::vouched::rows;

/// So many wrong codes cost nothing.
pub(super) const FREE: i32 = 5;
const FIRST_WAIT: Duration = Duration::minutes(1);
/// Six codes a day, each of which three of a million are right: a year of guessing succeeds once in 150 times.
const LONGEST_WAIT: Duration = Duration::hours(4);

/// A person's row, locked.
pub(super) struct Holder {
    pub(super) user: UserId,
    pub(super) version: i64,
    /// MACs of the recovery codes that were not used.
    pub(super) recovery_codes: Vec<Vec<u8>>,
    pub(super) codes_made_at: Option<OffsetDateTime>,
    pub(super) failures: i32,
    pub(super) failed_at: Option<OffsetDateTime>,
    /// The person's when the codes were made.
    pub(super) epoch: i64,
}

impl Holder {
    /// One of whom nothing is known yet. Its first version is the one after `version`.
    pub(super) const fn new(user: UserId, version: i64, epoch: i64) -> Self {
        Self { user, version, recovery_codes: Vec::new(), codes_made_at: None, failures: 0, failed_at: None, epoch }
    }

    /// As the row is vouched for once it has this version.
    pub(super) fn row(&self, version: i64) -> rows::FactorHolderRow<'_> {
        rows::FactorHolderRow {
            user: self.user.uuid(),
            version,
            recovery_codes: &self.recovery_codes,
            failures: self.failures,
            failed_at: self.failed_at,
            epoch: self.epoch,
        }
    }

    /// For how long a code is not looked at.
    pub(super) fn wait(&self, now: OffsetDateTime) -> Option<Duration> {
        let beyond = u32::try_from(self.failures - FREE).ok()?;
        let wait = (FIRST_WAIT * 2_i32.saturating_pow(beyond.min(20))).min(LONGEST_WAIT);
        // A clock that was put back makes nobody wait for longer than that.
        let left = (self.failed_at? - now).min(Duration::ZERO) + wait;
        (left > Duration::ZERO).then_some(left)
    }

    pub(super) const fn failed(&mut self, now: OffsetDateTime) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
    }

    pub(super) const fn succeeded(&mut self) {
        (self.failures, self.failed_at) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::id::Id;

    use super::*;

    #[test]
    fn five_are_free_and_then_each_waits_twice_as_long_up_to_four_hours() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let mut holder = Holder::new(Id::from_uuid(uuid::Uuid::nil()), 0, 0);
        let mut waits = Vec::new();
        for _ in 0..16 {
            holder.failed(start);
            waits.push(holder.wait(start).map_or(0, Duration::whole_minutes));
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 240, 240, 240, 240]);
        assert_eq!(holder.wait(start + Duration::hours(4)), None);
        assert_eq!(holder.wait(start - Duration::days(9)), Some(Duration::hours(4)), "a clock that was put back");
        holder.succeeded();
        assert_eq!(holder.wait(start), None);
    }
}
