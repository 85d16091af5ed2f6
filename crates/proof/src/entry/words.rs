//! The two members of an entry that look like text: both are of a shape that holds nothing personal.

use std::fmt;
use std::str::FromStr;

use crate::hex;

const MAX_ACTION_BYTES: usize = 100;
const TRACE_BYTES: usize = 16;

/// What was done: `^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)+$`, at most 100 bytes, such as `api_key.created`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionName(String);

/// The text cannot be the name of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an action: expected at least two lower-case words with dots between them, at most {MAX_ACTION_BYTES} bytes"
)]
pub struct InvalidActionName;

impl ActionName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words before the first dot: whose action it is.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ActionName {
    type Err = InvalidActionName;

    /// # Errors
    /// [`InvalidActionName`] for any other shape: an address or a name planted here could never be erased.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mut in_word, mut has_dot) = (false, false);
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' => in_word = true,
                b'.' | b'_' if in_word => {
                    in_word = false;
                    has_dot |= byte == b'.';
                }
                _ => return Err(InvalidActionName),
            }
        }
        if text.len() > MAX_ACTION_BYTES || !in_word || !has_dot {
            return Err(InvalidActionName);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Which request did it: 16 bytes as 32 lower-case hex digits, like a W3C trace id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; TRACE_BYTES]);

/// The text cannot be a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a trace: expected 32 lower-case hex digits")]
pub struct InvalidTraceId;

impl TraceId {
    /// A trace that was made or stored elsewhere.
    #[must_use]
    pub const fn new(bytes: [u8; TRACE_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; TRACE_BYTES] {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl FromStr for TraceId {
    type Err = InvalidTraceId;

    /// # Errors
    /// [`InvalidTraceId`] for anything but 32 lower-case hex digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex::decode(text).map(Self).ok_or(InvalidTraceId)
    }
}
