//! Write down, list, resolve.

use std::time::Duration;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::Id;
use bailiwick_proof::log::Log;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::sql;
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, Unrecorded};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry, OPERATOR};
use crate::vault::{Alert, Alerts};

/// After a failure so long until the next try.
const AGAIN: Duration = Duration::from_secs(1);
/// So many characters of what tells which row.
const ROW_CHARS: usize = 300;

/// A finding, as it is shown.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AlertView {
    /// By which it is resolved.
    pub id: Uuid,
    /// What is wrong, a word.
    pub what: String,
    /// Of what: a table, or a label of the vault's.
    pub of: String,
    /// Whose; `None` for the cell's.
    pub workspace: Option<Uuid>,
    /// Which row.
    pub row: String,
    /// When it was found first.
    #[serde(with = "time::serde::rfc3339")]
    pub first_seen_at: OffsetDateTime,
    /// When it was found last.
    #[serde(with = "time::serde::rfc3339")]
    pub last_seen_at: OffsetDateTime,
    /// How often it was found.
    pub seen: i64,
    /// When somebody had seen to it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub resolved_at: Option<OffsetDateTime>,
}

/// Writes findings down as they are raised, until it is dropped.
pub async fn keep(db: Db, alerts: Alerts, clock: Clock, entropy: Entropy) {
    loop {
        let mut waiting = alerts.take().await;
        while let Some(alert) = waiting.first() {
            if let Err(error) = write(&db, &clock, &entropy, alert).await {
                tracing::warn!(event = "alerts_unwritten", count = waiting.len(), cause = %error);
                alerts.give_back(std::mem::take(&mut waiting));
                tokio::time::sleep(AGAIN).await;
            } else {
                waiting.remove(0);
            }
        }
    }
}

async fn write(db: &Db, clock: &Clock, entropy: &Entropy, alert: &Alert) -> Result<(), DbError> {
    let context = RequestContext::internal(clock, entropy);
    let now = context.received_at;
    let row: String = alert.row.chars().take(ROW_CHARS).collect();
    let mut tx = db.system_tx(OperationalPath::RaiseAlerts).await?;
    if !sql::upsert(&mut tx, entropy.uuid_v7(now), alert, &row, now).await? {
        return tx.commit_unrecorded(Unrecorded::Found).await;
    }
    let entry = || Entry::about(Action::AlertRaised, "").with(json!({"what": alert.what, "of": alert.of, "row": row}));
    if !alert.workspace.is_nil() && sql::workspace_is_there(&mut tx, alert.workspace).await? {
        let (workspace, environment) = (Id::from_uuid(alert.workspace), Environment::Live);
        let log = Log::Workspace { workspace, environment };
        drop(ledger::stage_by_system(&mut tx, entropy, &context, log, &entry()).await?);
    }
    let recorded = ledger::stage_by_system(&mut tx, entropy, &context, Log::Cell, &entry()).await?;
    tx.commit(recorded).await
}

/// Findings, the newest first; those that are resolved too, if they are wanted.
///
/// # Errors
/// [`DbError`].
pub async fn list(db: &Db, resolved_too: bool) -> Result<Vec<AlertView>, DbError> {
    let mut tx = db.system_tx(OperationalPath::RaiseAlerts).await?;
    let alerts = sql::list(&mut tx, resolved_too).await?;
    tx.finish_reading().await?;
    Ok(alerts)
}

/// Says that somebody has seen to a finding, or to all of them without an id; answers to how many. What is found again is
/// open again.
///
/// # Errors
/// [`DbError`].
pub async fn resolve(db: &Db, clock: &Clock, entropy: &Entropy, id: Option<Uuid>) -> Result<u64, DbError> {
    let context = RequestContext::internal(clock, entropy);
    let mut tx = db.system_tx(OperationalPath::RaiseAlerts).await?;
    let resolved = sql::resolve(&mut tx, id, context.received_at).await?;
    if resolved == 0 {
        tx.finish_reading().await?;
        return Ok(0);
    }
    let entry = Entry::about(Action::AlertResolved, "").with(json!({"alert": id, "count": resolved}));
    let recorded = ledger::stage_in_cell(&mut tx, entropy, &context, OPERATOR, &entry).await?;
    tx.commit(recorded).await?;
    Ok(resolved)
}
