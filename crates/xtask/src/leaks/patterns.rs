//! Thousands of secrets as one index, so that a file is read once whatever their number.
//!
//! A secret is found by its **last** eight bytes: the first eight of all API keys are the same `bw_live_`, of all
//! links the same `http://l`, while all of them end in randomness. A table of flags stands before the map and turns away
//! nearly all positions for the price of one multiplication.

use std::collections::{BTreeSet, HashMap};

/// Anything shorter would be found by chance (a six-digit code), or is no secret.
const SHORTEST: usize = 12;
const FILTER_BITS: u32 = 20;

/// What to look for.
pub(super) struct Patterns {
    /// By the last eight bytes, little endian.
    by_tail: HashMap<u64, Vec<Pattern>>,
    /// Whether any tail has this [`slot`].
    filter: Vec<bool>,
    longest: usize,
    secrets: usize,
}

/// One byte string to look for, and what it is called in a report.
struct Pattern {
    bytes: Vec<u8>,
    kind: &'static str,
}

impl Patterns {
    /// Takes the secrets that are long enough; of a link also the token in it alone.
    pub(super) fn new(secrets: BTreeSet<&str>) -> Self {
        let mut patterns =
            Self { by_tail: HashMap::new(), filter: vec![false; 1 << FILTER_BITS], longest: 0, secrets: 0 };
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
            let kind = kind_of(secret);
            patterns.secrets += 1;
            patterns.add(secret, kind);
            if let Some((_, token)) = secret.rsplit_once('=').filter(|(_, token)| token.len() >= SHORTEST) {
                patterns.add(token, kind);
            }
        }
        patterns
    }

    /// How many secrets there are.
    pub(super) fn secrets(&self) -> usize {
        self.secrets
    }

    /// Bytes of the longest pattern: what two neighbouring chunks must share less one.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Calls `found` with the kind of each secret that occurs in `bytes`.
    pub(super) fn find(&self, bytes: &[u8], mut found: impl FnMut(&'static str)) {
        let mut tail = 0;
        for (position, byte) in bytes.iter().enumerate() {
            tail = tail >> u8::BITS | u64::from(*byte) << (u64::BITS - u8::BITS);
            if !self.filter.get(slot(tail)).is_some_and(|possible| *possible) {
                continue;
            }
            let upto = bytes.get(..=position).unwrap_or_default();
            for pattern in self.by_tail.get(&tail).into_iter().flatten() {
                if upto.ends_with(&pattern.bytes) {
                    found(pattern.kind);
                }
            }
        }
    }

    fn add(&mut self, text: &str, kind: &'static str) {
        let bytes = text.as_bytes().to_vec();
        let tail = bytes.last_chunk().map_or(0, |tail| u64::from_le_bytes(*tail));
        if let Some(possible) = self.filter.get_mut(slot(tail)) {
            *possible = true;
        }
        self.longest = self.longest.max(bytes.len());
        self.by_tail.entry(tail).or_default().push(Pattern { bytes, kind });
    }
}

/// The place of a tail in the filter: the upper bits of a multiplicative hash.
fn slot(tail: u64) -> usize {
    (tail.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - FILTER_BITS)) as usize
}

fn kind_of(secret: &str) -> &'static str {
    if secret.starts_with("bw_") {
        "API key"
    } else if secret.contains("://") {
        "link"
    } else {
        "token"
    }
}
