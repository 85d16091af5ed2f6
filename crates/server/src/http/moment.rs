//! Moments, as requests name them.

use serde::{Deserializer, de::Error as _};
use time::{OffsetDateTime, UtcOffset};

/// A moment of RFC 3339 in UTC. One whose offset takes it out of the years that can be told and stored is refused.
pub fn moment_in_utc<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error> {
    let sent = time::serde::rfc3339::option::deserialize(deserializer)?;
    let in_utc = sent.map(|at| at.checked_to_offset(UtcOffset::UTC).filter(|at| at.year() < 9999));
    in_utc.map(|at| at.ok_or_else(|| D::Error::custom("a time before the year 9999"))).transpose()
}
