//! Entries: the lines of a log, as the bytes that are hashed.
//!
//! ```text
//! {"action":"api_key.created","c":{"actor":"<64 hex>","ip":"<64 hex>","meta":"<64 hex>","target":"<64 hex>"},
//!  "env":"live","gen":1,"prev":"<64 hex>","seq":0,"trace":"<32 hex>","ts":1763782979123,"v":1,"ws":"ws_…"}
//! ```
//!
//! in one line and without spaces: canonical JSON (RFC 8785) of at most 65,535 bytes, the most that a C2SP
//! tlog-tiles entry bundle can hold. `seq` is the leaf's index; `prev` the leaf hash of the entry before,
//! or zeros; `ts` milliseconds since the Unix epoch when the entry was staged, not monotone. In the cell's log `ws` is
//! `cell` and `env` is `live`.
//!
//! # Invariants
//! Nothing personal and nothing free-form stands outside the commitments `c`. [`Entry::parse`] accepts exactly what
//! [`Entry::to_bytes`] writes. A verifier hashes the bytes as it received them.

mod spelling;
mod words;

use std::borrow::Cow;

use serde::Deserialize;

use crate::commitment::{Commitments, Field};
use crate::decimal;
use crate::environment::Environment;
use crate::log::Log;
use crate::merkle::Hash;

pub use words::{ActionName, InvalidActionName, InvalidTraceId, TraceId};

/// The longest entry: its length fits two bytes.
pub const MAX_ENTRY_BYTES: usize = 65_535;
const VERSION: u64 = 1;
const CELL: &str = "cell";

/// One entry of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The log that it stands in.
    pub log: Log,
    /// Which of the log's lives, from 1.
    pub generation: u32,
    /// The leaf's index, from 0; below 2^53.
    pub seq: u64,
    /// The leaf hash of the entry before; zeros for the first.
    pub prev: Hash,
    /// When it was staged, in milliseconds since the Unix epoch; below 2^53.
    pub recorded_at_ms: u64,
    /// What was done.
    pub action: ActionName,
    /// Which request did it.
    pub trace: TraceId,
    /// By whom, to what, from where, and all the rest.
    pub commitments: Commitments,
}

/// Why some bytes are not an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than any entry may be.
    #[error("{0} bytes: an entry has at most {MAX_ENTRY_BYTES}")]
    TooLong(usize),
    /// Not JSON, or not with the members of an entry.
    #[error("not an entry: {0}")]
    Shape(String),
    /// All members are there and good, but the bytes are spelt in another way.
    #[error("an entry, but not in canonical form")]
    NotCanonical,
    /// `v` is not 1.
    #[error("version {0} of the format, which is not known here")]
    Version(u64),
    /// `ws` is neither a workspace's id nor `cell`, or `env` does not fit it.
    #[error("names no log: \"ws\" is {workspace:?} and \"env\" is {environment:?}")]
    Log {
        /// What stands in `ws`.
        workspace: String,
        /// What stands in `env`.
        environment: String,
    },
    /// `gen` is 0 or does not fit 32 bits.
    #[error("\"gen\" is {0}: generations count from 1")]
    Generation(u64),
    /// `seq` is 2^53 or more.
    #[error("\"seq\" is {0}: too large")]
    Seq(u64),
    /// `ts` is 2^53 or more.
    #[error("\"ts\" is {0}: too large")]
    Timestamp(u64),
    /// `action` is not dotted lower-case words.
    #[error("\"action\" is not a name of dotted lower-case words")]
    Action,
    /// `trace` is not 32 lower-case hex digits.
    #[error("\"trace\" is not 32 lower-case hex digits")]
    Trace,
    /// `prev` is not 64 lower-case hex digits, or there is one before the first entry.
    #[error("\"prev\" is not 64 lower-case hex digits, all 0 for the first entry and no other")]
    Prev,
    /// A commitment is not 64 lower-case hex digits.
    #[error("the commitment to {0} is not 64 lower-case hex digits")]
    Commitment(Field),
}

impl EntryError {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "entry_too_long",
            Self::Shape(_) => "entry_shape",
            Self::NotCanonical => "entry_not_canonical",
            Self::Version(_) => "entry_version",
            Self::Log { .. } => "entry_log",
            Self::Generation(_) => "entry_generation",
            Self::Seq(_) => "entry_seq",
            Self::Timestamp(_) => "entry_timestamp",
            Self::Action => "entry_action",
            Self::Trace => "entry_trace",
            Self::Prev => "entry_prev",
            Self::Commitment(_) => "entry_commitment",
        }
    }
}

impl Entry {
    /// The canonical bytes, which are hashed and stored. They parse again if the numbers are within their bounds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (workspace, environment) = match self.log {
            Log::Workspace { workspace, environment } => (Cow::Owned(workspace.to_string()), environment),
            Log::Cell => (Cow::Borrowed(CELL), Environment::Live),
        };
        let Commitments { actor, ip, meta, target } = &self.commitments;
        // No member's text needs escaping, and they are sorted: this is the canonical form.
        format!(
            concat!(
                r#"{{"action":"{}","c":{{"actor":"{}","ip":"{}","meta":"{}","target":"{}"}},"env":"{}","gen":{},"#,
                r#""prev":"{}","seq":{},"trace":"{}","ts":{},"v":{},"ws":"{}"}}"#
            ),
            self.action,
            actor,
            ip,
            meta,
            target,
            environment,
            self.generation,
            self.prev,
            self.seq,
            self.trace,
            self.recorded_at_ms,
            VERSION,
            workspace,
        )
        .into_bytes()
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`EntryError`] for anything that [`Self::to_bytes`] does not write for numbers within their bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLong(bytes.len()));
        }
        // Almost always it is spelt as it should be. If not, whoever reads any spelling can say what is wrong.
        if let Some(wire) = spelling::read(bytes) {
            return wire.check();
        }
        let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(|error| EntryError::Shape(error.to_string()))?;
        wire.check().and(Err(EntryError::NotCanonical))
    }
}

/// The members as they stand in the JSON.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    c: WireCommitments<'a>,
    #[serde(borrow)]
    env: Cow<'a, str>,
    r#gen: u64,
    #[serde(borrow)]
    prev: Cow<'a, str>,
    seq: u64,
    #[serde(borrow)]
    trace: Cow<'a, str>,
    ts: u64,
    v: u64,
    #[serde(borrow)]
    ws: Cow<'a, str>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCommitments<'a> {
    #[serde(borrow)]
    actor: Cow<'a, str>,
    #[serde(borrow)]
    ip: Cow<'a, str>,
    #[serde(borrow)]
    meta: Cow<'a, str>,
    #[serde(borrow)]
    target: Cow<'a, str>,
}

impl Wire<'_> {
    fn check(&self) -> Result<Entry, EntryError> {
        if self.v != VERSION {
            return Err(EntryError::Version(self.v));
        }
        let generation = u32::try_from(self.r#gen).ok().filter(|generation| *generation > 0);
        let prev = Hash::from_hex(&self.prev).ok().filter(|prev| (*prev == Hash::ZERO) == (self.seq == 0));
        let below = |number: u64| (number < decimal::BOUND).then_some(number);
        Ok(Entry {
            log: self.log()?,
            generation: generation.ok_or(EntryError::Generation(self.r#gen))?,
            seq: below(self.seq).ok_or(EntryError::Seq(self.seq))?,
            prev: prev.ok_or(EntryError::Prev)?,
            recorded_at_ms: below(self.ts).ok_or(EntryError::Timestamp(self.ts))?,
            action: self.action.parse().map_err(|_| EntryError::Action)?,
            trace: self.trace.parse().map_err(|_| EntryError::Trace)?,
            commitments: self.c.check()?,
        })
    }

    fn log(&self) -> Result<Log, EntryError> {
        let unknown = || EntryError::Log { workspace: self.ws.to_string(), environment: self.env.to_string() };
        let environment: Environment = self.env.parse().map_err(|_| unknown())?;
        match (self.ws.as_ref(), environment) {
            (CELL, Environment::Live) => Ok(Log::Cell),
            (workspace, environment) => {
                Ok(Log::Workspace { workspace: workspace.parse().map_err(|_| unknown())?, environment })
            }
        }
    }
}

impl WireCommitments<'_> {
    fn check(&self) -> Result<Commitments, EntryError> {
        let hash = |field, text: &str| Hash::from_hex(text).map_err(|_| EntryError::Commitment(field));
        Ok(Commitments {
            actor: hash(Field::Actor, &self.actor)?,
            ip: hash(Field::Ip, &self.ip)?,
            meta: hash(Field::Meta, &self.meta)?,
            target: hash(Field::Target, &self.target)?,
        })
    }
}

#[cfg(test)]
mod tests;
