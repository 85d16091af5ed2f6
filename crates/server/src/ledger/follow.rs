//! Following the logs: what their entries say of rows that grant something, each log from where it was left.
//!
//! # Invariants
//! - An entry is told only after it was found to continue the chain, and a log's root is compared with what the journal
//!   has of it: a table that was rolled back together with a row is found out here.
//! - What was told is not told again, and what could not be read now is read the next time.

mod pruned;
mod sql;

use std::collections::{HashMap, HashSet};

use bailiwick_proof::chain::ChainVerifier;
use bailiwick_proof::entry::Entry;
use bailiwick_proof::log::{Log, Origin};

use super::cell::Ledger;
use super::error::LedgerError;
use super::generation::is_closed;
use super::{Action, rows};
use crate::anchor::Head;
use crate::authz::Notary;
use crate::authz::vouched::Kind;
use crate::authz::vouched::stamp::{self, BadStamps, Stamped};
use crate::db::OperationalPath;

/// Entries in one read.
const PAGE: i64 = 1_000;

/// What is told of the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A row has this serial now.
    Changed(Stamped),
    /// An entry of a change should say of which rows, and does not, or says what nobody vouches for.
    Silent {
        /// Which log.
        log: Log,
        /// Which entry.
        seq: u64,
    },
}

/// How a look at the logs went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Logs that are not what they were, and why: nothing after the last good entry was told.
    pub broken: Vec<(Log, String)>,
}

/// How far each log was followed.
#[derive(Debug, Default)]
pub struct Follower(HashMap<(Log, u32), ChainVerifier>);

impl Follower {
    /// Tells what has been numbered since the last time.
    ///
    /// # Errors
    /// [`LedgerError`] when a log cannot be read now.
    pub async fn read_on(
        &mut self,
        ledger: &Ledger,
        notary: &Notary,
        mut tell: impl FnMut(Told),
    ) -> Result<Followed, LedgerError> {
        // Before the heads are read: a log may grow meanwhile, and be signed, or be founded.
        let journaled: HashMap<String, Head> = ledger.journal().heads().into_iter().collect();
        let known = self.known(&journaled);
        let journaled = that_grow(journaled);
        let mut tx = ledger.db().system_tx(OperationalPath::VerifyLedger).await?;
        let heads = sql::heads(&mut tx).await?;
        tx.finish_reading().await?;
        // Taken away, or hidden from us.
        let there: HashSet<_> = heads.iter().map(|head| (head.log, head.generation)).collect();
        let gone = known.difference(&there).map(|(log, _)| (*log, "its head is gone".to_owned()));
        let mut followed = Followed { broken: gone.collect() };
        for head in heads {
            let chain = self.0.entry((head.log, head.generation));
            let chain = chain.or_insert_with(|| ChainVerifier::new(head.log, head.generation));
            if let Err(what) = read_log(ledger, notary, (&head, &journaled), chain, &mut tell).await? {
                followed.broken.push((head.log, what));
            }
        }
        Ok(followed)
    }

    /// Logs that were read here, or signed.
    fn known(&self, journaled: &HashMap<String, Head>) -> HashSet<(Log, u32)> {
        let journaled = journaled.keys().filter_map(|origin| origin.parse::<Origin>().ok());
        journaled.map(|origin| (origin.log(), origin.generation())).chain(self.0.keys().copied()).collect()
    }
}

/// What a restore has lost of closed generations is said by the next one: the journal says nothing here of those.
fn that_grow(mut journaled: HashMap<String, Head>) -> HashMap<String, Head> {
    let closed: Vec<String> = journaled
        .keys()
        .filter_map(|origin| origin.parse::<Origin>().ok())
        .filter(|origin| is_closed(origin, |later| journaled.get(later)))
        .map(|origin| origin.to_string())
        .collect();
    for origin in closed {
        journaled.remove(&origin);
    }
    journaled
}

/// What entries without a number say of rows, as far as somebody vouches for it.
///
/// # Errors
/// [`LedgerError`].
pub async fn staged(ledger: &Ledger, notary: &Notary) -> Result<Vec<Stamped>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::VerifyLedger).await?;
    let staged = sql::staged(&mut tx).await?;
    tx.finish_reading().await?;
    let mut all = Vec::new();
    for stamps in staged {
        match stamp::read(notary, &stamps).await {
            Ok(stamped) => all.extend(stamped),
            Err(BadStamps::Unvouched) => {}
            Err(BadStamps::Db(error)) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// One log, up to the head; inside, why it is not the log that it was.
async fn read_log(
    ledger: &Ledger,
    notary: &Notary,
    (head, journaled): (&sql::Head, &HashMap<String, Head>),
    chain: &mut ChainVerifier,
    tell: &mut impl FnMut(Told),
) -> Result<Result<(), String>, LedgerError> {
    let origin = ledger.origin(head.log, head.generation)?.to_string();
    let journaled = journaled.get(&origin);
    if head.size < journaled.map_or(0, |journaled| journaled.size).max(chain.seq()) {
        return Ok(Err("it is shorter than it was".to_owned()));
    }
    while chain.seq() < head.size {
        let mut tx = ledger.db().system_tx(OperationalPath::VerifyLedger).await?;
        let page = sql::entries(&mut tx, head, chain.seq(), PAGE).await?;
        tx.finish_reading().await?;
        if page.is_empty() {
            return Ok(Err(format!("entry {} is missing", chain.seq())));
        }
        // Entries that are missing went by retention, or were taken away: then the next one does not fit.
        if page.first().is_some_and(|row| u64::try_from(row.seq).is_ok_and(|seq| seq > chain.seq())) {
            match pruned::pass_over(ledger, notary, head, chain, tell).await? {
                Ok(true) => continue,
                Ok(false) => {}
                Err(what) => return Ok(Err(what)),
            }
        }
        let said = said(ledger, notary, head, chain.seq(), &page).await?;
        // No waiting from here on: an entry is in the chain and told, or neither.
        for (row, said) in page.iter().zip(said) {
            let seq = chain.seq();
            if let Err(bad) = chain.push(&row.entry) {
                return Ok(Err(bad.to_string()));
            }
            if journaled.is_some_and(|at| at.size == chain.seq() && at.root != chain.frontier().root()) {
                return Ok(Err(format!("the journal has another root at size {}", chain.seq())));
            }
            match said {
                Some(stamped) => stamped.into_iter().for_each(|stamped| tell(Told::Changed(stamped))),
                None => tell(Told::Silent { log: head.log, seq }),
            }
        }
    }
    Ok(Ok(()))
}

/// What each entry of a page says of rows; `None` for one that should say it and does not.
async fn said(
    ledger: &Ledger,
    notary: &Notary,
    head: &sql::Head,
    first: u64,
    page: &[sql::Row],
) -> Result<Vec<Option<Vec<Stamped>>>, LedgerError> {
    let mut all = Vec::with_capacity(page.len());
    for (seq, row) in (first..).zip(page) {
        let Some(bound) = &row.rows else {
            all.push((!should_say(&row.entry)).then(Vec::new));
            continue;
        };
        all.push(said_of(ledger, notary, (head.log, head.generation, seq), bound).await?);
    }
    Ok(all)
}

/// What the entry at this place says of rows; `None` for what nobody vouches for.
pub(super) async fn said_of(
    ledger: &Ledger,
    notary: &Notary,
    place: (Log, u32, u64),
    bound: &[u8],
) -> Result<Option<Vec<Stamped>>, LedgerError> {
    let mut keys = rows::keys(ledger.vault()).await?;
    if rows::release(&keys, place, bound).is_none() {
        ledger.vault().look_for_cell_keys().await?;
        keys = rows::keys(ledger.vault()).await?;
    }
    let stamped = match rows::release(&keys, place, bound).flatten() {
        Some(stamps) => stamp::read(notary, stamps).await,
        None => Err(BadStamps::Unvouched),
    };
    match stamped {
        Ok(stamped) => Ok(Some(stamped)),
        Err(BadStamps::Unvouched) => Ok(None),
        Err(BadStamps::Db(error)) => Err(error.into()),
    }
}

/// What a log says of the rows of a kind, read once from its beginning: `None` unless all of it is what it was, and every
/// entry says what it should.
///
/// # Errors
/// [`LedgerError`].
pub(super) async fn stamps_of(
    ledger: &Ledger,
    notary: &Notary,
    log: Log,
    kind: Kind,
) -> Result<Option<Vec<Stamped>>, LedgerError> {
    let journaled = that_grow(ledger.journal().heads().into_iter().collect());
    let mut tx = ledger.db().system_tx(OperationalPath::VerifyLedger).await?;
    let heads = sql::heads(&mut tx).await?;
    tx.finish_reading().await?;
    let (mut stamps, mut is_silent, mut is_whole) = (Vec::new(), false, false);
    let mut tell = |told| match told {
        Told::Changed(stamped) if stamped.kind == kind => stamps.push(stamped),
        Told::Changed(_) => {}
        Told::Silent { .. } => is_silent = true,
    };
    for head in heads.into_iter().filter(|head| head.log == log) {
        let mut chain = ChainVerifier::new(head.log, head.generation);
        is_whole = read_log(ledger, notary, (&head, &journaled), &mut chain, &mut tell).await?.is_ok();
        if !is_whole {
            break;
        }
    }
    Ok((is_whole && !is_silent).then_some(stamps))
}

fn should_say(entry: &[u8]) -> bool {
    let Ok(entry) = Entry::parse(entry) else { return false };
    Action::ALL.into_iter().any(|action| action.changes_rows() && action.as_str() == entry.action.as_str())
}
