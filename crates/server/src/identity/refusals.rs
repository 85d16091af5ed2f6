//! Sign-ins that came to nothing, counted: a flood of them is a few entries of the cell's log.
//!
//! # Invariants
//! - What is refused before anybody is known costs no row and no entry: it is counted in memory of a fixed size, by kind and by the network
//!   that it came from, coarsely.
//! - Each node leaves one `sign_in.refused` a minute at most, and none where nothing was refused. It stands in the cell's log: no tenant's log
//!   grows, and nobody's entries wait for it.
//! - What could not be written is counted on. A process that is killed loses what it has counted within its last minute.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bailiwick_proof::log::Log;
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};
use crate::networks::Network;

/// So long after the first of them an entry is left.
const WINDOW: Duration = Duration::from_secs(60);
/// So many networks are told apart for each kind; the others are one.
const MOST_NETWORKS: usize = 20;
/// The networks that are not told apart.
const OTHERS: &str = "others";

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// A link or code that signs nobody in.
    Proof,
    /// A link in another browser than the one that asked for it.
    OtherBrowser,
    /// A link or code, for there were too many.
    ProofLimited,
    /// The asking for a link, for there was too much of it.
    RequestLimited,
    /// A passkey that signs nobody in.
    Passkey,
    /// The asking for a challenge to a passkey, for there was too much of it.
    PasskeyLimited,
    /// The code of a device that nobody waits under.
    DeviceCode,
}

impl Refused {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Proof => "proof",
            Self::OtherBrowser => "other_browser",
            Self::ProofLimited => "proof_limited",
            Self::RequestLimited => "request_limited",
            Self::Passkey => "passkey",
            Self::PasskeyLimited => "passkey_limited",
            Self::DeviceCode => "device_code",
        }
    }
}

/// Counts. A clone counts with it.
#[derive(Clone)]
pub struct Refusals {
    db: Db,
    clock: Clock,
    entropy: Entropy,
    counted: Arc<Mutex<Counted>>,
    begun: Arc<Notify>,
}

#[derive(Default)]
struct Counted {
    since: Option<OffsetDateTime>,
    kinds: BTreeMap<Refused, BTreeMap<String, u64>>,
}

impl Counted {
    fn add(&mut self, what: Refused, network: String, count: u64) {
        let networks = self.kinds.entry(what).or_default();
        let has_room = networks.len() < MOST_NETWORKS || networks.contains_key(&network);
        *networks.entry(if has_room { network } else { OTHERS.to_owned() }).or_default() += count;
    }
}

impl Refusals {
    /// That has counted nothing yet.
    #[must_use]
    pub fn new(db: Db, clock: Clock, entropy: Entropy) -> Self {
        Self { db, clock, entropy, counted: Arc::default(), begun: Arc::default() }
    }

    /// Counts one.
    pub fn note(&self, what: Refused, context: &RequestContext) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.since.is_none() {
            counted.since = Some(context.received_at);
            self.begun.notify_one();
        }
        counted.add(what, context.client_ip.map_or_else(|| "unknown".to_owned(), network), 1);
    }

    /// Counts what was refused, and passes it on.
    ///
    /// # Errors
    /// Those that it was given.
    pub fn noting<T, E>(&self, what: Refused, context: &RequestContext, outcome: Result<T, E>) -> Result<T, E> {
        outcome.inspect_err(|_| self.note(what, context))
    }

    /// Leaves the entries, for as long as it is polled.
    pub async fn keep(&self) {
        loop {
            self.begun.notified().await;
            sleep(WINDOW).await;
            if let Err(error) = self.flush().await {
                tracing::warn!(event = "sign_in.refusals_not_recorded", cause = %error);
                self.begun.notify_one();
            }
        }
    }

    /// Leaves one entry of what was counted, if anything was.
    ///
    /// # Errors
    /// [`DbError`]: then it is counted on.
    pub async fn flush(&self) -> Result<(), DbError> {
        let taken = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(since) = taken.since else { return Ok(()) };
        let written = self.write(since, &taken).await;
        if written.is_err() {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            counted.since = Some(since);
            for (what, networks) in taken.kinds {
                networks.into_iter().for_each(|(network, count)| counted.add(what, network, count));
            }
        }
        written
    }

    async fn write(&self, since: OffsetDateTime, counted: &Counted) -> Result<(), DbError> {
        let context = RequestContext::internal(&self.clock, &self.entropy);
        let millis = |at: OffsetDateTime| i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        let total: u64 = counted.kinds.values().flat_map(BTreeMap::values).sum();
        let kinds: BTreeMap<&str, &BTreeMap<String, u64>> =
            counted.kinds.iter().map(|(what, networks)| (what.as_str(), networks)).collect();
        let meta = json!({
            "from_ms": millis(since), "to_ms": millis(context.received_at), "count": total, "by_network": kinds,
        });
        let entry = Entry::about(Action::SignInsRefused, "").with(meta);
        let mut tx = self.db.system_tx(OperationalPath::RedeemSignIn).await?;
        let recorded = ledger::stage_by_system(&mut tx, &self.entropy, &context, Log::Cell, &entry).await?;
        tx.commit(recorded).await
    }
}

/// The first 24 bits of an IPv4 address, the first 48 of an IPv6 address: more than one person.
fn network(address: IpAddr) -> String {
    Network::around(address, 24, 48).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_coarse_and_few() {
        for (address, expected) in [
            ("203.0.113.7", "203.0.113.0/24"),
            ("::ffff:203.0.113.7", "203.0.113.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ] {
            assert_eq!(network(address.parse().unwrap()), expected);
        }
        let mut counted = Counted::default();
        for n in 0..1_000_000_u32 {
            counted.add(Refused::Proof, network(IpAddr::V4(n.wrapping_mul(2_654_435_761).into())), 1);
        }
        let networks = &counted.kinds[&Refused::Proof];
        assert!(networks.len() == MOST_NETWORKS + 1 && networks.values().sum::<u64>() == 1_000_000, "{networks:?}");
        assert!(networks[OTHERS] > 900_000);
    }
}
