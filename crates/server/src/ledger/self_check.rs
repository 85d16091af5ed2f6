//! The check of every log against everything that vouches for it, by the server itself and day by day: what it finds altered
//! is frozen in the anchor store, and told of.
//!
//! # Invariants
//! - A log is frozen only if two looks, each at one moment of the database, found it altered.
//! - A freeze ends by an operator's word alone ([`unfreeze`]), and not while a log of that workspace is altered.

use bailiwick_proof::log::{Log, Origin};
use uuid::Uuid;

use super::cell::Ledger;
use super::check::{Damage, Journaled, LogReport, check_log, origins};
use super::error::LedgerError;
use super::stage::OPERATOR;
use super::{Action, Entry, place, stage_in_cell};
use crate::anchor::{Freeze, Frozen, JournalError};
use crate::context::RequestContext;
use crate::db::OperationalPath;
use crate::vault::Alert;

/// What a round found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Logs that were looked at.
    pub logs: u64,
    /// Logs that are not what was recorded.
    pub altered: u64,
}

/// What became of the wish to have a workspace's logs signed again.
#[derive(Clone, Debug)]
pub enum Unfrozen {
    /// They are.
    Done,
    /// They were not frozen.
    WasNot,
    /// A log of the workspace is altered still.
    StillAltered(Vec<LogReport>),
}

/// Checks every log, and freezes the workspaces of those that are altered. One that cannot be checked keeps no other from it, and is
/// an alert.
///
/// # Errors
/// [`LedgerError`] when the database or the anchor store does not serve; what was frozen until then is. The first failure of a log, once
/// all had their turn.
pub async fn self_check(ledger: &Ledger) -> Result<Checked, LedgerError> {
    let (mut checked, mut failed) = (Checked::default(), None);
    let journal = journaled(ledger);
    for origin in every_origin(ledger, &journal).await? {
        checked.logs += 1;
        match altered(ledger, &origin, &journal).await {
            Ok(None) => {}
            Ok(Some(damage)) => {
                checked.altered += 1;
                freeze(ledger, &origin, &damage).await?;
            }
            Err(error @ LedgerError::Db(_)) => return Err(error),
            Err(error) => {
                tracing::error!(event = "ledger_unchecked", %origin, cause = %error);
                let workspace = place::columns(origin.log()).0;
                let row = format!("{origin}: {error}");
                ledger.vault().alerts().raise(Alert { what: "ledger_unchecked", of: "ledger_entries", workspace, row });
                failed.get_or_insert(error);
            }
        }
    }
    let count = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    metrics::gauge!("bailiwick_ledger_altered_logs").set(count(checked.altered));
    metrics::counter!("bailiwick_ledger_self_checks_total").increment(1);
    tracing::info!(event = "ledger_checked", logs = checked.logs, altered = checked.altered);
    failed.map_or(Ok(checked), Err)
}

/// Whose logs are frozen, and why.
///
/// # Errors
/// [`LedgerError::Journal`].
pub async fn frozen(ledger: &Ledger) -> Result<Frozen, LedgerError> {
    Ok(ledger.freezes().read().await.map_err(JournalError::from)?)
}

/// Has a workspace's logs signed again, or the cell's own for the nil uuid, if none of them is altered.
///
/// # Errors
/// See [`LedgerError`].
pub async fn unfreeze(ledger: &Ledger, workspace: Uuid) -> Result<Unfrozen, LedgerError> {
    if !frozen(ledger).await?.contains_key(&workspace) {
        return Ok(Unfrozen::WasNot);
    }
    let (mut bad, journal) = (Vec::new(), journaled(ledger));
    for origin in every_origin(ledger, &journal).await? {
        if place::columns(origin.log()).0 == workspace {
            let report = look(ledger, &origin, &journal).await?;
            bad.extend(Some(report).filter(|report| !report.damages.is_empty()));
        }
    }
    if !bad.is_empty() {
        return Ok(Unfrozen::StillAltered(bad));
    }
    // The entry first: whoever is killed between has said what was about to be done, and says it again.
    let context = RequestContext::internal(ledger.clock(), ledger.entropy());
    let of = if workspace.is_nil() { "cell".to_owned() } else { workspace.to_string() };
    let mut tx = ledger.db().system_tx(OperationalPath::UnfreezeLedger).await?;
    let entry = Entry::about(Action::LedgerUnfrozen, &of);
    let recorded = stage_in_cell(&mut tx, ledger.entropy(), &context, OPERATOR, &entry).await?;
    tx.commit(recorded).await?;
    ledger.freezes().thaw(workspace).await.map_err(JournalError::from)?;
    Ok(Unfrozen::Done)
}

async fn every_origin(ledger: &Ledger, journal: &Journaled) -> Result<Vec<Origin>, LedgerError> {
    Ok(origins(ledger.db(), Some(journal), ledger.name()).await?.0)
}

/// Read once for a round: what it says of a log holds for as long as the log only grows.
fn journaled(ledger: &Ledger) -> Journaled {
    ledger.journal().heads().into_iter().collect()
}

async fn look(ledger: &Ledger, origin: &Origin, journal: &Journaled) -> Result<LogReport, LedgerError> {
    check_log(ledger.db(), origin, Some(journal), ledger.name(), Some(ledger.vault())).await
}

/// What is wrong with a log in two looks.
async fn altered(ledger: &Ledger, origin: &Origin, journal: &Journaled) -> Result<Option<Damage>, LedgerError> {
    if look(ledger, origin, journal).await?.damages.is_empty() {
        return Ok(None);
    }
    Ok(look(ledger, origin, journal).await?.damages.into_iter().next())
}

async fn freeze(ledger: &Ledger, origin: &Origin, damage: &Damage) -> Result<(), LedgerError> {
    let workspace = match origin.log() {
        Log::Cell => Uuid::nil(),
        Log::Workspace { workspace, .. } => workspace.uuid(),
    };
    let now = ledger.clock().now();
    let at = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let freeze = Freeze { workspace, at, origin: origin.to_string(), what: damage.what.clone() };
    let is_new = ledger.freezes().freeze(&freeze).await.map_err(JournalError::from)?;
    metrics::counter!("bailiwick_ledger_mismatches_total").increment(1);
    tracing::error!(event = "ledger_altered", %origin, seq = damage.seq, what = damage.what, is_new);
    let seq = damage.seq.map_or_else(|| "unknown".to_owned(), |seq| seq.to_string());
    ledger.vault().alerts().raise(Alert {
        what: "ledger_altered",
        of: "ledger_entries",
        workspace,
        row: format!("{origin} seq {seq}: {}", damage.what),
    });
    Ok(())
}
