//! Following what changes: register, poll, apply, publish.
//!
//! A poll reads the changes that its snapshot sees and the last published snapshot does not, from that one's `xmin` on: a
//! long writing transaction makes the next poll look at more rows, and hides none. Then the rows concerned are read, which
//! may be later than the snapshot, and put into memory; then the snapshot is published, and counts from then on. What was
//! not committed when the database crashed, and whose number comes again, is thus read whenever it comes.
//!
//! A poll also reads the node's own row, which nobody else writes. When it lacks the last sign of life, the database is
//! an older copy of the one that memory comes from, whatever the numbers of its transactions are by then.

use std::collections::HashSet;
use std::time::Duration;

use bailiwick_proof::id::Id;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::snapshot::Snapshot;
use super::{Feed, POLL, sql};
use crate::db::DbError;
use crate::supervise::supervise;

/// A sign of life at the latest after so long; at once when something was applied.
const PUBLISH: Duration = Duration::from_millis(500);
/// However often somebody asks, polls begin so far apart.
const APART: Duration = Duration::from_millis(4);
/// Past so many changes at once it costs less to read everything anew.
const MANY: usize = 20_000;
/// Rows that are read at once.
const PAGE: usize = 2_000;

/// Which database it is: another one may give the same numbers another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Incarnation {
    pub(super) system: i64,
    pub(super) timeline: i64,
}

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Change {
    pub(super) entity: String,
    pub(super) workspace: Uuid,
    pub(super) id: Uuid,
    pub(super) vanished: bool,
}

/// What a poll saw.
pub(super) struct Polled {
    pub(super) incarnation: Incarnation,
    pub(super) snapshot: Snapshot,
    /// Of the node's row, if it has one.
    pub(super) beat: Option<i64>,
    pub(super) changes: Vec<Change>,
    /// How long the oldest of the changes had stood there.
    pub(super) lag: Duration,
}

/// How far this node has come.
struct Position {
    incarnation: Incarnation,
    /// As the node's row tells it.
    applied: Snapshot,
    beat: i64,
    published: Instant,
    _loading: Loading,
}

/// The task that loads all keys, which ends with the position that it loads for.
struct Loading(AbortHandle);

impl Drop for Loading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why a node has to begin anew.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the database is another one, or older than it was")]
    Incarnation,
    #[error("too much has changed at once")]
    Many,
    #[error("the node was fenced")]
    Fenced,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Feed {
    pub(super) async fn follow(&self) {
        let mut position = None;
        let mut failing = false;
        loop {
            let began = Instant::now();
            match self.step(&mut position).await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!(event = "feed_follows_again");
                }
                Ok(()) => {}
                Err(Lost::Db(error)) => {
                    metrics::counter!("bailiwick_feed_failures_total").increment(1);
                    if !failing {
                        failing = true;
                        tracing::warn!(event = "feed_stopped", cause = %error);
                    }
                }
                Err(lost) => {
                    // At once: until everything has been read anew, memory decides nothing.
                    self.0.age.lose();
                    position = None;
                    metrics::counter!("bailiwick_feed_reloads_total").increment(1);
                    tracing::warn!(event = "feed_reload", cause = %lost);
                    continue;
                }
            }
            sleep_until(began + APART).await;
            tokio::select! {
                () = self.0.wake.notified() => {}
                () = sleep_until(began + POLL) => {}
            }
        }
    }

    async fn step(&self, position: &mut Option<Position>) -> Result<(), Lost> {
        match position {
            None => *position = Some(self.register().await?),
            Some(position) => self.advance(position).await?,
        }
        Ok(())
    }

    /// Makes the node known before it keeps anything: whoever waits for all nodes waits for it too, or has committed
    /// before anything is read here.
    async fn register(&self) -> Result<Position, Lost> {
        self.0.age.lose();
        let began = Instant::now();
        let (incarnation, applied, beat) = sql::register(&self.0.db, self.0.node).await?;
        self.0.keys.reset();
        self.0.people.reset();
        let feed = self.clone();
        let loading =
            Loading(tokio::spawn(async move { supervise("feed_load_keys", || feed.load_keys()).await }).abort_handle());
        self.heard(began);
        self.0.age.published(began);
        Ok(Position { incarnation, applied, beat, published: began, _loading: loading })
    }

    async fn advance(&self, position: &mut Position) -> Result<(), Lost> {
        let began = Instant::now();
        let polled = sql::poll(&self.0.db, self.0.node, &position.applied, MANY + 1).await?;
        let beat = polled.beat.ok_or(Lost::Fenced)?;
        if polled.incarnation != position.incarnation
            || polled.snapshot.is_before(&position.applied)
            || beat < position.beat
        {
            return Err(Lost::Incarnation);
        }
        // A higher one is a sign of life of which nobody could tell whether it was committed.
        position.beat = beat;
        if polled.changes.len() > MANY {
            return Err(Lost::Many);
        }
        let changed = !polled.changes.is_empty();
        if changed {
            self.apply(&polled.changes).await?;
            metrics::counter!("bailiwick_feed_changes_total").increment(polled.changes.len() as u64);
            metrics::histogram!("bailiwick_feed_lag_seconds").record(polled.lag);
        }
        self.heard(began);
        if changed || position.published.elapsed() >= PUBLISH {
            let began = Instant::now();
            if !sql::publish(&self.0.db, self.0.node, beat, &polled.snapshot).await? {
                return Err(Lost::Fenced);
            }
            (position.applied, position.beat, position.published) = (polled.snapshot, beat + 1, began);
            self.0.age.published(began);
        }
        Ok(())
    }

    fn heard(&self, began: Instant) {
        self.0.age.polled(began);
        self.0.polled.send_replace(Some(began));
    }

    /// Puts the present state of whatever was changed into memory.
    async fn apply(&self, changes: &[Change]) -> Result<(), DbError> {
        let (keys, people) = (&self.0.keys, &self.0.people);
        let (mut changed_keys, mut changed_workspaces) = (HashSet::new(), HashSet::new());
        for change in changes {
            match change.entity.as_str() {
                "api_key" => {
                    if change.vanished {
                        keys.vanish(Id::from_uuid(change.id));
                    }
                    changed_keys.insert((change.workspace, change.id));
                }
                "workspace" => {
                    people.workspace_changed();
                    changed_workspaces.insert(change.id);
                }
                "membership" => people.membership_changed(Id::from_uuid(change.id)),
                "session" => people.session_changed(Id::from_uuid(change.id)),
                "user" => people.user_changed(Id::from_uuid(change.id)),
                other => tracing::error!(event = "feed_unknown_entity", entity = other),
            }
        }
        let changed_keys: Vec<_> = changed_keys.into_iter().collect();
        for page in changed_keys.chunks(PAGE) {
            let begun = keys.begin();
            let mut gone: HashSet<Uuid> = page.iter().map(|(_, id)| *id).collect();
            for row in sql::keys_by_id(&self.0.db, &self.0.notary, page).await? {
                gone.remove(&row.facts.id.uuid());
                keys.keep(begun, row);
            }
            // Not there any more, or vouched for by nobody.
            gone.into_iter().for_each(|id| keys.vanish(Id::from_uuid(id)));
        }
        let changed_workspaces: Vec<_> = changed_workspaces.into_iter().collect();
        for page in changed_workspaces.chunks(PAGE) {
            for (workspace, slug) in sql::slugs(&self.0.db, page).await? {
                keys.rename(workspace, &slug);
            }
        }
        Ok(())
    }

    /// Reads all keys, page by page; until it is through, the database answers for those that are not here yet.
    async fn load_keys(&self) {
        loop {
            match self.load_keys_once().await {
                Ok(()) => return,
                Err(error) => tracing::warn!(event = "feed_keys_unread", cause = %error),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn load_keys_once(&self) -> Result<(), DbError> {
        let keys = &self.0.keys;
        loop {
            let all = keys.begin_all();
            let mut after = (Uuid::nil(), Uuid::nil());
            let whole = loop {
                let begun = keys.begin();
                let (page, last) = sql::keys_after(&self.0.db, &self.0.notary, after, PAGE).await?;
                let Some(last) = last else { break true };
                after = last;
                if !page.into_iter().all(|row| keys.keep(begun, row)) {
                    break false;
                }
            };
            // Otherwise something vanished while a page was read: what was not kept is read again.
            if whole {
                keys.completed(all);
                tracing::info!(event = "feed_keys_loaded", keys = keys.count());
                return Ok(());
            }
        }
    }
}
