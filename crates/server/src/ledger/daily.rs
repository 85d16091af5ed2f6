//! Daily roots: each log's newest checkpoint as a JWS, once a day (UTC), for programs that know JOSE and no notes.
//!
//! # Invariants
//! - What becomes a root was signed as a checkpoint before, by a key whose seed opens: the journal has it.
//! - A log that must not be signed gets no root; the others get theirs all the same.
//! - There is a root for each key that signs at the time: while a key is replaced there are two for a day.
//!
//! A root says nothing of its day, which is the word of the node that made it. A day on which no node ran has none, and gets none
//! afterwards: nobody could sign on Thursday what stood in the log on Monday. A day without entries has the root of the day before.

mod sql;

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::jose::{self, Jwk, thumbprint};
use bailiwick_proof::log::Log;
use bailiwick_proof::note::{SigningKey, VerifierKey};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use super::cell::Ledger;
use super::error::LedgerError;
use super::keys;
use crate::db::{OperationalPath, Unrecorded};

/// For so long a root is kept: a year, and a month to look back on it.
const KEPT: Duration = Duration::days(400);
/// So many logs are looked up at a time.
const LOGS_AT_ONCE: i64 = 500;

/// A daily root as it is published.
#[derive(Clone, Debug)]
pub struct DailyRoot {
    /// The row's id, by which lists go on.
    pub id: Uuid,
    /// The day, UTC, by the server's clock.
    pub day: Date,
    /// Of which log.
    pub environment: Environment,
    /// Its generation.
    pub generation: u32,
    /// The key that signed.
    pub kid: String,
    /// Entries that it covers.
    pub size: u64,
    /// The compact JWS.
    pub jws: String,
}

/// Gives each log its root of this day by the earlier of two clocks, as [`make_daily_roots_of`] does. Roots of days after the later one were
/// made by a clock that was wrong, and those days would get no others: they are taken back.
///
/// # Errors
/// See [`LedgerError`].
pub async fn make_daily_roots(ledger: &Ledger) -> Result<(), LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::PublishDailyRoots).await?;
    let (now, latest) = tx.two_clocks(ledger.clock().now()).await?;
    let withdrawn = sql::withdraw(&mut tx, latest.date()).await?;
    tx.commit_unrecorded(Unrecorded::Expired).await?;
    if withdrawn > 0 {
        tracing::error!(event = "ledger_withdrawn", what = "daily_roots", withdrawn);
    }
    make_daily_roots_of(ledger, now).await
}

/// Gives each log that has none for the day of this moment its root, and lets go of those that are too old then. What is done already is not
/// found again, so that it goes on where it was interrupted, and two at once make each root once.
///
/// # Errors
/// See [`LedgerError`]: those of the database, and of an anchor store that is away. What is wrong with one log is logged.
pub async fn make_daily_roots_of(ledger: &Ledger, now: OffsetDateTime) -> Result<(), LedgerError> {
    let day = now.date();
    let mut after: Option<(Uuid, String)> = None;
    loop {
        let mut tx = ledger.db().system_tx(OperationalPath::PublishDailyRoots).await?;
        let lacking = sql::logs_without(&mut tx, day, after.as_ref(), LOGS_AT_ONCE).await?;
        tx.finish_reading().await?;
        for (workspace, environment) in &lacking {
            let Some(log) = super::place::log(*workspace, environment) else { continue };
            match make(ledger, log, now).await {
                Ok(()) => {}
                Err(error @ (LedgerError::Db(_) | LedgerError::Journal(_))) => return Err(error),
                Err(error) => {
                    metrics::counter!("bailiwick_ledger_failures_total", "step" => "daily_root").increment(1);
                    tracing::error!(event = "ledger_failed", step = "daily_root", cause = %error);
                }
            }
        }
        let Some(last) = lacking.into_iter().next_back() else { break };
        after = Some(last);
    }
    let mut tx = ledger.db().system_tx(OperationalPath::PublishDailyRoots).await?;
    sql::expire(&mut tx, now - KEPT).await?;
    Ok(tx.commit_unrecorded(Unrecorded::Expired).await?)
}

/// One log's root of the day.
async fn make(ledger: &Ledger, log: Log, now: OffsetDateTime) -> Result<(), LedgerError> {
    let signed = ledger.checkpoint(log).await?;
    let origin = ledger.origin(log, signed.generation)?.to_string();
    let mut tx = ledger.db().system_tx(OperationalPath::PublishDailyRoots).await?;
    let signers = keys::signing(ledger, &mut tx, log, signed.generation).await?;
    // Rows alone say whose checkpoint it is; keys that open say it for good.
    let known: Vec<VerifierKey> = signers.iter().map(|key| key.verifier().clone()).collect();
    let forged = || LedgerError::ForgedCheckpoint { origin: origin.clone(), size: signed.size };
    let note: SignedCheckpoint = signed.note.parse().map_err(|_| forged())?;
    let checkpoint = note.verify(&known).ok().filter(|known| known.origin == origin).ok_or_else(forged)?;
    let day = now.date();
    for key in &signers {
        let jws = jose::sign_checkpoint(key, checkpoint).map_err(|_| LedgerError::MalformedKey)?;
        let root =
            sql::NewRoot { id: ledger.entropy().uuid_v7(now), log, day, signed: &signed, kid: &kid(key), jws: &jws };
        sql::insert(&mut tx, &root, now).await?;
    }
    Ok(tx.commit_unrecorded(Unrecorded::Signed).await?)
}

fn kid(key: &SigningKey) -> String {
    thumbprint(key.verifier().public())
}

/// The roots of a workspace's logs, the newest first, those after `after`: one more than `limit`, to tell whether there are more.
///
/// # Errors
/// See [`LedgerError`].
pub async fn daily_roots(
    ledger: &Ledger,
    workspace: WorkspaceId,
    after: Option<Uuid>,
    limit: u16,
) -> Result<Vec<DailyRoot>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::PublishLedgerKeys).await?;
    let roots = sql::list(&mut tx, workspace, after, i64::from(limit)).await?;
    tx.finish_reading().await?;
    Ok(roots)
}

/// The roots of the last day that has any, of each of a workspace's logs.
///
/// # Errors
/// See [`LedgerError`].
pub async fn newest_daily_roots(ledger: &Ledger, workspace: WorkspaceId) -> Result<Vec<DailyRoot>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::PublishLedgerKeys).await?;
    let roots = sql::newest(&mut tx, workspace).await?;
    tx.finish_reading().await?;
    Ok(roots)
}

impl DailyRoot {
    /// Whether one of these keys signed what the row says; if not, it was put there by hand, and is not handed out.
    #[must_use]
    pub fn holds(&self, ledger: &Ledger, workspace: WorkspaceId, known: &[Jwk]) -> bool {
        let log = Log::Workspace { workspace, environment: self.environment };
        let origin = ledger.origin(log, self.generation).map(|origin| origin.to_string()).ok();
        let holds = jose::verify_checkpoint(&self.jws, known)
            .is_ok_and(|root| Some(root.origin) == origin && root.size == self.size);
        if !holds {
            metrics::counter!("bailiwick_ledger_mismatches_total").increment(1);
            tracing::error!(event = "daily_root_refused", workspace_id = %workspace, day = %self.day, kid = self.kid);
        }
        holds
    }
}
