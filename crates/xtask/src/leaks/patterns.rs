//! Thousands of secrets as one index, so that a file is read once whatever their number, and not even every byte of it.
//!
//! A secret is found by eight bytes of it, and the files are looked at in steps: when a step is `n` bytes, one of `n`
//! neighbouring eights of a secret begins where a step falls, wherever the secret stands. Those `n` are the last ones:
//! the first eight bytes of all API keys are the same `bw_live_`, of all links the same `http://l`, while all of them
//! end in randomness. A table of flags stands before the map and turns away nearly all steps for one multiplication.

use std::collections::{BTreeSet, HashMap};

/// Anything shorter would be found by chance, or is no secret. A sign-in code has nine characters.
const SHORTEST: usize = 9;
const EIGHT: usize = 8;
/// Longer steps would be faster by little, and index the beginnings that are all the same.
const LONGEST_STEP: usize = 16;
const FILTER_BITS: u32 = 22;

/// What to look for.
pub(super) struct Patterns {
    patterns: Vec<Pattern>,
    /// By eight bytes, little endian: which patterns hold them, and at which offset.
    by_eight: HashMap<u64, Vec<(usize, usize)>>,
    /// Whether any indexed eight has this [`slot`].
    filter: Vec<bool>,
    step: usize,
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
        let secrets: Vec<&str> = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
        let mut patterns = Vec::new();
        for secret in &secrets {
            let token = secret.rsplit_once('=').map(|(_, token)| token).filter(|token| token.len() >= SHORTEST);
            let texts = std::iter::once(*secret).chain(token);
            patterns.extend(texts.map(|text| Pattern { bytes: text.as_bytes().to_vec(), kind: kind_of(secret) }));
        }
        Self::index(patterns, secrets.len())
    }

    fn index(patterns: Vec<Pattern>, secrets: usize) -> Self {
        let shortest = patterns.iter().map(|pattern| pattern.bytes.len()).min().unwrap_or(SHORTEST);
        let step = (shortest - EIGHT + 1).min(LONGEST_STEP);
        let mut by_eight: HashMap<u64, Vec<(usize, usize)>> = HashMap::new();
        let mut filter = vec![false; 1 << FILTER_BITS];
        for (number, pattern) in patterns.iter().enumerate() {
            let last = pattern.bytes.len() - EIGHT;
            for offset in last + 1 - step..=last {
                let Some(eight) = eight_at(&pattern.bytes, offset) else { continue };
                by_eight.entry(eight).or_default().push((number, offset));
                if let Some(possible) = filter.get_mut(slot(eight)) {
                    *possible = true;
                }
            }
        }
        Self { patterns, by_eight, filter, step, secrets }
    }

    /// How many secrets there are.
    pub(super) fn secrets(&self) -> usize {
        self.secrets
    }

    /// Bytes of the longest pattern: what two neighbouring chunks must share less one.
    pub(super) fn longest(&self) -> usize {
        self.patterns.iter().map(|pattern| pattern.bytes.len()).max().unwrap_or_default()
    }

    /// Calls `found` with the kind of each secret that occurs in `bytes`.
    pub(super) fn find(&self, bytes: &[u8], mut found: impl FnMut(&'static str)) {
        let mut position = 0;
        while let Some(eight) = eight_at(bytes, position) {
            if self.filter.get(slot(eight)) == Some(&true) {
                for (number, offset) in self.by_eight.get(&eight).into_iter().flatten() {
                    let begin = position.checked_sub(*offset).and_then(|begin| bytes.get(begin..));
                    let pattern = self.patterns.get(*number);
                    if let (Some(begin), Some(pattern)) = (begin, pattern)
                        && begin.starts_with(&pattern.bytes)
                    {
                        found(pattern.kind);
                    }
                }
            }
            position += self.step;
        }
    }
}

fn eight_at(bytes: &[u8], position: usize) -> Option<u64> {
    bytes.get(position..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

/// The place of an eight in the filter: the upper bits of a multiplicative hash.
fn slot(eight: u64) -> usize {
    (eight.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - FILTER_BITS)) as usize
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
