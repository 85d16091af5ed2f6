//! Waiting until every node knows.
//!
//! A node's row tells the snapshot that it has applied. Whoever waits takes the snapshot that sees their commit, and waits
//! until the rows of all nodes that are there cover it. A node that gives no sign of life for longer than it may go on
//! deciding by memory is *fenced*: its row is removed, on the condition that it is still silent. What such a node had
//! under way finds no row, so it reads everything anew before it decides again. The silence is measured by the
//! monotonic clock of whoever observes it: no node's wall clock takes part, nor the database's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::snapshot::Snapshot;
use super::{Feed, STALE_AFTER, sql};
use crate::db::{DbError, Xid};

/// So much longer than [`STALE_AFTER`] a node is silent before it is fenced: for clocks that do not run alike.
const MARGIN: Duration = Duration::from_millis(100);
/// Rows of nodes that have been silent for so long go, whether somebody waits or not.
const DEAD_AFTER: Duration = Duration::from_secs(60);
/// How often the rows are read while somebody waits, at first and then, and otherwise.
const LOOKS: [Duration; 4] =
    [Duration::from_millis(3), Duration::from_millis(6), Duration::from_millis(12), Duration::from_millis(25)];
const IDLE_LOOK: Duration = Duration::from_millis(500);
/// Past that it is not a node that keeps one waiting, but the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was changed is committed, and nobody can tell whether every node knows.
#[derive(Debug, thiserror::Error)]
#[error("not every node has confirmed the change")]
pub struct Unconfirmed;

/// A node, as its row tells.
pub(super) struct NodeRow {
    pub(super) node: Uuid,
    pub(super) applied: Snapshot,
    pub(super) beat: i64,
}

/// What was read at once, and when reading began.
struct Round {
    began: Instant,
    snapshot: Snapshot,
    nodes: Vec<NodeRow>,
}

/// Reads the rows for all who wait.
#[derive(Default)]
pub(super) struct Rounds {
    latest: watch::Sender<Option<Arc<Round>>>,
    asked: Notify,
    waiting: AtomicUsize,
}

/// Somebody who waits.
struct Waiting<'a>(&'a Rounds);

impl<'a> Waiting<'a> {
    fn on(rounds: &'a Rounds) -> Self {
        rounds.waiting.fetch_add(1, Ordering::AcqRel);
        rounds.asked.notify_one();
        Self(rounds)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Feed {
    /// Resolves when no node decides by what was true before a change. Of a change whose transaction is named, and has
    /// committed, a node knows as soon as it has applied that one; without a name, whatever was committed before this call
    /// has to be known, for which a node's next sign of life has to be waited for.
    ///
    /// # Errors
    /// [`Unconfirmed`] when the database does not say so within some seconds. The change is committed all the same; to ask
    /// again is to wait again.
    pub async fn barrier(&self, change: Option<Xid>) -> Result<(), Unconfirmed> {
        let began = Instant::now();
        self.0.wake.notify_one();
        let passed = timeout(PATIENCE, self.wait_for_all(began, change)).await;
        metrics::histogram!("bailiwick_feed_barrier_seconds").record(began.elapsed());
        passed.map_err(|_| {
            metrics::counter!("bailiwick_feed_unconfirmed_total").increment(1);
            tracing::warn!(event = "revocation_unconfirmed");
            Unconfirmed
        })
    }

    async fn wait_for_all(&self, began: Instant, change: Option<Xid>) {
        let rounds = &self.0.rounds;
        let _waiting = Waiting::on(rounds);
        let mut latest = rounds.latest.subscribe();
        // The first reading that began after the commit sees it, and every node that may decide without it.
        let mut awaited: Option<(Arc<Round>, Vec<Uuid>)> = None;
        loop {
            let round = latest.borrow_and_update().clone().filter(|round| round.began >= began);
            if let Some(round) = round {
                let (first, behind) = awaited.get_or_insert_with(|| {
                    let all = round.nodes.iter().map(|row| row.node).collect();
                    (round.clone(), all)
                });
                let is_behind = |row: &NodeRow| match change {
                    Some(xid) => !row.applied.sees(xid.get()),
                    None => !row.applied.covers(&first.snapshot),
                };
                behind.retain(|node| round.nodes.iter().any(|row| row.node == *node && is_behind(row)));
                if behind.is_empty() {
                    return;
                }
            }
            // The sender lives as long as we do.
            if latest.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Observes the nodes for whoever is none and waits for all of them: a command. Never resolves.
    pub async fn watch_others(&self) {
        self.observe().await;
    }

    /// Reads the rows of all nodes, often while somebody waits; fences those that are silent.
    pub(super) async fn observe(&self) {
        let rounds = &self.0.rounds;
        let mut beats = HashMap::new();
        let mut looks = LOOKS.iter();
        loop {
            match self.look(&mut beats).await {
                Ok(round) => {
                    metrics::gauge!("bailiwick_feed_nodes")
                        .set(f64::from(u32::try_from(round.nodes.len()).unwrap_or(u32::MAX)));
                    rounds.latest.send_replace(Some(Arc::new(round)));
                }
                Err(error) => tracing::debug!(event = "feed_nodes_unread", cause = %error),
            }
            if rounds.waiting.load(Ordering::Acquire) > 0 {
                let [.., longest] = &LOOKS;
                sleep(*looks.next().unwrap_or(longest)).await;
            } else {
                looks = LOOKS.iter();
                tokio::select! {
                    () = rounds.asked.notified() => {}
                    () = sleep(IDLE_LOOK) => {}
                }
            }
        }
    }

    /// `beats` holds, for each node, its last beat and since when it stands.
    async fn look(&self, beats: &mut HashMap<Uuid, (i64, Instant)>) -> Result<Round, DbError> {
        let began = Instant::now();
        let (snapshot, mut nodes) = sql::nodes(&self.0.db).await?;
        let read = Instant::now();
        beats.retain(|node, _| nodes.iter().any(|row| row.node == *node));
        let somebody_waits = self.0.rounds.waiting.load(Ordering::Acquire) > 0;
        let patience = if somebody_waits { STALE_AFTER + MARGIN } else { DEAD_AFTER };
        for row in &nodes {
            let (beat, since) = beats.entry(row.node).or_insert((row.beat, read));
            if *beat != row.beat {
                (*beat, *since) = (row.beat, read);
            } else if began.saturating_duration_since(*since) > patience
                && sql::fence(&self.0.db, row.node, row.beat).await?
            {
                tracing::warn!(event = "node_fenced", node_id = %row.node);
                metrics::counter!("bailiwick_feed_fenced_total").increment(1);
                beats.remove(&row.node);
            }
        }
        nodes.retain(|row| beats.contains_key(&row.node));
        Ok(Round { began, snapshot, nodes })
    }
}
