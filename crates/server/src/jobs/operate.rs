//! What an operator does with jobs: look at those that wait and those that were given up, try one again, discard one.
//!
//! Payloads are not shown: they are sealed, and nobody needs them to decide. Each change leaves an entry in the cell's log.

mod sql;

use bailiwick_proof::id::JobId;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

pub use self::sql::Filter;

use super::schedule;
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, SystemTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry, OPERATOR};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its first try has not begun.
    Waiting,
    /// It failed and waits for another try.
    Retrying,
    /// A worker has it.
    Running,
    /// It was given up.
    Dead,
}

/// A job, as an operator sees it.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Its id.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// Where it stands.
    pub state: State,
    /// Whose it is: a workspace's id, or nothing for the cell's own.
    pub workspace: Option<String>,
    /// live or test.
    pub environment: String,
    /// Tries so far.
    pub attempts: i16,
    /// When it is due, or when it was given up.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Whether it can be tried again.
    pub can_be_retried: bool,
}

/// A schedule, as an operator sees it.
#[derive(Clone, Debug, Serialize)]
pub struct ScheduleView {
    /// The kind.
    pub kind: String,
    /// When it was last handed to the queue.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_run_at: Option<OffsetDateTime>,
    /// When it will be next.
    #[serde(with = "time::serde::rfc3339")]
    pub next_run_at: OffsetDateTime,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Changed,
    /// There is no such job.
    NotFound,
    /// A worker has it at this moment.
    Running,
    /// Its payload went when it was given up.
    Scrubbed,
}

/// The jobs that fit, those that were given up first, then by age.
///
/// # Errors
/// [`DbError`].
pub async fn list(db: &Db, filter: &Filter) -> Result<Vec<View>, DbError> {
    let mut tx = db.system_tx(OperationalPath::ManageJobs).await?;
    let jobs = sql::list(&mut tx, filter).await?;
    tx.finish_reading().await?;
    Ok(jobs)
}

/// One job.
///
/// # Errors
/// [`DbError`].
pub async fn show(db: &Db, id: JobId) -> Result<Option<View>, DbError> {
    let jobs = list(db, &Filter { id: Some(id), ..Filter::default() }).await?;
    Ok(jobs.into_iter().next())
}

/// What comes again and again.
///
/// # Errors
/// [`DbError`].
pub async fn schedules(db: &Db) -> Result<Vec<ScheduleView>, DbError> {
    let mut tx = db.system_tx(OperationalPath::ManageJobs).await?;
    let rows = schedule::all(&mut tx).await?;
    tx.finish_reading().await?;
    let view = |row: schedule::ScheduleRow| {
        let schedule::ScheduleRow { kind, last_run_at, next_run_at } = row;
        ScheduleView { kind, last_run_at, next_run_at }
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Makes a job due at once: one that was given up begins anew, with all its tries.
///
/// # Errors
/// [`DbError`].
pub async fn retry(db: &Db, clock: &Clock, entropy: &Entropy, id: JobId) -> Result<Outcome, DbError> {
    let context = RequestContext::internal(clock, entropy);
    let mut tx = db.system_tx(OperationalPath::ManageJobs).await?;
    let Some(job) = found(&mut tx, id).await? else { return Ok(Outcome::NotFound) };
    let is_changed = match job.state {
        State::Running => return Ok(Outcome::Running),
        State::Dead if !job.can_be_retried => return Ok(Outcome::Scrubbed),
        State::Dead => sql::revive(&mut tx, id, context.received_at).await?,
        State::Waiting | State::Retrying => sql::hasten(&mut tx, id, context.received_at).await?,
    };
    record(tx, entropy, &context, Action::JobRetried, &job, is_changed).await
}

/// Takes a job away for good, and its payload with it.
///
/// # Errors
/// [`DbError`].
pub async fn discard(db: &Db, clock: &Clock, entropy: &Entropy, id: JobId) -> Result<Outcome, DbError> {
    let context = RequestContext::internal(clock, entropy);
    let mut tx = db.system_tx(OperationalPath::ManageJobs).await?;
    let Some(job) = found(&mut tx, id).await? else { return Ok(Outcome::NotFound) };
    if job.state == State::Running {
        return Ok(Outcome::Running);
    }
    let is_changed = sql::discard(&mut tx, id).await?;
    record(tx, entropy, &context, Action::JobDiscarded, &job, is_changed).await
}

async fn found(tx: &mut SystemTx, id: JobId) -> Result<Option<View>, DbError> {
    Ok(sql::list(tx, &Filter { id: Some(id), ..Filter::default() }).await?.into_iter().next())
}

/// One entry for a change. A worker that was quicker has the job now.
async fn record(
    mut tx: SystemTx,
    entropy: &Entropy,
    context: &RequestContext,
    action: Action,
    job: &View,
    is_changed: bool,
) -> Result<Outcome, DbError> {
    if !is_changed {
        tx.finish_reading().await?;
        return Ok(Outcome::Running);
    }
    let meta = json!({"kind": job.kind, "state": job.state, "attempts": job.attempts, "workspace": job.workspace});
    let entry = Entry::about(action, job.id).with(meta);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, OPERATOR, &entry).await?;
    tx.commit(recorded).await?;
    Ok(Outcome::Changed)
}
