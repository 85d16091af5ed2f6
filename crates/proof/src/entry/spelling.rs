//! The one spelling of an entry, read in one pass: a verifier reads millions, and a reader of any JSON that writes each again to compare
//! it takes ten times as long.
//!
//! # Invariants
//! What [`read`] answers is what any reader of JSON makes of the same bytes, and its members written again are these bytes: between
//! them stands nothing but what the form has there, a text has no escapes, a number one spelling. What the members have to be,
//! [`Wire::check`] says, for both readers.

use std::borrow::Cow;

use super::{Wire, WireCommitments};
use crate::decimal;
use crate::merkle::HASH_BYTES;

/// The members, if they are spelt as they should be. Nothing for anything else, whatever is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Option<Wire<'_>> {
    let mut rest = Rest(std::str::from_utf8(bytes).ok()?);
    let action = rest.text(r#"{"action":"#)?;
    let actor = rest.hash(r#","c":{"actor":"#)?;
    let ip = rest.hash(r#","ip":"#)?;
    let meta = rest.hash(r#","meta":"#)?;
    let target = rest.hash(r#","target":"#)?;
    let env = rest.text(r#"},"env":"#)?;
    let generation = rest.number(r#","gen":"#)?;
    let prev = rest.hash(r#","prev":"#)?;
    let seq = rest.number(r#","seq":"#)?;
    let trace = rest.text(r#","trace":"#)?;
    let ts = rest.number(r#","ts":"#)?;
    let v = rest.number(r#","v":"#)?;
    let ws = rest.text(r#","ws":"#)?;
    rest.is("}").then_some(Wire {
        action,
        c: WireCommitments { actor, ip, meta, target },
        env,
        r#gen: generation,
        prev,
        seq,
        trace,
        ts,
        v,
        ws,
    })
}

/// What was not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn is(&self, end: &str) -> bool {
        self.0 == end
    }

    /// A text after these characters: one that stands there as it is meant.
    fn text(&mut self, before: &str) -> Option<Cow<'a, str>> {
        let rest = self.0.strip_prefix(before)?.strip_prefix('"')?;
        self.until(rest, rest.bytes().position(|byte| byte == b'"')?)
    }

    /// The same, where all that are right have one length.
    fn hash(&mut self, before: &str) -> Option<Cow<'a, str>> {
        let rest = self.0.strip_prefix(before)?.strip_prefix('"')?;
        self.until(rest, 2 * HASH_BYTES)
    }

    fn until(&mut self, rest: &'a str, end: usize) -> Option<Cow<'a, str>> {
        let (text, rest) = rest.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        // Not the first that is wrong is looked for: whether any is, by all at once.
        let is_wrong = |byte: u8| u8::from(byte < b' ') | u8::from(byte == b'\\') | u8::from(byte == b'"');
        let wrong = text.bytes().fold(0, |wrong, byte| wrong | is_wrong(byte));
        (wrong == 0).then_some(Cow::Borrowed(text))
    }

    /// A number after these characters.
    fn number(&mut self, before: &str) -> Option<u64> {
        let rest = self.0.strip_prefix(before)?;
        let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).filter(|end| *end > 0)?;
        let (digits, rest) = rest.split_at_checked(end)?;
        self.0 = rest;
        decimal::parse(digits)
    }
}
