//! Saying how long a log is kept, opening a hold, releasing one: the row, the hold and the entry in one transaction.

use bailiwick_proof::id::{Id, LegalHoldId};
use bailiwick_proof::log::Log;
use serde_json::json;
use time::OffsetDateTime;

use super::model::{LegalHold, MOST_HOLDS, State};
use super::sql;
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::http::Changes;
use crate::ledger::{self, Action, Entry, Ledger, LedgerError};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChangeError {
    /// The row is not the one that was decided last.
    #[error("the row of the log's retention is not the one that was decided last")]
    Altered,
    /// There is no such hold, or it was released.
    #[error("there is no such open hold")]
    NoSuchHold,
    /// What was repeated is neither the hold's reason nor its id.
    #[error("what was repeated is not the hold")]
    OtherHold,
    /// As many are open as can be.
    #[error("{MOST_HOLDS} holds are open")]
    TooMany,
    /// The log cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Whoever changes the row of a log, which is locked.
pub(super) struct Changing<'a> {
    changes: &'a Changes,
    state: State,
    is_ours: bool,
    /// The later of two clocks: nothing takes effect early.
    now: OffsetDateTime,
}

impl<'a> Changing<'a> {
    /// Waits for whatever is being erased, locks the row and looks at it: somebody vouches for it, and it is the one that the log knows.
    pub(super) async fn begin(
        tx: &mut WorkspaceTx,
        changes: &'a Changes,
        ledger: &Ledger,
    ) -> Result<Self, ChangeError> {
        let workspace = tx.workspace();
        sql::lock_holds(tx.connection()?, workspace, false).await?;
        let now = tx.context().received_at.max(sql::clock(tx).await?);
        let is_new = sql::ensure(tx, now).await?;
        sql::lock(tx).await?;
        let (state, mac) = sql::standing(tx).await?.ok_or(ChangeError::Altered)?;
        let log = Log::Workspace { workspace: tx.workspace(), environment: tx.environment() };
        let told = ledger::told_retention(ledger, &changes.notary, log).await?;
        let is_ours = if is_new {
            told == Some(0) && state.holds.is_empty()
        } else {
            told.is_some()
                && u64::try_from(state.version).ok() == told
                && changes.notary.vouches(&state.row(), &mac).await?
        };
        Ok(Self { changes, state, is_ours, now })
    }

    /// Keeps entries for so many days from now on, or after the grace.
    pub(super) async fn set(mut self, tx: &mut WorkspaceTx, days: Option<u16>) -> Result<Recorded, ChangeError> {
        if !self.is_ours {
            return Err(ChangeError::Altered);
        }
        self.state.set(days, self.now);
        let pending = self.state.pending(self.now);
        let entry = Entry::about(Action::RetentionChanged, self.state.workspace).with(json!({
            "days": self.state.in_effect(self.now),
            "next_days": pending.map(|pending| pending.days),
            "effective_at_ms": pending.map(|pending| pending.effective_at.unix_timestamp() * 1_000),
        }));
        self.write(tx, entry).await
    }

    /// Opens a hold. Where the row is not what was decided, this vouches for what stands there, and forgets the setting.
    pub(super) async fn open(
        mut self,
        tx: &mut WorkspaceTx,
        reason: String,
    ) -> Result<(LegalHold, Recorded), ChangeError> {
        if !self.is_ours {
            (self.state.days, self.state.next_days, self.state.effective_at) = (None, None, None);
        }
        if self.state.holds.len() >= MOST_HOLDS {
            return Err(ChangeError::TooMany);
        }
        let opened_at = tx.context().received_at;
        let hold = LegalHold {
            id: Id::from_uuid(self.changes.entropy.uuid_v7(opened_at)),
            reason,
            opened_by: tx.actor().to_owned(),
            opened_at,
            released_by: None,
            released_at: None,
        };
        sql::insert_hold(tx, &hold).await?;
        self.state.holds.push(hold.id.uuid());
        self.state.holds.sort_unstable();
        let entry = Entry::about(Action::LegalHoldOpened, hold.id).with(json!({"open_holds": self.state.holds.len()}));
        Ok((hold, self.write(tx, entry).await?))
    }

    /// Releases a hold.
    pub(super) async fn release(
        mut self,
        tx: &mut WorkspaceTx,
        id: LegalHoldId,
        confirm: &str,
    ) -> Result<(LegalHold, Recorded), ChangeError> {
        let hold = sql::hold(tx, id).await?.filter(|hold| hold.released_at.is_none()).ok_or(ChangeError::NoSuchHold)?;
        if !self.is_ours {
            return Err(ChangeError::Altered);
        }
        if confirm != hold.reason && confirm != hold.id.to_string() {
            return Err(ChangeError::OtherHold);
        }
        let (by, at) = (tx.actor().to_owned(), tx.context().received_at);
        sql::release_hold(tx, id, &by, at).await?;
        self.state.holds.retain(|open| *open != id.uuid());
        let entry = Entry::about(Action::LegalHoldReleased, id).with(json!({"open_holds": self.state.holds.len()}));
        let recorded = self.write(tx, entry).await?;
        Ok((LegalHold { released_by: Some(by), released_at: Some(at), ..hold }, recorded))
    }

    async fn write(mut self, tx: &mut WorkspaceTx, entry: Entry) -> Result<Recorded, ChangeError> {
        self.state.count_up(self.now);
        let vouching = self.changes.notary.vouch(&self.state.row());
        sql::put(tx, &self.state, self.now, &vouching.mac).await?;
        Ok(ledger::stage(tx, &self.changes.entropy, entry.changing([vouching.stamp])))
    }
}
