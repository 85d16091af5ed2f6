//! The one place that asks what time it is; everybody else is told.

use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use time::OffsetDateTime;

/// Where the time comes from: the system, or a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// The system's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock's home")]
    pub fn system() -> Self {
        Self::from_fn(OffsetDateTime::now_utc)
    }

    /// A clock that a test winds.
    #[must_use]
    pub fn from_fn(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Now, in UTC, cut to the microseconds that the database keeps.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let now = (self.0)();
        now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
    }
}

/// A moment of the monotonic clock as of the kernel's last tick: right to a few milliseconds, and read in a third of the time that
/// [`std::time::Instant`] takes. For what is looked at all the time and kept for much longer than a tick.
#[derive(Clone, Copy, Debug)]
pub struct Tick(Option<Duration>);

impl Tick {
    /// The last one.
    #[must_use]
    pub fn last() -> Self {
        Self(clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).map(Duration::from).ok())
    }

    /// How long ago that was; for ever, where the kernel has no such clock.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        match (self, Self::last()) {
            (Self(Some(then)), Self(Some(now))) => now.saturating_sub(then),
            _ => Duration::MAX,
        }
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}
