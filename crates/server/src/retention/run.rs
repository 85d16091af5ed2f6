//! The job `ledger.prune`: what is old goes, if nothing holds it and everybody agrees that it may.

use std::time::Duration as Limit;

use bailiwick_proof::log::Log;
use time::Duration;
use uuid::Uuid;

use super::model::State;
use super::sql;
use crate::authz::{Notary, PermissionSet};
use crate::clock::Clock;
use crate::db::{Db, DbError, OperationalPath, SystemTx, Unrecorded};
use crate::jobs::{Claimed, Done, Failure, InCell, Job, Policy};
use crate::ledger::{self, Cut, Ledger, LedgerError, Surveyed};
use crate::vault::{Alert, Vault};

const HOUR: Limit = Limit::from_secs(3_600);

/// Why nothing went, or not all.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The log cannot be read, numbered or signed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database failed: the next run goes on.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What prunes.
#[derive(Clone)]
pub struct Pruner {
    /// The database.
    pub db: Db,
    /// The logs.
    pub ledger: Ledger,
    /// Vouches for settings.
    pub notary: Notary,
    /// Takes alerts.
    pub vault: Vault,
    /// One of the two clocks.
    pub clock: Clock,
}

impl Pruner {
    /// Prunes every log that has a setting, and answers how many entries went. One that fails keeps no other from it.
    ///
    /// # Errors
    /// The first failure, once all logs had their turn.
    pub async fn round(&self) -> Result<u64, PruneError> {
        let mut tx = self.db.system_tx(OperationalPath::PruneLedger).await?;
        let logs = sql::logs(&mut tx).await?;
        tx.finish_reading().await?;
        let (mut gone, mut failed) = (0, None);
        for log in logs {
            match self.prune(log).await {
                Ok(entries) => gone += entries,
                Err(error) => {
                    metrics::counter!("bailiwick_ledger_failures_total", "step" => "prune").increment(1);
                    tracing::error!(event = "ledger_failed", step = "prune", cause = %error);
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(gone), Err)
    }

    /// Ends what was begun before, and prunes a log if it is time; answers how many entries went.
    ///
    /// # Errors
    /// See [`PruneError`]: whoever calls again goes on.
    pub async fn prune(&self, log: Log) -> Result<u64, PruneError> {
        if let Some(cut) = ledger::unfinished(&self.ledger, log).await? {
            return self.finish(log, &cut).await;
        }
        let mut tx = self.db.system_tx(OperationalPath::PruneLedger).await?;
        let decided = self.decided(&mut tx, log).await?;
        tx.finish_reading().await?;
        let Some((state, before, _)) = decided else { return Ok(0) };
        let survey = match ledger::survey(&self.ledger, log, before).await? {
            Surveyed::Nothing => return Ok(0),
            Surveyed::Old(survey) => survey,
            Surveyed::Altered(damage) => {
                self.alert("retention_log_altered", "ledger_entries", log);
                tracing::error!(event = "retention.log_altered", seq = damage.seq, what = damage.what);
                return Ok(0);
            }
        };
        // A row that is vouched for may be an older one that was put back: the log knows the last.
        if ledger::newest_retention(&self.ledger, &self.notary, log).await? != u64::try_from(state.version).ok() {
            self.alert("retention_unvouched", "ledger_retention", log);
            return Ok(0);
        }
        let mut tx = self.db.system_tx(OperationalPath::PruneLedger).await?;
        let Some((_, _, days)) = self.decided(&mut tx, log).await?.filter(|(now, ..)| now.version == state.version)
        else {
            tx.finish_reading().await?;
            return Ok(0);
        };
        match ledger::cut(&mut tx, &self.ledger, log, &survey, days).await? {
            Some(recorded) => tx.commit(recorded).await?,
            None => tx.finish_reading().await?,
        }
        match ledger::unfinished(&self.ledger, log).await? {
            Some(cut) => self.finish(log, &cut).await,
            None => Ok(0),
        }
    }

    /// Deletes what is below a cut, once the log itself says so, for as long as nothing holds it and it is old by what is decided now.
    async fn finish(&self, log: Log, cut: &Cut) -> Result<u64, PruneError> {
        if !ledger::is_certified(&self.ledger, log, cut).await? {
            self.alert("retention_unvouched", "ledger_cuts", log);
            return Ok(0);
        }
        let told = ledger::told_retention(&self.ledger, &self.notary, log).await?;
        let mut gone = 0;
        loop {
            let mut tx = self.db.system_tx(OperationalPath::PruneLedger).await?;
            // Somebody may have decided since then that more is kept.
            let decided = self.decided(&mut tx, log).await?;
            let Some((state, ..)) = decided.filter(|(_, before, _)| cut.is_of_before(*before)) else {
                tx.finish_reading().await?;
                return Ok(gone);
            };
            if told.is_none_or(|told| u64::try_from(state.version).is_ok_and(|version| version < told)) {
                self.alert("retention_unvouched", "ledger_retention", log);
                tx.finish_reading().await?;
                return Ok(gone);
            }
            let (deleted, is_all) = ledger::delete_some(&mut tx, log, cut).await?;
            tx.commit_unrecorded(Unrecorded::Expired).await?;
            gone += deleted;
            metrics::counter!("bailiwick_ledger_pruned_entries_total").increment(deleted);
            if is_all {
                return Ok(gone);
            }
        }
    }

    /// What is decided of a log, before when its entries are old, and after how many days; `None` where all of it is kept.
    async fn decided(
        &self,
        tx: &mut SystemTx,
        log: Log,
    ) -> Result<Option<(State, time::OffsetDateTime, u16)>, PruneError> {
        let Some(state) = self.vouched(tx, log).await?.filter(|state| state.holds.is_empty()) else { return Ok(None) };
        let now = self.clock.now().min(sql::database_clock(tx).await?);
        let Some(days) = state.in_effect(now) else { return Ok(None) };
        Ok(now.checked_sub(Duration::days(days.into())).map(|before| (state, before, days)))
    }

    /// The log's row, locked; `None` where there is none, or nobody vouches for it.
    async fn vouched(&self, tx: &mut SystemTx, log: Log) -> Result<Option<State>, PruneError> {
        let Log::Workspace { workspace, environment } = log else { return Ok(None) };
        let Some((state, mac)) = sql::locked(tx, workspace, environment).await? else { return Ok(None) };
        if self.notary.vouches(&state.row(), &mac).await? {
            return Ok(Some(state));
        }
        self.alert("retention_unvouched", "ledger_retention", log);
        Ok(None)
    }

    fn alert(&self, what: &'static str, of: &'static str, log: Log) {
        let (workspace, row) = match log {
            Log::Workspace { workspace, environment } => (workspace.uuid(), environment.to_string()),
            Log::Cell => (Uuid::nil(), "cell".to_owned()),
        };
        self.vault.alerts().raise(Alert { what, of, workspace, row });
    }
}

/// The job `ledger.prune`.
pub struct PruneLogs(pub Pruner);

impl Job for PruneLogs {
    const KIND: &'static str = "ledger.prune";
    const POLICY: Policy = Policy { per_lane: 1, time_limit: HOUR, ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        match self.0.round().await {
            Ok(_) => Ok(claimed.done()),
            Err(PruneError::Db(error) | PruneError::Ledger(LedgerError::Db(error))) => Err(error.into()),
            Err(PruneError::Ledger(_)) => Err(Failure::again("ledger_failed")),
        }
    }
}
