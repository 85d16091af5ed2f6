//! A cell's id and the name of its logs, fixed when it is made: whatever lies outside of its database is found by them.

mod sql;

use bailiwick_proof::log::LogName;
use serde_json::json;
use uuid::Uuid;

use super::error::LedgerError;
use super::{Action, Entry, stage_in_cell};
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, OperationalPath, SystemTx};
use crate::entropy::Entropy;

/// What was fixed when the cell was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellFacts {
    /// Its id, by which the anchor store knows it.
    pub id: Uuid,
    /// The name of its logs, with which their origins begin.
    pub log_name: LogName,
}

/// The cell's facts, made now if it has none: of two nodes that start at once, one makes them. The logs get the name that
/// the operator has chosen, or `default_name`.
///
/// # Errors
/// [`LedgerError::OtherName`] when the operator has chosen another than the logs have, [`LedgerError::BadName`], and those
/// of the database.
pub async fn establish(
    db: &Db,
    clock: &Clock,
    entropy: &Entropy,
    chosen_name: Option<&str>,
    default_name: &str,
) -> Result<CellFacts, LedgerError> {
    let facts = match known(db).await? {
        Some(facts) => facts,
        None => {
            make(db, clock, entropy, &parse(chosen_name.unwrap_or(default_name))?).await?;
            known(db).await?.ok_or(LedgerError::NoSuchLog)?
        }
    };
    match chosen_name.filter(|given| *given != facts.log_name.as_str()) {
        Some(given) => {
            Err(LedgerError::OtherName { given: given.to_owned(), fixed: facts.log_name.as_str().to_owned() })
        }
        None => Ok(facts),
    }
}

/// The cell's facts, if it was made.
pub(super) async fn facts(tx: &mut SystemTx) -> Result<Option<CellFacts>, LedgerError> {
    let Some((id, name)) = sql::facts(tx).await? else { return Ok(None) };
    Ok(Some(CellFacts { id, log_name: parse(&name)? }))
}

async fn known(db: &Db) -> Result<Option<CellFacts>, LedgerError> {
    let mut tx = db.system_tx(OperationalPath::EstablishCell).await?;
    let facts = facts(&mut tx).await?;
    tx.finish_reading().await?;
    Ok(facts)
}

async fn make(db: &Db, clock: &Clock, entropy: &Entropy, name: &LogName) -> Result<(), LedgerError> {
    let mut tx = db.system_tx(OperationalPath::EstablishCell).await?;
    let context = RequestContext::internal(clock, entropy);
    let id = entropy.uuid_v7(context.received_at);
    if sql::insert_facts(&mut tx, id, name.as_str()).await? {
        let entry = Entry::about(Action::CellEstablished, id).with(json!({"log_name": name.as_str()}));
        let recorded = stage_in_cell(&mut tx, entropy, &context, "system", &entry).await?;
        tx.commit(recorded).await?;
    } else {
        tx.finish_reading().await?;
    }
    Ok(())
}

fn parse(name: &str) -> Result<LogName, LedgerError> {
    name.parse().map_err(|_| LedgerError::BadName(name.to_owned()))
}
