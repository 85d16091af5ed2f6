//! What every node knows: keys, sessions and memberships in memory, kept current by what changed in the database.
//!
//! `docs/explanation/feed.md` argues why nothing is missed; here is where each piece stands.
//!
//! # Invariants
//! - Memory decides only while the node is fresh: its last good poll and its last published sign of life both began less
//!   than [`STALE_AFTER`] ago by its own monotonic clock. A node that is not asks the database for each credential.
//! - What a poll's snapshot sees is in memory before the node publishes that snapshot.
//! - [`Feed::barrier`] resolves once every node has published a snapshot that sees what was committed before, or has been
//!   fenced: its row is gone, so nothing that it had under way makes it fresh again before it has read everything anew.
//! - Nothing is in memory that nobody vouches for: a row without a good MAC is as if it were gone.
//! - Of two states of a key the one with the higher version stays. What was read before memory forgot something is not
//!   kept (see `keys` and `people`).

mod age;
mod barrier;
mod bounded;
mod follow;
mod keys;
mod lookup;
mod people;
mod snapshot;
mod sql;
mod uses;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use age::Age;
use barrier::Rounds;
use keys::Keys;
use people::People;
use uses::Uses;

pub use barrier::Unconfirmed;
pub use lookup::KeyState;

use crate::authz::Notary;
use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::entropy::Entropy;
use crate::supervise::supervise;

/// As in `migrations/0004_feed.sql`. A call carries nothing and may be lost: the feed looks regularly all the same.
const CHANNEL: &str = "bailiwick_feed";
/// A node that has not heard from the database for so long decides nothing by memory.
pub const STALE_AFTER: Duration = Duration::from_millis(1_800);
/// Changes are told at once; whoever missed the call looks so often.
const POLL: Duration = Duration::from_millis(250);
/// The most questions about keys that a stale node has under way; who comes then is told at once that nobody can tell.
const ASKING: usize = 64;
/// After the listening connection broke, so long until the next try, doubled up to the latter.
const LISTEN_AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// This node's memory, and its place among the others. Cheap to clone.
#[derive(Clone)]
pub struct Feed(Arc<Inner>);

struct Inner {
    db: Db,
    notary: Notary,
    node: Uuid,
    age: Age,
    keys: Keys,
    people: People,
    uses: Uses,
    /// Places for questions that a stale node asks of the database.
    asking: Semaphore,
    rounds: Rounds,
    /// Asks for a poll now.
    wake: Notify,
    /// When the last good poll began.
    polled: watch::Sender<Option<Instant>>,
}

impl Feed {
    /// A node that knows nothing yet.
    #[must_use]
    pub fn new(db: Db, notary: Notary, clock: &Clock, entropy: &Entropy) -> Self {
        let node = entropy.uuid_v7(clock.now());
        Self(Arc::new(Inner {
            db,
            notary,
            node,
            age: Age::default(),
            keys: Keys::default(),
            people: People::default(),
            uses: Uses::default(),
            asking: Semaphore::new(ASKING),
            rounds: Rounds::default(),
            wake: Notify::new(),
            polled: watch::Sender::new(None),
        }))
    }

    /// Follows, listens, observes the other nodes and writes down uses of keys, until it is dropped.
    pub async fn run(&self) {
        tokio::join!(
            supervise("feed_follow", || self.follow()),
            supervise("feed_listen", || self.listen()),
            supervise("feed_observe", || self.observe()),
            supervise("feed_write_uses", || self.write_uses()),
        );
    }

    /// After the node has stopped serving: what is left of the uses of keys, and the node's row.
    pub async fn leave(&self) {
        if let Err(error) = self.write_uses_once().await {
            tracing::warn!(event = "key_uses_lost", cause = %error);
        }
        if let Err(error) = sql::leave(&self.0.db, self.0.node).await {
            tracing::warn!(event = "feed_leave_failed", cause = %error);
        }
    }

    /// Whether memory decides.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.0.age.is_fresh(Instant::now())
    }

    /// Whether every key of the cell is in memory, so that the database is asked about none.
    #[must_use]
    pub fn has_all_keys(&self) -> bool {
        self.is_fresh() && self.0.keys.are_complete()
    }

    /// Puts the moment's figures into the metrics.
    pub fn measure(&self) {
        // A node that has never polled is as old as can be.
        let age = self.0.age.at(Instant::now()).map_or(f64::INFINITY, |age| age.as_secs_f64());
        metrics::gauge!("bailiwick_feed_age_seconds").set(age);
        let keys = u32::try_from(self.0.keys.count()).unwrap_or(u32::MAX);
        metrics::gauge!("bailiwick_feed_keys").set(f64::from(keys));
        self.0.uses.asked.measure();
    }

    /// Waits until a poll that began after this call has been applied; false when none comes in time.
    async fn catch_up(&self) -> bool {
        let asked = Instant::now();
        let mut polled = self.0.polled.subscribe();
        let caught_up = async {
            loop {
                self.0.wake.notify_one();
                if polled.borrow_and_update().is_some_and(|began| began >= asked) {
                    return true;
                }
                if polled.changed().await.is_err() {
                    return false;
                }
            }
        };
        tokio::time::timeout(STALE_AFTER, caught_up).await.unwrap_or(false)
    }

    /// Wakes the node when something was changed anywhere.
    async fn listen(&self) {
        let mut again = LISTEN_AGAIN.0;
        loop {
            match self.hear(&mut again).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(event = "feed_listener_lost", cause = %error),
            }
            sleep(again).await;
            again = (again * 2).min(LISTEN_AGAIN.1);
        }
    }

    /// Ends without an error only where nobody can listen.
    async fn hear(&self, again: &mut Duration) -> Result<(), DbError> {
        let Some(mut calls) = self.0.db.listen(CHANNEL).await? else { return Ok(()) };
        loop {
            // Also at the beginning, and when the connection was lost: calls may have been missed.
            self.0.wake.notify_one();
            *again = LISTEN_AGAIN.0;
            calls.next().await?;
        }
    }
}
