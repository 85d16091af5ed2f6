//! Who read openings: an entry before the first byte (decision 30).
//!
//! # Invariants
//! - No entry, no bytes: what opens is answered after the commit of an entry that says who reads it.
//! - Whoever looks at events leaves one `audit.read` an hour in the log that they look at; it says which hour. That it is
//!   there, a node believes its own memory alone: no row that somebody writes keeps an entry away. So there may be one for
//!   each node, and one more after a restart; never none.
//! - A receipt that opens something leaves an entry of its own, for it is made to be passed on.
//! - What opens nothing leaves nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bailiwick_proof::commitment::Field;
use bailiwick_proof::id::EventId;
use bailiwick_proof::log::Log;
use serde_json::json;

use super::model::Row;
use super::ops::log_of;
use crate::authz::{Granted, may};
use crate::db::{Authority as _, Db, DbError};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};

/// So many readers are remembered; beyond that all are forgotten, and leave an entry more.
const MOST_READERS: usize = 50_000;
const HOUR_MS: i64 = 3_600_000;

/// The reader, as the ledger writes it, and where.
type Reader = (Log, String);
/// The hour, since the epoch, whose entry is committed; held while one is written, so that many at once leave one.
type Hour = Arc<tokio::sync::Mutex<Option<i64>>>;

/// Records who reads. Cheap to clone.
#[derive(Clone)]
pub struct Readings {
    pub(super) db: Db,
    entropy: Entropy,
    readers: Arc<Mutex<HashMap<Reader, Hour>>>,
}

impl Readings {
    /// That remembers nobody yet.
    #[must_use]
    pub fn new(db: Db, entropy: Entropy) -> Self {
        Self { db, entropy, readers: Arc::default() }
    }

    /// Before the details of an event are answered.
    ///
    /// # Errors
    /// When the entry is not committed: then nothing is to be answered.
    pub(super) async fn of_event(&self, granted: &Granted<may::ReadAudit>, row: &Row) -> Result<(), DbError> {
        if row.stored.openings.is_empty() {
            return Ok(());
        }
        let hour = hour_of(granted);
        let of_reader = self.reader(granted);
        let mut recorded = of_reader.lock().await;
        if *recorded == Some(hour) {
            return Ok(());
        }
        let meta = json!({ "from_ms": hour * HOUR_MS, "to_ms": (hour + 1) * HOUR_MS });
        self.record(granted, Entry::about(Action::AuditRead, granted.workspace()).with(meta)).await?;
        *recorded = Some(hour);
        Ok(())
    }

    /// Before a receipt is answered that opens these fields.
    ///
    /// # Errors
    /// As [`Self::of_event`].
    pub(super) async fn of_receipt(
        &self,
        granted: &Granted<may::ReadAudit>,
        (event, row): (EventId, &Row),
        open: &[Field],
    ) -> Result<(), DbError> {
        let opened = |field: &Field| open.contains(field) && row.stored.openings.contains_key(field);
        let fields: Vec<&str> = Field::ALL.into_iter().filter(opened).map(Field::as_str).collect();
        if fields.is_empty() {
            return Ok(());
        }
        let entry = Entry::about(Action::ReceiptOpened, event).within(row.project).with(json!({ "fields": fields }));
        self.record(granted, entry).await
    }

    async fn record(&self, granted: &Granted<may::ReadAudit>, entry: Entry) -> Result<(), DbError> {
        let mut tx = self.db.workspace_tx(granted).await?;
        let recorded = ledger::stage(&mut tx, &self.entropy, entry);
        tx.commit(recorded).await
    }

    fn reader(&self, granted: &Granted<may::ReadAudit>) -> Hour {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() >= MOST_READERS {
            readers.clear();
        }
        readers.entry((log_of(granted), granted.actor())).or_default().clone()
    }
}

fn hour_of(granted: &Granted<may::ReadAudit>) -> i64 {
    granted.context().received_at.unix_timestamp().div_euclid(HOUR_MS / 1_000)
}
