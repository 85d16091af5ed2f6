//! Pruning: the first entries of a log go, once all of them are older than what is kept.
//!
//! ```text
//! surveyed     the whole log is what was recorded; its first whole tiles are old; a journaled root covers them
//! cut          the row of the cut and the entry `retention.pruned`, in one transaction
//! certified    that entry has its number and its checkpoint, and says what was decided
//! deleted      entries and openings below the cut, some tiles at a time
//! ```
//!
//! # Invariants
//! - Nothing is deleted before the log itself says so, numbered and signed. Whatever dies in between, the next run goes on.
//! - Nothing is deleted out of a log that is not what was recorded: nobody could find that out afterwards.
//! - Hashes stay, and with them every proof of what is left; so does what entries say of rows that grant something.
//!
//! Who says what is kept, and what holds it, is the feature `retention`.

mod sql;

use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::tile::WIDTH;
use serde_json::json;
use time::OffsetDateTime;

use super::cell::Ledger;
use super::check::{Damage, Expiry, Journaled, check_to_prune};
use super::cut::{self, Cut, VOUCHED};
use super::error::LedgerError;
use super::stage::SYSTEM;
use super::{Action, Entry, follow, keys, openings, place, stage_for};
use crate::authz::Notary;
use crate::authz::vouched::Kind;
use crate::authz::vouched::stamp::Stamped;
use crate::context::RequestContext;
use crate::db::{OperationalPath, Recorded, SystemTx};

/// Entries that say what is decided of a log's retention.
const DECIDING: [Action; 3] = [Action::RetentionChanged, Action::LegalHoldOpened, Action::LegalHoldReleased];
/// So many entries are deleted in one transaction.
const BATCH: u64 = 16 * WIDTH;

/// What can go of a log.
#[derive(Clone, Copy, Debug)]
pub struct Survey {
    /// The log's generation.
    pub generation: u32,
    /// Where it was cut before.
    pub from: u64,
    /// The first entry that stays.
    pub to: u64,
    /// The root at the cut.
    root: Hash,
    /// The latest time of what goes.
    newest_ms: u64,
    /// Entries that the newest checkpoint covers.
    size: u64,
}

/// How a survey went.
#[derive(Clone, Debug)]
pub enum Surveyed {
    /// Nothing can go.
    Nothing,
    /// This can go.
    Old(Survey),
    /// The log is not what was recorded: nothing may go.
    Altered(Damage),
}

/// What of a log was recorded before this moment, as whole tiles from the first entry on. The log is read as a whole, but
/// only if its oldest tile is old by its columns.
///
/// # Errors
/// See [`LedgerError`].
pub async fn survey(ledger: &Ledger, log: Log, before: OffsetDateTime) -> Result<Surveyed, LedgerError> {
    let before_ms = u64::try_from(before.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let mut tx = ledger.db().system_tx(OperationalPath::PruneLedger).await?;
    let Some(generation) = keys::generation(&mut tx, log).await? else {
        tx.finish_reading().await?;
        return Ok(Surveyed::Nothing);
    };
    let from = cut_of_generation(&mut tx, ledger, log, generation).await?;
    let is_old = sql::is_old(&mut tx, log, (from, WIDTH), before).await?;
    tx.finish_reading().await?;
    if !is_old {
        return Ok(Surveyed::Nothing);
    }
    ledger.settle(log).await?;
    if ledger.checkpoint(log).await?.generation != generation {
        return Ok(Surveyed::Nothing);
    }
    let origin = ledger.origin(log, generation)?;
    // Another node may have signed it.
    ledger.journal().read_on().await?;
    let journaled: Journaled = ledger.journal().heads().into_iter().collect();
    let size = journaled.get(&origin.to_string()).map_or(0, |head| head.size);
    let report = check_to_prune(ledger, &origin, &journaled, before_ms).await?;
    if let Some(damage) = report.damages.into_iter().next() {
        return Ok(Surveyed::Altered(damage));
    }
    Ok(match report.expiry {
        Some(Expiry { to, root, newest_ms, .. }) if to > from && to <= size => {
            Surveyed::Old(Survey { generation, from, to, root, newest_ms, size })
        }
        _ => Surveyed::Nothing,
    })
}

/// Where the log's present generation was cut.
async fn cut_of_generation(tx: &mut SystemTx, ledger: &Ledger, log: Log, generation: u32) -> Result<u64, LedgerError> {
    let cut = cut::newest(tx.connection()?, ledger.vault(), log).await?;
    Ok(cut.filter(|cut| cut.generation == generation).map_or(0, |cut| cut.to))
}

/// The highest serial that a log tells of its retention; `None` unless the whole log is what was recorded and says of each
/// change what it should.
///
/// # Errors
/// See [`LedgerError`].
pub async fn newest_retention(ledger: &Ledger, notary: &Notary, log: Log) -> Result<Option<u64>, LedgerError> {
    let stamps = follow::stamps_of(ledger, notary, log, Kind::Retention).await?;
    Ok(stamps.map(|stamps| highest(log, &stamps)))
}

/// The same by what stands beside entries alone, without looking at these: for whoever looks at a row before it is changed. `None` where an
/// entry that decided something does not say what.
///
/// # Errors
/// See [`LedgerError`].
pub async fn told_retention(ledger: &Ledger, notary: &Notary, log: Log) -> Result<Option<u64>, LedgerError> {
    ledger.settle(log).await?;
    let mut tx = ledger.db().system_tx(OperationalPath::PruneLedger).await?;
    let newest = keys::generation(&mut tx, log).await?.unwrap_or_default();
    let is_silent = sql::is_silent(&mut tx, log, &DECIDING.map(Action::as_str)).await?;
    let mut all = Vec::new();
    // What was decided before a restore that was meant still stands.
    for generation in 1..=newest {
        let said = cut::sql::of_rows(tx.connection()?, log, generation, (0, u64::MAX)).await?;
        all.extend(said.into_iter().map(|(seq, bound)| ((log, generation, seq), bound)));
    }
    tx.finish_reading().await?;
    let mut stamps = Vec::new();
    for (place, bound) in all {
        match follow::said_of(ledger, notary, place, &bound).await? {
            Some(said) => stamps.extend(said.into_iter().filter(|told| told.kind == Kind::Retention)),
            None => return Ok(None),
        }
    }
    Ok((!is_silent).then(|| highest(log, &stamps)))
}

fn highest(log: Log, stamps: &[Stamped]) -> u64 {
    let (workspace, environment) = place::columns(log);
    let own = stamps.iter().filter(|told| told.at.workspace == workspace && told.at.id == environment.as_bytes());
    own.map(|told| told.serial).max().unwrap_or_default()
}

/// Decides a cut, in the caller's transaction: its row, and the entry that tells of it. Nothing, if somebody else was quicker.
///
/// # Errors
/// See [`LedgerError`].
pub async fn cut(
    tx: &mut SystemTx,
    ledger: &Ledger,
    log: Log,
    survey: &Survey,
    days: u16,
) -> Result<Option<Recorded>, LedgerError> {
    let Survey { generation, from, to, root, newest_ms, size } = *survey;
    if cut_of_generation(tx, ledger, log, generation).await? != from {
        return Ok(None);
    }
    let kept = cut::digest(&cut::sql::of_rows(tx.connection()?, log, generation, (0, to)).await?);
    let context = RequestContext::internal(ledger.clock(), ledger.entropy());
    let target = match log {
        Log::Workspace { workspace, .. } => workspace.to_string(),
        Log::Cell => "cell".to_owned(),
    };
    let meta = json!({"days": days, "from": from, "to": to, "root": root.to_hex(), "size": size});
    let entry = Entry::about(Action::RetentionPruned, target).with(meta);
    let (event, recorded) = stage_for(tx, ledger.entropy(), &context, log, (SYSTEM, &entry)).await?;
    let cut = Cut { generation, to, root, kept, newest_ms, event, at: context.received_at };
    let mac = ledger.vault().row_keys(VOUCHED).await?.sign(&cut.meaning(log));
    sql::insert(tx, log, &cut, &mac).await?;
    Ok(Some(recorded))
}

/// A cut of the log below which not everything is deleted yet, if the vault vouches for it. What is there says so, whoever put it there.
///
/// # Errors
/// See [`LedgerError`].
pub async fn unfinished(ledger: &Ledger, log: Log) -> Result<Option<Cut>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::PruneLedger).await?;
    let cut = cut::newest(tx.connection()?, ledger.vault(), log).await?;
    let is_left = match &cut {
        Some(cut) => sql::is_left(&mut tx, log, cut).await?,
        None => false,
    };
    tx.finish_reading().await?;
    Ok(cut.filter(|_| is_left))
}

/// Whether the log says of this cut what was decided, in an entry that is signed for. It is numbered and signed now, if it
/// was not.
///
/// # Errors
/// See [`LedgerError`].
pub async fn is_certified(ledger: &Ledger, log: Log, cut: &Cut) -> Result<bool, LedgerError> {
    ledger.settle(log).await?;
    let signed = ledger.checkpoint(log).await?;
    let mut tx = ledger.db().system_tx(OperationalPath::PruneLedger).await?;
    let found = openings::entry_of(&mut tx, log, cut.event.uuid(), Action::RetentionPruned).await?;
    tx.finish_reading().await?;
    let Some((stored, sealed)) = found else { return Ok(false) };
    let (generation, seq) = (stored.generation, stored.seq);
    let stored = stored.with(ledger.opened(log, generation, seq, &sealed).await?);
    let Ok(entry) = stored.check_whole(log) else { return Ok(false) };
    let is_signed = stored.generation == signed.generation && stored.seq < signed.size;
    Ok(is_signed && stored.is_event(cut.event) && cut.is_told_by(&stored, &entry).is_ok())
}

/// Deletes some of what is below the cut, in the caller's transaction; answers how many entries, and whether that was all.
///
/// # Errors
/// See [`LedgerError`].
pub async fn delete_some(tx: &mut SystemTx, log: Log, cut: &Cut) -> Result<(u64, bool), LedgerError> {
    let first = cut::sql::first_there(tx.connection()?, log, cut.generation, 0).await?.unwrap_or(cut.to);
    let beyond = cut.to.min((first / WIDTH * WIDTH).saturating_add(BATCH));
    let deleted = sql::delete(tx, log, cut, beyond).await?;
    Ok((deleted, beyond == cut.to))
}
