//! What a kind of job is: its name, what it may do, how it is run and what becomes of it when it fails.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Claimed, Done};
use crate::authz::PermissionSet;
use crate::db::DbError;
use crate::vault::VaultError;

/// A kind of job. The value holds what running it needs, such as the way to a mail server.
pub trait Job: Send + Sync + Sized + 'static {
    /// The name in the queue, for ever: dotted lower-case words.
    const KIND: &'static str;
    /// How it is tried, and how many at once.
    const POLICY: Policy;
    /// What its transactions may do in the workspace.
    const PERMISSIONS: PermissionSet;
    /// In whose lanes it waits.
    type Place: Place;
    /// What it is about. A later version has to read what an earlier one wrote, and the other way round.
    type Payload: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Does it, once, at most for [`Policy::time_limit`]; it may have been done before in part.
    fn run(&self, claimed: Claimed<Self>, payload: Self::Payload)
    -> impl Future<Output = Result<Done, Failure>> + Send;
}

/// In whose lanes a kind waits.
pub trait Place: Send + Sync + 'static {
    /// Whether it is the cell's.
    const IS_CELL: bool;
}

/// Jobs of a workspace, in its lanes; what they do is done in that workspace.
pub enum InWorkspace {}
/// The server's own jobs.
pub enum InCell {}

impl Place for InWorkspace {
    const IS_CELL: bool = false;
}
impl Place for InCell {
    const IS_CELL: bool = true;
}

/// How a kind is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Tries, the first among them.
    pub attempts: u16,
    /// The longest pause after the first failure; it doubles with each.
    pub first_pause: Duration,
    /// The longest pause at all.
    pub longest_pause: Duration,
    /// How many of a lane a node runs at once; of those that are retried, a quarter.
    pub per_lane: usize,
    /// How many of all lanes a node runs at once: what waits for somebody else's machine leaves workers to the rest.
    pub per_node: usize,
    /// How long one try may take.
    pub time_limit: Duration,
    /// What becomes of the payload when the last try has failed.
    pub dead_payload: DeadPayload,
}

/// What becomes of the payload of a job that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadPayload {
    /// It stays sealed until the job is retried, discarded, or dead for 30 days.
    Kept,
    /// It goes: what it held is of no use any more, and nobody can retry the job.
    Scrubbed,
}

impl Policy {
    /// For work in the database that takes milliseconds.
    pub const QUICK: Self = Self {
        attempts: 10,
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(600),
        per_lane: usize::MAX,
        per_node: usize::MAX,
        time_limit: Duration::from_secs(30),
        dead_payload: DeadPayload::Kept,
    };

    /// The pause before the next try: exponential backoff with full jitter, evenly drawn from zero to the longest one.
    #[must_use]
    pub fn pause(&self, failed_attempts: u16, random: u64) -> Duration {
        let doublings = u32::from(failed_attempts.saturating_sub(1)).min(31);
        let longest = self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause);
        let longest_us = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(random % longest_us.saturating_add(1))
    }

    /// How many of a lane may run at once on a node.
    #[must_use]
    pub const fn at_once(&self, retrying: bool) -> usize {
        match (retrying, self.per_lane / 4) {
            (false, _) => self.per_lane,
            (true, 0) => 1,
            (true, quarter) => quarter,
        }
    }
}

/// Why a try failed: words of ours and perhaps a status, never anything of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    what: &'static str,
    code: Option<u16>,
    is_final: bool,
    waits: bool,
}

impl Failure {
    /// Worth another try.
    #[must_use]
    pub const fn again(what: &'static str) -> Self {
        Self { what, code: None, is_final: false, waits: false }
    }

    /// Nothing of the job's own: what it needs is away, however long. No try is counted.
    #[must_use]
    pub const fn waiting(what: &'static str) -> Self {
        Self { what, code: None, is_final: false, waits: true }
    }

    /// No try would do better.
    #[must_use]
    pub const fn for_good(what: &'static str) -> Self {
        Self { what, code: None, is_final: true, waits: false }
    }

    /// With the status that the other side answered.
    #[must_use]
    pub const fn with_code(mut self, code: Option<u16>) -> Self {
        self.code = code;
        self
    }

    /// The word.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    pub(super) const fn waits(&self) -> bool {
        self.waits
    }

    pub(super) const fn is_final(&self) -> bool {
        self.is_final
    }

    /// As it is stored.
    pub(super) fn text(&self) -> String {
        match self.code {
            Some(code) => format!("{} {code}", self.what),
            None => self.what.to_owned(),
        }
    }
}

/// Somebody else has the job: nobody hears of this failure.
pub(super) const LEASE_LOST: Failure = Failure::again("lease_lost");

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        match error {
            DbError::LeaseLost => LEASE_LOST,
            DbError::Unavailable(_) => Self::again("database_unavailable"),
            error => {
                tracing::error!(event = "jobs.statement_failed", cause = %error);
                Self::again("statement_failed")
            }
        }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Db(error) => error.into(),
            error if error.passes() => Self::waiting("vault_unavailable"),
            error => {
                tracing::error!(event = "jobs.vault_failed", cause = %error);
                Self::again("vault_failed")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_drawn_evenly() {
        let policy = Policy { longest_pause: Duration::from_secs(10), ..Policy::QUICK };
        let longest = |failed| (0..2_000).map(|n| policy.pause(failed, n * 7_919_131)).max().unwrap();
        for (failed, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (200, 10)] {
            let seconds = Duration::from_secs(seconds);
            assert!(
                longest(failed) <= seconds && longest(failed) > seconds * 9 / 10,
                "{failed}: {:?}",
                longest(failed)
            );
        }
        let half = Duration::from_millis(500);
        let early = (0..2_000_u64).filter(|n| policy.pause(1, n * 7_919_131) < half).count();
        assert!((800..1_200).contains(&early), "{early}");
        assert_eq!(policy.pause(1, 0), Duration::ZERO);
    }

    #[test]
    fn of_retries_fewer_run_at_once() {
        let policy = |per_lane| Policy { per_lane, ..Policy::QUICK };
        assert_eq!([policy(8).at_once(false), policy(8).at_once(true), policy(1).at_once(true)], [8, 2, 1]);
    }
}
