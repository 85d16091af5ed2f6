//! Recording: a request's own events get their numbers in its own transaction, and its answer comes after the commit.
//!
//! Whoever records holds the head's lock and takes what is staged in the log first, as the sequencer does and by its code:
//! so what committed before the request began is numbered before it. Many events make one link in the sequence of those
//! who append, and each is written once, where a staged one is written, read, and taken away.

use bailiwick_proof::entry::TraceId;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{EventId, Id, ProjectId, WorkspaceId};
use bailiwick_proof::log::Log;

use super::cell::{FIRST_GENERATION, Ledger};
use super::error::LedgerError;
use super::sequence::{self, BATCH, Prepared, Staged, Wait};
use super::stage::Entry;
use crate::db::{Authority, OperationalPath, ProjectWall, Recorded, RecordingTx};

/// So many staged rows at most are numbered at the request of whoever records; more wait for the sequencer.
const MOST_STAGED: usize = 10_000;

/// An event, as a customer's program tells it.
#[derive(Clone)]
pub struct ToldEvent {
    /// What happened.
    pub entry: Entry,
    /// The trace that it belongs to, where that is not the request's.
    pub trace: Option<TraceId>,
}

/// The place that an event got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The event's id.
    pub event: EventId,
    /// Its number in the log.
    pub seq: u64,
}

/// How recording went.
pub enum Outcome {
    /// Each event has its number, once the transaction is committed.
    Numbered(Vec<Numbered>, Recorded),
    /// The log has not begun, or more is staged in it than a request takes along: see [`Ledger::catch_up`].
    Behind,
}

/// Why a log cannot be caught up with.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// Too much is staged; the sequencer is at it.
    #[error("{MOST_STAGED} entries or more are staged in the log")]
    TooMuch,
    /// See [`LedgerError`].
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Events that a request brings along, ready to be numbered.
pub struct Brought(Vec<Prepared>);

impl Brought {
    /// What happened in each, in their order.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|prepared| prepared.action.as_str())
    }
}

/// Does what can be done before it is the request's turn on its log, so that those behind it wait for less. Everything that is attributed
/// is taken from the authority.
///
/// # Errors
/// [`LedgerError::MalformedRow`].
pub fn bring(ledger: &Ledger, authority: &impl Authority, told: Vec<ToldEvent>) -> Result<Brought, LedgerError> {
    let actor = authority.actor();
    let rows = told.into_iter().map(|told| row(ledger, authority, &actor, told)).collect();
    sequence::prepare(ledger.entropy(), rows).map(Brought)
}

/// Numbers these events, in their order. They are taken once they are.
///
/// # Errors
/// [`LedgerError`]: nothing may be committed then.
pub async fn record(ledger: &Ledger, tx: &mut RecordingTx, brought: &mut Brought) -> Result<Outcome, LedgerError> {
    let log = log_of(tx.workspace(), tx.environment());
    let Some(head) = sequence::lock_head(tx.system(), log, Wait::ForIt).await? else {
        // It has not begun; or it was signed, and somebody has taken it away.
        ledger.refuse_if_behind(log, FIRST_GENERATION, 0)?;
        return Ok(Outcome::Behind);
    };
    ledger.refuse_if_behind(log, head.generation, head.frontier.size())?;
    let staged = sequence::staged(tx.system(), &[log], BATCH).await?;
    if staged.len() == BATCH {
        return Ok(Outcome::Behind);
    }
    let mut rows = sequence::prepare(ledger.entropy(), staged)?;
    let told = brought.0.len();
    rows.append(&mut brought.0);
    let written = sequence::write(ledger, tx.system(), vec![(log, head)], rows).await?;
    let own = written.iter().rev().take(told).rev();
    let numbered = own.map(|linked| Numbered { event: Id::from_uuid(linked.event_id), seq: linked.seq }).collect();
    Ok(Outcome::Numbered(numbered, Recorded::staged()))
}

/// The event as staging would hold it.
fn row(ledger: &Ledger, authority: &impl Authority, actor: &str, told: ToldEvent) -> Staged {
    let ToldEvent { entry, trace } = told;
    let context = authority.context();
    let confined = match authority.project() {
        ProjectWall::Unconfined => None,
        ProjectWall::Within(project) => Some(project),
    };
    Staged {
        workspace_id: Some(authority.workspace().uuid()),
        environment: authority.environment().as_str().to_owned(),
        place: None,
        id: 0,
        event_id: ledger.entropy().uuid_v7(context.received_at),
        project_id: confined.or(entry.project).map(ProjectId::uuid),
        action: entry.action,
        actor: entry.actor.unwrap_or_else(|| actor.to_owned()),
        target: entry.target,
        recorded_by: actor.to_owned(),
        meta: entry.meta,
        trace_id: trace.unwrap_or(context.trace_id).to_string(),
        request_id: context.id.uuid(),
        external_request_id: context.external_id.as_deref().map(str::to_owned),
        client_ip: context.client_ip.map(|ip| ip.to_string()),
        staged_at: context.received_at,
        rows: entry.rows,
    }
}

/// The log of a workspace's environment.
const fn log_of(workspace: WorkspaceId, environment: Environment) -> Log {
    Log::Workspace { workspace, environment }
}

impl Ledger {
    /// Begins a log, and numbers what is staged in it, unless that is too much for a request to wait for.
    ///
    /// # Errors
    /// See [`CatchUpError`].
    pub async fn catch_up(&self, log: Log) -> Result<(), CatchUpError> {
        let mut tx = self.db().system_tx(OperationalPath::SequenceLedger).await.map_err(LedgerError::from)?;
        let staged = sequence::count_staged(&mut tx, log, MOST_STAGED).await.map_err(LedgerError::from)?;
        tx.finish_reading().await.map_err(LedgerError::from)?;
        if staged >= MOST_STAGED {
            self.db().wake_the_ledger();
            return Err(CatchUpError::TooMuch);
        }
        Ok(self.settle(log).await?)
    }
}
