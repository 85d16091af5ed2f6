//! What the first entry of a later generation says of the one before.

use bailiwick_proof::commitment::Field;
use bailiwick_proof::entry::Entry;
use bailiwick_proof::log::Origin;
use bailiwick_proof::merkle::Frontier;

use super::{Checking, Journaled, Row, sql};
use crate::db::{DbError, SystemTx};
use crate::ledger::cell::FIRST_GENERATION;
use crate::ledger::generation::{Cited, End};
use crate::ledger::{Action, keys};

/// What the first entry has to cite.
#[derive(Default)]
pub(super) struct Before {
    /// What the journal has of the generation before.
    closed: Option<End>,
    /// Where closed generations end in this database.
    left: Vec<End>,
}

#[derive(serde::Deserialize)]
struct Meta {
    data: Cited,
}

impl Checking<'_> {
    /// Whether the journal knows of this generation, or of the one before, on which the head has just gone on. Without a journal nobody knows.
    pub(super) async fn is_sanctioned(&self, tx: &mut SystemTx, journal: Option<&Journaled>) -> Result<bool, DbError> {
        let generation = self.origin.generation();
        let Some(journal) = journal.filter(|_| generation > FIRST_GENERATION) else { return Ok(true) };
        if journal.contains_key(&self.report.origin) {
            return Ok(true);
        }
        let before = Origin::new(self.origin.name().clone(), self.origin.log(), generation - 1);
        let is_next = before.is_ok_and(|before| journal.contains_key(&before.to_string()));
        Ok(is_next && keys::generation(tx, self.origin.log()).await? == Some(generation))
    }

    /// Reads what the first entry of this generation has to cite; nothing for the first generation.
    pub(super) async fn look_before(&self, tx: &mut SystemTx, journal: Option<&Journaled>) -> Result<Before, DbError> {
        let (name, log) = (self.origin.name().clone(), self.origin.log());
        let Some(generation) = self.origin.generation().checked_sub(1) else { return Ok(Before::default()) };
        let Ok(origin) = Origin::new(name, log, generation) else { return Ok(Before::default()) };
        let head = journal.and_then(|journal| journal.get(&origin.to_string()));
        let closed = head.map(|head| End { generation, size: head.size, root: head.root.to_base64() });
        let left = sql::closed(tx, log).await?.into_iter().filter_map(|(generation, head)| {
            let root = Frontier::from_bytes(head.size, &head.frontier).ok()?.root().to_base64();
            Some(End { generation, size: head.size, root })
        });
        Ok(Before { closed, left: left.collect() })
    }

    /// What is wrong with the first entry of a later generation. Without keys what it says is not known.
    pub(super) fn cites(&self, row: &Row, entry: &Entry) -> Result<(), &'static str> {
        let before = &self.before;
        if row.seq != 0 || self.origin.generation() == FIRST_GENERATION {
            return Ok(());
        }
        if entry.action.as_str() != Action::GenerationOpened.as_str() {
            return Err("does not cite the generation before");
        }
        if self.vault.is_none() {
            return Ok(());
        }
        let meta = row.stored.openings.get(&Field::Meta).ok_or("has lost what it cites")?;
        let Meta { data: cited } =
            serde_json::from_str(&meta.value).map_err(|_| "does not cite the generation before")?;
        if before.closed.as_ref().is_some_and(|closed| *closed != cited.closed) {
            return Err("cites another end of the generation before than was signed");
        }
        if !before.left.contains(&cited.restored) {
            return Err("cites another end of the generation before than is here");
        }
        Ok(())
    }
}
