//! When keys were last used: collected here, written down together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bailiwick_proof::id::ApiKeyId;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use super::{Feed, sql};
use crate::authz::KeyFacts;
use crate::db::DbError;

const WRITTEN_EVERY: Duration = Duration::from_secs(2);
/// Keys in one statement.
const BATCH: usize = 5_000;

/// A key's last use.
#[derive(Clone, Copy)]
pub(super) struct Use {
    pub(super) key: ApiKeyId,
    pub(super) workspace: uuid::Uuid,
    pub(super) environment: &'static str,
    pub(super) project: Option<uuid::Uuid>,
    pub(super) at: OffsetDateTime,
}

/// Uses that are not written down yet, and who answered the questions.
#[derive(Default)]
pub(super) struct Uses {
    pending: Mutex<HashMap<ApiKeyId, Use>>,
    pub(super) asked: Asked,
}

/// How often whom was asked about a key.
#[derive(Default)]
pub(super) struct Asked {
    memory: AtomicU64,
    poll: AtomicU64,
    database: AtomicU64,
}

impl Asked {
    pub(super) fn memory(&self) {
        self.memory.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn poll(&self) {
        self.poll.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn database(&self) {
        self.database.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts the counts into the metrics. Counted here first, for a counter with a label costs more than the answer.
    pub(super) fn measure(&self) {
        for (from, count) in [("memory", &self.memory), ("poll", &self.poll), ("database", &self.database)] {
            metrics::counter!("bailiwick_feed_key_lookups_total", "from" => from)
                .absolute(count.load(Ordering::Relaxed));
        }
    }
}

impl Uses {
    pub(super) fn note(&self, key: &KeyFacts, at: OffsetDateTime) {
        let noted = Use {
            key: key.id,
            workspace: key.workspace.uuid(),
            environment: key.environment.as_str(),
            project: key.project.project().map(bailiwick_proof::id::Id::uuid),
            at,
        };
        self.put(noted);
    }

    fn put(&self, noted: Use) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pending.entry(noted.key).or_insert(noted);
        known.at = known.at.max(noted.at);
    }

    fn take(&self) -> Vec<Use> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut uses: Vec<Use> = std::mem::take(&mut *pending).into_values().collect();
        // Nodes that write at once lock rows in one order.
        uses.sort_unstable_by_key(|used| (used.workspace, used.key.uuid()));
        uses
    }
}

impl Feed {
    pub(super) async fn write_uses(&self) {
        let mut rounds = interval(WRITTEN_EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            if let Err(error) = self.write_uses_once().await {
                tracing::debug!(event = "key_uses_wait", cause = %error);
            }
        }
    }

    /// What cannot be written waits for the next time.
    pub(super) async fn write_uses_once(&self) -> Result<(), DbError> {
        let uses = self.0.uses.take();
        let mut batches = uses.chunks(BATCH);
        for batch in batches.by_ref() {
            if let Err(error) = sql::write_uses(&self.0.db, batch).await {
                batch.iter().chain(batches.flatten()).for_each(|used| self.0.uses.put(*used));
                return Err(error);
            }
        }
        Ok(())
    }
}
