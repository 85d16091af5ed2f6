//! What keeps a stream from going on, in words that do not change.

use std::time::Duration;

/// A stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// Nothing answers there, or not in time.
    BucketAway,
    /// It asks to be left alone for a while.
    BucketBusy,
    /// It has no room.
    BucketFull,
    /// There is no such bucket.
    BucketMissing,
    /// The key is not good for this.
    AccessRefused,
    /// The endpoint has an address that it may not have.
    EndpointRefused,
    /// The store does not know what is asked of it.
    BucketUnfit,
    /// The bucket holds something else under a name of this log.
    StreamConflict,
    /// Entries are gone here that the bucket does not have.
    EntriesMissing,
    /// The log here is not what was signed.
    LogDamaged,
    /// Nothing is signed at the moment.
    LogFrozen,
}

/// The first pause after a failure that may pass by itself.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(900);
/// What somebody has to see to is tried again so often.
const HOUR: Duration = Duration::from_secs(3_600);

impl Code {
    const ALL: [Self; 11] = [
        Self::BucketAway,
        Self::BucketBusy,
        Self::BucketFull,
        Self::BucketMissing,
        Self::AccessRefused,
        Self::EndpointRefused,
        Self::BucketUnfit,
        Self::StreamConflict,
        Self::EntriesMissing,
        Self::LogDamaged,
        Self::LogFrozen,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::BucketAway => "bucket_away",
            Self::BucketBusy => "bucket_busy",
            Self::BucketFull => "bucket_full",
            Self::BucketMissing => "bucket_missing",
            Self::AccessRefused => "access_refused",
            Self::EndpointRefused => "endpoint_refused",
            Self::BucketUnfit => "bucket_unfit",
            Self::StreamConflict => "stream_conflict",
            Self::EntriesMissing => "entries_missing",
            Self::LogDamaged => "log_damaged",
            Self::LogFrozen => "log_frozen",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// What whoever set the stream up can do.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::BucketAway => "The bucket does not answer, or not in time. It is tried again by itself.",
            Self::BucketBusy => "The bucket asks for fewer requests. It is tried again by itself, later and later.",
            Self::BucketFull => "The bucket has no room. Give it some: it is tried again by itself.",
            Self::BucketMissing => "There is no bucket of this name. Make it, or set the stream up with another.",
            Self::AccessRefused => {
                "The bucket refuses the key. Let it read, write and list below the prefix, or set the stream up with another."
            }
            Self::EndpointRefused => {
                "The endpoint has an address at which no bucket may be. Set the stream up with another."
            }
            Self::BucketUnfit => {
                "The store does not do what is asked of it: check endpoint and region, and that it honours If-None-Match and If-Match."
            }
            Self::StreamConflict => {
                "The bucket holds something else than this log under the name that is shown. Nothing more is written there. Keep \
                 it as it is, and set the stream up with another prefix."
            }
            Self::EntriesMissing => {
                "Entries that the bucket does not have are not kept here any more. Set the stream up with another prefix when they \
                 are back."
            }
            Self::LogDamaged => {
                "The log here is not what was signed, and is not passed on. Tell whoever runs this server."
            }
            Self::LogFrozen => "The log is not signed at the moment. It is tried again by itself.",
        }
    }

    /// How long until the next try, after so many failures in a row; never, until it is set up anew.
    pub(super) fn pause(self, failures: u32) -> Option<Duration> {
        match self {
            Self::StreamConflict => None,
            Self::BucketAway | Self::BucketBusy | Self::BucketFull | Self::LogFrozen => {
                Some(FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE))
            }
            _ => Some(HOUR),
        }
    }
}

/// A code, and at which object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) object: Option<String>,
}

impl Fault {
    pub(super) const fn of(code: Code) -> Self {
        Self { code, object: None }
    }

    pub(super) fn at(code: Code, object: impl Into<String>) -> Self {
        Self { code, object: Some(object.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_and_pauses_grow() {
        for code in Code::ALL {
            assert_eq!(Code::from_word(code.as_str()), Some(code));
            assert!(!code.advice().is_empty());
        }
        let pauses: Vec<u64> = [0, 1, 4, 20].map(|failed| Code::BucketAway.pause(failed).unwrap().as_secs()).into();
        assert_eq!(pauses, [1, 2, 16, 900]);
        assert_eq!((Code::StreamConflict.pause(0), Code::AccessRefused.pause(9)), (None, Some(HOUR)));
    }
}
