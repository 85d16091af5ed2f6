//! What retention pruned, as a follower sees it: hashes, and what the entries said of rows, which stays.

use bailiwick_proof::chain::ChainVerifier;

use super::{PAGE, Told, said_of, sql};
use crate::authz::Notary;
use crate::db::OperationalPath;
use crate::ledger::cell::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::{check, cut};

/// Passes over the entries that are missing next, if a cut says that they went, and tells what they said of rows; whether it
/// did, or why the log is not what it was.
pub(super) async fn pass_over(
    ledger: &Ledger,
    notary: &Notary,
    head: &sql::Head,
    chain: &mut ChainVerifier,
    tell: &mut impl FnMut(Told),
) -> Result<Result<bool, String>, LedgerError> {
    let (log, generation, next) = (head.log, head.generation, chain.seq());
    let mut tx = ledger.db().system_tx(OperationalPath::VerifyLedger).await?;
    let first = cut::sql::first_there(tx.connection()?, log, generation, next).await?.unwrap_or(next);
    let vault = Some(ledger.vault());
    let Some(cut) = cut::covering(tx.connection()?, vault, log, (generation, first)).await? else {
        tx.finish_reading().await?;
        return Ok(Ok(false));
    };
    let kept = cut::sql::of_rows(tx.connection()?, log, generation, (0, cut.to)).await?;
    let mut leaves = Vec::new();
    let mut seq = next;
    while seq < first {
        let page = check::sql::leaves(&mut tx, log, generation, seq, PAGE).await?;
        let before = seq;
        while seq < first
            && let Some(leaf) = page.get(&seq)
        {
            leaves.push(*leaf);
            seq += 1;
        }
        if seq == before {
            tx.finish_reading().await?;
            return Ok(Err(format!("entry {seq} has lost its place in the tree")));
        }
    }
    tx.finish_reading().await?;
    if cut::digest(&kept) != cut.kept {
        return Ok(Err(format!("what entries below {} said of rows is not what was kept of it", cut.to)));
    }
    let mut told = Vec::new();
    for (seq, bound) in kept.iter().filter(|(seq, _)| (next..first).contains(seq)) {
        match said_of(ledger, notary, (log, generation, *seq), bound).await? {
            Some(stamped) => told.extend(stamped.into_iter().map(Told::Changed)),
            None => told.push(Told::Silent { log, seq: *seq }),
        }
    }
    // No waiting from here on: an entry is passed over and told of, or neither.
    leaves.into_iter().for_each(|leaf| chain.skip(leaf));
    told.into_iter().for_each(tell);
    Ok(Ok(true))
}
