//! Generations: after a sanctioned restore a log goes on under another origin, and says what was lost.
//!
//! # Invariants
//! - A closed generation is not signed again, at no size: what was signed of it stays the last word.
//! - The first entry of a generation cites what the journal has of the one before, and what this database has left of it.
//! - The journal says in which generation a log is, and only `bailiwickd ledger new-generation` has it say another: a head whose
//!   generation somebody wrote into the database is refused.
//! - Head, key and first entry of the new generation come by one transaction. Whoever is killed between it and the journal
//!   calls again, and the signature is made up for.

mod sql;

use std::collections::HashMap;

use bailiwick_proof::log::{Log, Origin};
use bailiwick_proof::merkle::{Frontier, Hash};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::cell::{FIRST_GENERATION, Ledger};
use super::check::{Journaled, check_log};
use super::error::LedgerError;
use super::sequence::{self, Staged, Wait};
use super::stage::OPERATOR;
use super::{Action, keys, place, sign};
use crate::anchor;
use crate::context::RequestContext;
use crate::db::{OperationalPath, Recorded};

/// A log of which the journal has more than the database.
#[derive(Clone, Debug)]
pub struct Lost {
    /// The generation that was signed last.
    pub origin: Origin,
    /// How far that was.
    pub journal: anchor::Head,
    /// Generation and size of what the database has left.
    pub database: (u32, u64),
    /// Whether the next generation has its first entry already, and lacks its signature.
    pub is_begun: bool,
}

/// Why a log goes on, and from what.
#[derive(Clone, Copy, Debug)]
pub struct Sanction<'a> {
    /// In words for those who read the log.
    pub reason: &'a str,
    /// What is left may have another history than the one that was signed; the first entry says so.
    pub is_forked: bool,
}

/// What the first entry of a generation tells, as its meta has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cited {
    /// What was signed last.
    pub(super) closed: End,
    /// What the database had left of the log.
    pub(super) restored: End,
}

/// How far a generation went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) generation: u32,
    pub(super) size: u64,
    /// In base64, as in a checkpoint.
    pub(super) root: String,
}

/// Whether a later generation of the log was signed: then this one is closed.
pub(super) fn is_closed<V>(origin: &Origin, journaled: impl Fn(&str) -> Option<V>) -> bool {
    next(origin).is_some_and(|next| journaled(&next.to_string()).is_some())
}

fn next(origin: &Origin) -> Option<Origin> {
    Origin::new(origin.name().clone(), origin.log(), origin.generation().checked_add(1)?).ok()
}

/// The logs of which the journal has more than the database, or something else.
///
/// # Errors
/// See [`LedgerError`].
pub async fn lost(ledger: &Ledger) -> Result<Vec<Lost>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::SignLedger).await?;
    let heads = sign::heads(ledger, &mut tx).await?;
    tx.finish_reading().await?;
    let heads: HashMap<Log, sign::Grown> = heads.into_values().map(|head| (head.log, head)).collect();
    let mut lost = Vec::new();
    for (origin, journal) in ledger.journal().heads() {
        let Ok(origin) = origin.parse::<Origin>() else { continue };
        if is_closed(&origin, |later| ledger.journal().head(later)) {
            continue;
        }
        let head = heads.get(&origin.log());
        let database = head.map_or((FIRST_GENERATION, 0), |head| (head.generation, head.size));
        let is_whole = head.is_some_and(|head| {
            head.generation == origin.generation()
                && (head.size > journal.size || (head.size == journal.size && head.root == journal.root))
        });
        if !is_whole {
            let is_begun = Some(database.0) == origin.generation().checked_add(1);
            lost.push(Lost { origin, journal, database, is_begun });
        }
    }
    Ok(lost)
}

/// Closes what is left of a log, begins its next generation with an entry that cites both, and signs it.
///
/// # Errors
/// [`LedgerError::Altered`] when what is left is not what was recorded; [`LedgerError::LostHead`] when the log was changed since it was
/// looked at; [`LedgerError::UnknownGeneration`] for a
/// generation that was begun by somebody else's hand; see [`LedgerError`].
pub async fn open_generation(ledger: &Ledger, lost: &Lost, sanction: Sanction<'_>) -> Result<Origin, LedgerError> {
    let unknown = || LedgerError::UnknownGeneration { origin: lost.origin.to_string() };
    let opened = next(&lost.origin).ok_or_else(unknown)?;
    if !lost.is_begun {
        if !sanction.is_forked {
            refuse_altered(ledger, lost).await?;
        }
        begin(ledger, lost, opened.generation(), sanction).await?;
    }
    // What was begun is signed if it cites what the journal has, and is whole.
    let journaled: Journaled = ledger.journal().heads().into_iter().collect();
    let report = check_log(ledger.db(), &opened, Some(&journaled), ledger.name(), Some(ledger.vault())).await?;
    if !report.damages.is_empty() || report.good == 0 {
        return Err(unknown());
    }
    match sign::sign(ledger, &[opened.log()]).await?.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(opened),
    }
}

/// A restore takes the last entries away. What it left must be what was recorded and signed as far as it goes: otherwise somebody has
/// rewritten it, and would have it taken for the last word.
async fn refuse_altered(ledger: &Ledger, lost: &Lost) -> Result<(), LedgerError> {
    let (generation, size) = lost.database;
    if size == 0 {
        return Ok(());
    }
    let origin = ledger.origin(lost.origin.log(), generation)?;
    let signed = ledger.journal().heads_at_most(&[(origin.to_string(), size)].into()).await?;
    let report = check_log(ledger.db(), &origin, Some(&signed), ledger.name(), Some(ledger.vault())).await?;
    match report.damages.into_iter().next() {
        Some(damage) => Err(LedgerError::Altered { origin: origin.to_string(), what: damage.what }),
        None => Ok(()),
    }
}

async fn begin(ledger: &Ledger, lost: &Lost, generation: u32, sanction: Sanction<'_>) -> Result<(), LedgerError> {
    let log = lost.origin.log();
    let changed = || LedgerError::LostHead { origin: lost.origin.to_string() };
    let context = RequestContext::internal(ledger.clock(), ledger.entropy());
    let mut tx = ledger.db().system_tx(OperationalPath::OpenGeneration).await?;
    let head = sequence::lock_head(&mut tx, log, Wait::ForIt).await?;
    let left = head.as_ref().map_or((FIRST_GENERATION, 0), |head| (head.generation, head.frontier.size()));
    if left != lost.database || left.0 > lost.origin.generation() {
        return Err(changed());
    }
    let empty = || (Hash::ZERO, Frontier::new());
    let (last_leaf, frontier) = head.map_or_else(empty, |head| (head.last_leaf, head.frontier));
    let cited = Cited {
        closed: End {
            generation: lost.origin.generation(),
            size: lost.journal.size,
            root: lost.journal.root.to_base64(),
        },
        restored: End { generation: left.0, size: left.1, root: frontier.root().to_base64() },
    };
    sql::close(&mut tx, log, left.0, (&last_leaf, &frontier), context.received_at).await?;
    // Of generations that the database has never seen nothing is left.
    for gone in left.0 + 1..=lost.origin.generation() {
        let (last_leaf, frontier) = empty();
        sql::close(&mut tx, log, gone, (&last_leaf, &frontier), context.received_at).await?;
    }
    sql::begin(&mut tx, log, generation).await?;
    keys::begin_generation(ledger, &mut tx, log, generation).await?;
    let (last_leaf, frontier) = empty();
    let head = sequence::Head { generation, last_leaf, frontier };
    let row = first_row(ledger, &context, log, &cited, sanction);
    let prepared = sequence::prepare(ledger.entropy(), vec![row])?;
    sequence::write(ledger, &mut tx, vec![(log, head)], prepared).await?;
    Ok(tx.commit(Recorded::staged()).await?)
}

fn first_row(ledger: &Ledger, context: &RequestContext, log: Log, cited: &Cited, sanction: Sanction<'_>) -> Staged {
    let (workspace, environment) = place::columns(log);
    let Cited { closed, restored } = cited;
    let meta = if sanction.is_forked {
        json!({"closed": closed, "restored": restored, "reason": sanction.reason, "forked": true})
    } else {
        json!({"closed": closed, "restored": restored, "reason": sanction.reason})
    };
    Staged {
        workspace_id: (log != Log::Cell).then_some(workspace),
        environment: environment.to_owned(),
        place: None,
        id: 0,
        event_id: ledger.entropy().uuid_v7(context.received_at),
        project_id: None,
        action: Action::GenerationOpened.as_str().to_owned(),
        actor: OPERATOR.to_owned(),
        target: String::new(),
        recorded_by: OPERATOR.to_owned(),
        meta,
        trace_id: context.trace_id.to_string(),
        request_id: context.id.uuid(),
        external_request_id: None,
        client_ip: None,
        staged_at: context.received_at,
        rows: None,
    }
}
