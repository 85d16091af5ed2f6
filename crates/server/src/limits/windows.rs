//! Sliding windows by key, exact, in a bounded piece of memory that nobody can be pushed out of.
//!
//! Each key has a log of its newest hits, as long as the limit: it is full, and its oldest hit within the window, when there
//! have been too many. Keys stand in sets of [`WAYS`] by a keyed hash, so that nobody outside can choose whose set they get into.
//!
//! # Invariants
//! - **Never more than the limit.** A key whose place is given to another leaves its log behind in the set's *remainder*, hit by hit
//!   the later of the two; whoever comes new begins with that. So a key's log is never shorter than the truth: who floods the table
//!   forgets nobody's hits, their own among them.
//! - **Bounded.** The table has the size that it was made with. What nobody has touched costs no memory: it is zero pages.
//! - **It fails towards refusing.** A key that is new to a set without a free place may be counted others' hits. That takes
//!   more hits within a window than [`Windows::hits`] at a time at which the table is evenly filled.
//!
//! The remainder is what the algorithm *Space-Saving* (Metwally and others, 2005) does with counts, done with times.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use time::OffsetDateTime;

use crate::entropy::Entropy;

/// Keys that have a place of their own in each set.
const WAYS: usize = 8;
/// Words of a key's mark.
const MARK_WORDS: usize = 2;
/// Locks: as many requests can be counted at once.
const SHARDS: usize = 64;
/// Moments are kept in tenths of a second, which fit into 32 bits for 13 years.
const TICK_MS: i128 = 100;
/// The first moment is this much later than none, so that a clock that is put back a little stays within the numbers.
const FIRST_TICK: i128 = 864_000;
/// Requests that came at once are counted in any order, and clocks are put right: a hit may lie so far ahead. What lies
/// further ahead was counted before the clock was put back, and is forgotten.
const AHEAD_TICKS: u32 = 600;

/// How it stands with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether this hit is within the limit; if not it was not counted.
    pub(super) taken: bool,
    /// How many more are, at this moment.
    pub(super) left: u32,
    /// In how many seconds there will be one more.
    pub(super) more_in: u32,
}

/// A limit on hits within a window, by key.
pub(super) struct Windows {
    limit: usize,
    span_ticks: u32,
    began: OffsetDateTime,
    secret: hmac::Key,
    sets_per_shard: usize,
    shards: Vec<Mutex<Vec<u32>>>,
}

impl Windows {
    /// So many hits within so many seconds, in a table of about so many bytes.
    pub(super) fn new(limit: u32, span_seconds: u32, bytes: usize, entropy: &Entropy, began: OffsetDateTime) -> Self {
        let limit = usize::try_from(limit.max(1)).unwrap_or(1);
        let set_words = WAYS * (MARK_WORDS + limit) + limit;
        let sets_per_shard = (bytes / (set_words * size_of::<u32>()) / SHARDS).max(1);
        let shard = || Mutex::new(vec![0; sets_per_shard * set_words]);
        Self {
            limit,
            span_ticks: span_seconds.saturating_mul(10),
            began,
            secret: hmac::Key::new(hmac::HMAC_SHA256, &entropy.bytes::<32>()),
            sets_per_shard,
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
        }
    }

    /// One more of this key, if the limit allows.
    pub(super) fn hit(&self, key: &[u8], at: OffsetDateTime) -> Standing {
        let now = self.tick(at);
        let tag = hmac::sign(&self.secret, key);
        let mut words = tag.as_ref().chunks_exact(8).map(|word| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            u64::from_be_bytes(bytes)
        });
        let (place, mark) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // A place that nobody has is marked by zero.
        let mark = mark.max(1);
        let within = |of: usize, by: u64| usize::try_from(by % u64::try_from(of).unwrap_or(1)).unwrap_or_default();
        let shard = within(SHARDS, place);
        let set = within(self.sets_per_shard, place / u64::try_from(SHARDS).unwrap_or(1));
        let set_words = WAYS * (MARK_WORDS + self.limit) + self.limit;
        let Some(shard) = self.shards.get(shard) else { return self.standing(false, &[], now) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(set) = shard.chunks_exact_mut(set_words).nth(set) else { return self.standing(false, &[], now) };
        self.hit_in(set, mark, now)
    }

    /// The same, in the key's set: its ways, then its remainder.
    fn hit_in(&self, set: &mut [u32], mark: u64, now: u32) -> Standing {
        let (ways, remainder) = set.split_at_mut(WAYS * (MARK_WORDS + self.limit));
        self.settle(remainder, now);
        let mut own = None;
        let mut least: Option<(usize, usize)> = None;
        for (number, way) in ways.chunks_exact_mut(MARK_WORDS + self.limit).enumerate() {
            let (marked, log) = way.split_at_mut(MARK_WORDS);
            let live = self.settle(log, now);
            if mark_of(marked) == mark {
                own = Some(number);
            } else if live == 0 {
                write_mark(marked, 0);
            }
            if least.is_none_or(|(_, fewest)| live < fewest) {
                least = Some((number, live));
            }
        }
        let Some(number) = own.or(least.map(|(number, _)| number)) else { return self.standing(false, &[], now) };
        let Some(way) = ways.chunks_exact_mut(MARK_WORDS + self.limit).nth(number) else {
            return self.standing(false, &[], now);
        };
        let (marked, log) = way.split_at_mut(MARK_WORDS);
        if own.is_none() {
            if full(remainder) {
                return self.standing(false, remainder, now);
            }
            // What the place holds goes into the remainder only after the newcomer has begun with it as it was.
            let begins = remainder.to_vec();
            for (kept, gone) in remainder.iter_mut().zip(log.iter()) {
                *kept = (*kept).max(*gone);
            }
            log.copy_from_slice(&begins);
            write_mark(marked, mark);
        }
        if full(log) {
            return self.standing(false, log, now);
        }
        log.rotate_right(1);
        let newest = log.get(1).copied().unwrap_or_default();
        if let Some(first) = log.first_mut() {
            *first = now.max(newest);
        }
        self.standing(true, log, now)
    }

    /// Brings what counts to the front of a log, the newest first, and clears the rest; how many there are.
    fn settle(&self, log: &mut [u32], now: u32) -> usize {
        let live = |tick: u32| {
            tick != 0 && tick <= now.saturating_add(AHEAD_TICKS) && now <= tick.saturating_add(self.span_ticks)
        };
        let mut kept = 0;
        for index in 0..log.len() {
            let tick = log.get(index).copied().unwrap_or_default();
            if live(tick) {
                log.swap(kept, index);
                kept += 1;
            }
        }
        if let Some(rest) = log.get_mut(kept..) {
            rest.fill(0);
        }
        kept
    }

    fn standing(&self, taken: bool, log: &[u32], now: u32) -> Standing {
        let live = log.iter().take_while(|tick| **tick != 0).count();
        let oldest = log.iter().take_while(|tick| **tick != 0).last().copied().unwrap_or(now);
        // A hit counts up to and with its last tick; the next begins after that.
        let ticks = oldest.saturating_add(self.span_ticks).saturating_add(1).saturating_sub(now);
        Standing {
            taken,
            left: u32::try_from(self.limit.saturating_sub(live)).unwrap_or(u32::MAX),
            more_in: ticks.div_ceil(10).max(1),
        }
    }

    fn tick(&self, at: OffsetDateTime) -> u32 {
        let ticks = (at - self.began).whole_milliseconds() / TICK_MS + FIRST_TICK;
        u32::try_from(ticks.max(1)).unwrap_or(u32::MAX)
    }

    /// How many hits the table holds.
    #[cfg(test)]
    fn hits(&self) -> usize {
        SHARDS * self.sets_per_shard * WAYS * self.limit
    }

    /// How much memory it takes once everything of it was touched.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().capacity() * size_of::<u32>()).sum()
    }
}

/// Whether as many hits count as the log has room for.
fn full(log: &[u32]) -> bool {
    log.last().is_some_and(|oldest| *oldest != 0)
}

fn mark_of(words: &[u32]) -> u64 {
    words.iter().fold(0, |mark, word| mark << 32 | u64::from(*word))
}

fn write_mark(words: &mut [u32], mark: u64) {
    for (word, part) in words.iter_mut().zip([mark >> 32, mark & u64::from(u32::MAX)]) {
        *word = u32::try_from(part).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests;
