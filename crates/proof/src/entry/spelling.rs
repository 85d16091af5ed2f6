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

/// The members, if they are spelt as they should be. Nothing for anything else, whatever is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Option<Wire<'_>> {
    let mut rest = Rest(std::str::from_utf8(bytes).ok()?);
    let action = rest.text(r#"{"action":"#)?;
    let actor = rest.text(r#","c":{"actor":"#)?;
    let ip = rest.text(r#","ip":"#)?;
    let meta = rest.text(r#","meta":"#)?;
    let target = rest.text(r#","target":"#)?;
    let env = rest.text(r#"},"env":"#)?;
    let generation = rest.number(r#","gen":"#)?;
    let prev = rest.text(r#","prev":"#)?;
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
        let (text, rest) = self.0.strip_prefix(before)?.strip_prefix('"')?.split_once('"')?;
        self.0 = rest;
        let is_plain = text.bytes().all(|byte| byte >= b' ' && byte != b'\\');
        is_plain.then_some(Cow::Borrowed(text))
    }

    /// A number after these characters.
    fn number(&mut self, before: &str) -> Option<u64> {
        let rest = self.0.strip_prefix(before)?;
        let (digits, rest) = rest.split_at_checked(rest.bytes().take_while(u8::is_ascii_digit).count())?;
        self.0 = rest;
        if digits.is_empty() { None } else { decimal::parse(digits) }
    }
}
