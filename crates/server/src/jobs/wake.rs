//! Who is told that there is something to do: the workers of this process at once, those of other nodes by NOTIFY.
//!
//! A NOTIFY takes a lock of the whole instance at its commit, so a node sends one every [`PACE`] at most, with all lanes
//! that were enqueued to since. Whoever misses one looks by itself within a second.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::registry::Registry;
use super::sql;
use crate::db::{Db, DbError, OperationalPath, Unrecorded};

const CHANNEL: &str = "bailiwick_jobs";
const PACE: Duration = Duration::from_millis(50);
/// Lanes that are remembered one by one; PostgreSQL takes some 8,000 bytes, and a lane is written in about 70.
const LANES: usize = 100;
/// Before another attempt to listen.
const AGAIN: Duration = Duration::from_secs(5);

/// A workspace's jobs of one kind, first tries or retries. The nil uuid stands for the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane {
    pub(super) workspace: Uuid,
    pub(super) kind: &'static str,
    pub(super) retrying: bool,
}

/// Lanes with something new, and since when it is due; or that there are too many of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) lanes: BTreeMap<Lane, OffsetDateTime>,
    pub(super) and_others: bool,
}

impl News {
    fn add(&mut self, lane: Lane, due_at: OffsetDateTime) {
        let is_known = self.lanes.contains_key(&lane);
        if is_known || self.lanes.len() < LANES {
            let earliest = self.lanes.entry(lane).or_insert(due_at);
            *earliest = due_at.min(*earliest);
        } else {
            self.and_others = true;
        }
    }

    fn is_empty(&self) -> bool {
        self.lanes.is_empty() && !self.and_others
    }

    fn write(&self, node: Uuid) -> String {
        let mut text = node.simple().to_string();
        for (lane, due_at) in &self.lanes {
            let due_us = due_at.unix_timestamp_nanos() / 1_000;
            let _infallible = write!(text, " {}/{}/{due_us}", lane.workspace.simple(), lane.kind);
        }
        if self.and_others {
            text.push_str(" *");
        }
        text
    }

    /// What another node told; lanes of kinds that are not known here are somebody else's business.
    fn read(text: &str, own: Uuid, registry: &Registry) -> Option<Self> {
        let mut words = text.split(' ');
        let node: Uuid = words.next()?.parse().ok()?;
        let mut news = Self::default();
        for word in words.filter(|_| node != own) {
            let mut parts = word.split('/');
            let (Some(workspace), Some(kind), Some(due_us)) = (parts.next(), parts.next(), parts.next()) else {
                news.and_others = true;
                continue;
            };
            let due_at = OffsetDateTime::from_unix_timestamp_nanos(due_us.parse::<i128>().ok()? * 1_000).ok()?;
            if let Some(kind) = registry.name(kind) {
                news.add(Lane { workspace: workspace.parse().ok()?, kind, retrying: false }, due_at);
            }
        }
        Some(news)
    }
}

/// Shared by whoever enqueues and whoever works in a process.
#[derive(Debug, Default)]
pub(super) struct Wake {
    here: Mutex<News>,
    woken: Notify,
    abroad: Mutex<News>,
    to_tell: Notify,
}

impl Wake {
    /// After the commit of a transaction that enqueued.
    pub(super) fn enqueued(&self, lane: Lane, due_at: OffsetDateTime) {
        lock(&self.here).add(lane, due_at);
        self.woken.notify_one();
        lock(&self.abroad).add(lane, due_at);
        self.to_tell.notify_one();
    }

    /// Resolves when there are news for the workers of this process. One waits at a time.
    pub(super) async fn news(&self) -> News {
        loop {
            let news = std::mem::take(&mut *lock(&self.here));
            if !news.is_empty() {
                return news;
            }
            self.woken.notified().await;
        }
    }

    fn heard(&self, news: News) {
        let mut here = lock(&self.here);
        here.and_others |= news.and_others;
        for (lane, due_at) in news.lanes {
            here.add(lane, due_at);
        }
        self.woken.notify_one();
    }

    /// Tells other nodes, until it is dropped. What cannot be told they find out.
    pub(super) async fn keep_telling(&self, db: &Db, node: Uuid) {
        let mut next = Instant::now();
        loop {
            self.to_tell.notified().await;
            sleep_until(next).await;
            next = Instant::now() + PACE;
            let news = std::mem::take(&mut *lock(&self.abroad));
            if let Err(error) = tell(db, &news.write(node)).await {
                tracing::warn!(event = "jobs.not_told", cause = %error);
            }
        }
    }

    /// Hears other nodes, until it is dropped; never resolves where nobody can listen.
    pub(super) async fn keep_listening(&self, db: &Db, node: Uuid, registry: &Registry) {
        loop {
            match self.listen(db, node, registry).await {
                Ok(()) => pending().await,
                Err(error) => tracing::warn!(event = "jobs.not_listening", cause = %error),
            }
            sleep(AGAIN).await;
        }
    }

    async fn listen(&self, db: &Db, node: Uuid, registry: &Registry) -> Result<(), DbError> {
        let Some(mut listener) = db.listen(CHANNEL).await? else { return Ok(()) };
        loop {
            let told = listener.next().await?;
            let missed = News { and_others: true, ..News::default() };
            let news = told.map_or(Some(missed), |text| News::read(&text, node, registry));
            if let Some(news) = news.filter(|news| !news.is_empty()) {
                self.heard(news);
            }
        }
    }
}

async fn tell(db: &Db, text: &str) -> Result<(), DbError> {
    let mut tx = db.system_tx(OperationalPath::RunJobs).await?;
    sql::notify(&mut tx, CHANNEL, text).await?;
    tx.commit_unrecorded(Unrecorded::Queued).await
}

fn lock(news: &Mutex<News>) -> MutexGuard<'_, News> {
    // A panic elsewhere leaves them as they were: each change is one step.
    news.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For those who share it.
pub(super) type SharedWake = Arc<Wake>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::registry::tests::Nothing;

    #[test]
    fn what_is_told_is_what_is_heard() {
        let registry = Registry::default().with(Nothing);
        let (own, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let due_at = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let lane = |n: u128| Lane { workspace: Uuid::from_u128(n), kind: "test.nothing", retrying: false };
        let mut news = News::default();
        news.add(lane(7), due_at);
        news.add(lane(7), due_at + Duration::from_secs(1));
        assert_eq!(News::read(&news.write(other), own, &registry), Some(news));

        let mut many = News::default();
        (0..200).for_each(|n| many.add(lane(n), due_at));
        let text = many.write(other);
        assert!(text.len() < 8_000, "{}", text.len());
        assert_eq!(News::read(&text, own, &registry), Some(many));
        assert!(News::read(&text, other, &registry).unwrap().is_empty(), "one's own");

        let unknown = format!("{} {}/test.unknown/0", other.simple(), own.simple());
        assert!(News::read(&unknown, own, &registry).unwrap().is_empty());
        assert!(News::read(&format!("{} new words", other.simple()), own, &registry).unwrap().and_others);
        for nonsense in ["", "x", "x y/z", &format!("{} a/test.nothing/b", other.simple())] {
            assert_eq!(News::read(nonsense, own, &registry), None, "{nonsense}");
        }
    }
}
