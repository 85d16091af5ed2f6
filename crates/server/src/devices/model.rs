//! Logins of devices, their two codes, and why none is opened.

use time::{Duration, OffsetDateTime};

use crate::db::DbError;
use crate::limits::Limited;
use crate::vault::Meaning;

/// How long a person may take.
pub(super) const LIVES: Duration = Duration::minutes(10);
/// So long a program waits between two questions.
pub(super) const INTERVAL_SECONDS: i32 = 2;
/// And so much longer after it did not (RFC 8628, section 3.5).
const SLOWER_BY_SECONDS: i32 = 5;
/// The longest that anybody is made to wait.
const MOST_SECONDS: i32 = 60;
/// What the network may add and take.
const SLACK: Duration = Duration::milliseconds(500);
/// Random bytes of the program's code.
pub(super) const DEVICE_CODE_BYTES: usize = 32;

/// What is stored of a person's code, under a key: another meaning than the code of a mail, though both are typed alike.
pub(super) fn code_meaning(typed: &str) -> Meaning {
    Meaning::new().text("device").text(&crate::identity::as_made(typed))
}

/// Whether the program asks too early, and how long it is to wait from now on.
pub(super) fn pace(polled_at: Option<OffsetDateTime>, interval_seconds: i32, now: OffsetDateTime) -> (bool, i32) {
    let interval = Duration::seconds(interval_seconds.into());
    // A clock that was put back makes nobody wait longer than the interval.
    let early = polled_at.is_some_and(|at| at <= now && now - at < interval - SLACK);
    if early { (true, (interval_seconds + SLOWER_BY_SECONDS).min(MOST_SECONDS)) } else { (false, interval_seconds) }
}

/// Why a program gets no tokens, in the words of RFC 8628, section 3.5.
#[derive(Debug, thiserror::Error)]
pub enum PickUpError {
    /// Nobody has decided yet.
    #[error("nobody has decided yet")]
    Pending,
    /// It asks more often than it was told to.
    #[error("asked too early")]
    TooEarly,
    /// Somebody said no.
    #[error("it was denied")]
    Denied,
    /// Unknown, over, picked up before, or approved by somebody who may not come in any more; which of them is nobody's business.
    #[error("the code opens nothing")]
    Over,
    /// Codes that were never handed out came from this network too often.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The access token cannot be signed.
    #[error("cannot sign an access token")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Why a person decides nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecideError {
    /// Unknown, over, or decided before; which of them is nobody's business.
    #[error("the code is worth nothing")]
    NoSuchCode,
    /// The person has not proven lately who they are. Nothing was decided.
    #[error("not a sign-in of a moment ago")]
    NotFresh,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What asks, as a person is told of it before they decide.
pub(super) struct Asking {
    pub(super) device: String,
    pub(super) network: Option<String>,
    pub(super) since: OffsetDateTime,
    pub(super) until: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_not_wait_waits_longer() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let after = |ms| start + Duration::milliseconds(ms);
        assert_eq!(pace(None, 2, start), (false, 2));
        assert_eq!(pace(Some(start), 2, after(1_499)), (true, 7));
        assert_eq!(pace(Some(start), 2, after(1_500)), (false, 2));
        assert_eq!(pace(Some(start), 7, after(6_000)), (true, 12));
        assert_eq!(pace(Some(start), 58, after(0)), (true, 60));
        assert_eq!(pace(Some(after(60_000)), 2, start), (false, 2), "a clock that was put back");
    }

    #[test]
    fn a_code_means_the_same_however_it_is_typed_and_nothing_in_a_mail() {
        assert_eq!(code_meaning("K7MQ-2WXD").digest(), code_meaning(" k7mq 2wxd").digest());
        assert_ne!(code_meaning("K7MQ-2WXD").digest(), code_meaning("K7MQ-2WXE").digest());
    }
}
