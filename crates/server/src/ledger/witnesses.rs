//! Witnesses (C2SP tlog-witness): each new checkpoint of the cell's log goes to those that the operator's policy names, and what
//! they say of it is kept beside it.
//!
//! # Invariants
//! - No transaction is open while a witness is asked, and nothing waits for one: a checkpoint is published without it.
//! - A line is verified before it is stored (`ask`) and again before it is handed out (`cosigned`): rows vouch for nothing.
//! - One node asks a witness at a time; one that failed is left alone for a while, the longer the more often it failed.
//! - What a witness holds against the log, that it shrank or was rewritten, is an alert.

mod ask;
mod cosigned;
mod sql;

use std::collections::BTreeMap;
use std::time::Duration;

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::log::Log;
use bailiwick_proof::policy::{Policy, PolicyWitness};
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use self::ask::{Asked, Fault};
use super::cell::Ledger;
use super::error::LedgerError;
use super::keys;
use crate::db::{Db, OperationalPath, Unrecorded};
use crate::vault::Alert;

pub(super) use cosigned::newest_cosigned;
pub use cosigned::{cell_checkpoint, cosigners};

/// Without a checkpoint of this node's own it is looked so often: other nodes sign too, and witnesses come back.
const LOOK: Duration = Duration::from_secs(2);
/// Rounds begin so far apart at least, so that all witnesses are asked for the same sizes.
const PACE: Duration = Duration::from_secs(1);
/// A node that has not said how it went by then has died.
const TURN: time::Duration = time::Duration::seconds(30);
/// A turn ends before that, whatever the witness does.
const TURN_LIMIT: Duration = Duration::from_secs(25);
/// After so many failures in a row the pauses become no longer; each is so many seconds.
const LONGEST_PAUSE: i32 = 30;
/// So many of the newest sizes keep their cosignatures, and the newest that the policy is content with.
const SIZES_KEPT: usize = 20;

/// How it stands with a witness.
#[derive(Clone, Debug)]
pub struct WitnessState {
    /// The name and id of its key.
    pub witness: String,
    /// What it cosigned last: generation, size, and when by its own clock.
    pub cosigned: Option<(u32, u64, OffsetDateTime)>,
    /// When it was asked last.
    pub asked_at: OffsetDateTime,
    /// Until when nobody asks it.
    busy_until: OffsetDateTime,
    /// How often it failed since it cosigned last.
    pub failures: u32,
    /// What was wrong last, and when.
    pub fault: Option<(String, OffsetDateTime)>,
}

/// What is to be cosigned.
#[derive(Clone)]
struct Target {
    generation: u32,
    size: u64,
    checkpoint: SignedCheckpoint,
}

/// How it stands with every witness that was ever asked, and the size of the newest checkpoint.
///
/// # Errors
/// [`LedgerError`].
pub async fn witness_states(db: &Db) -> Result<(Vec<WitnessState>, Option<u64>), LedgerError> {
    let mut tx = db.system_tx(OperationalPath::AskWitnesses).await?;
    let (states, newest) = (sql::states(&mut tx).await?, sql::newest(&mut tx).await?);
    tx.finish_reading().await?;
    Ok((states, newest.map(|newest| newest.size)))
}

/// Asks the witnesses of the ledger's policy, for as long as it is polled; without a policy there is nothing to do, for ever.
pub(super) async fn keep_asking(ledger: &Ledger) {
    let Some(policy) = ledger.policy() else { return std::future::pending().await };
    let Some(client) = ask::client() else { return std::future::pending().await };
    let mut asking: JoinSet<()> = JoinSet::new();
    let mut at_hand: BTreeMap<tokio::task::Id, String> = BTreeMap::new();
    let mut begun = Instant::now();
    loop {
        tokio::select! {
            () = ledger.cell_signed() => sleep(PACE.saturating_sub(begun.elapsed())).await,
            () = sleep(LOOK) => {}
            Some(ended) = asking.join_next_with_id() => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(error) => error.id(),
                };
                at_hand.remove(&id);
                continue;
            }
        }
        begun = Instant::now();
        match behind(ledger, policy).await {
            Ok(None) => {}
            Ok(Some((target, witnesses))) => {
                for witness in witnesses {
                    let name = witness.key.short();
                    if at_hand.values().any(|asked| *asked == name) {
                        continue;
                    }
                    let turn = turn(ledger.clone(), client.clone(), witness, target.clone());
                    at_hand.insert(asking.spawn(turn).id(), name);
                }
            }
            Err(error) => super::cell::failed("cosign", &error),
        }
    }
}

/// The newest checkpoint, and the witnesses that have not cosigned it and may be asked now. Counts how all of them stand.
async fn behind(ledger: &Ledger, policy: &Policy) -> Result<Option<(Target, Vec<PolicyWitness>)>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::AskWitnesses).await?;
    let (states, newest) = (sql::states(&mut tx).await?, sql::newest(&mut tx).await?);
    tx.finish_reading().await?;
    let now = ledger.clock().now();
    let mut wanted = Vec::new();
    for witness in policy.witnesses().filter(|witness| witness.url.is_some()) {
        let state = states.iter().find(|state| state.witness == witness.key.short());
        measure(&witness.key.short(), state);
        let cosigned = state.and_then(|state| state.cosigned).map(|(generation, size, _)| (generation, size));
        let is_behind = newest.as_ref().is_some_and(|newest| cosigned != Some((newest.generation, newest.size)));
        if is_behind && state.is_none_or(|state| state.busy_until <= now) {
            wanted.push(witness.clone());
        }
    }
    let Some(newest) = newest.filter(|_| !wanted.is_empty()) else { return Ok(None) };
    let origin = ledger.origin(Log::Cell, newest.generation)?.to_string();
    let forged = || LedgerError::ForgedCheckpoint { origin: origin.clone(), size: newest.size };
    let known: Vec<_> = keys::published_of_cell(ledger).await?.keys;
    let known: Vec<_> = known.iter().map(|jwk| jwk.verifier().clone()).collect();
    let checkpoint: SignedCheckpoint = newest.note.parse().map_err(|_| forged())?;
    let verified = checkpoint.verify(&known).map_err(|_| forged())?;
    if verified.origin != origin || verified.size != newest.size {
        return Err(forged());
    }
    Ok(Some((Target { generation: newest.generation, size: newest.size, checkpoint }, wanted)))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; sizes and times are far below 2^52")]
fn measure(witness: &str, state: Option<&WitnessState>) {
    let cosigned = state.and_then(|state| state.cosigned);
    let (size, at) = cosigned.map_or((0, 0), |(_, size, at)| (size, at.unix_timestamp()));
    metrics::gauge!("bailiwick_witness_size", "witness" => witness.to_owned()).set(size as f64);
    metrics::gauge!("bailiwick_witness_cosigned_seconds", "witness" => witness.to_owned()).set(at as f64);
    let failures = state.map_or(0, |state| state.failures);
    metrics::gauge!("bailiwick_witness_failures", "witness" => witness.to_owned()).set(f64::from(failures));
}

/// Asks one witness, unless another node does, and writes down how it went.
async fn turn(ledger: Ledger, client: reqwest::Client, witness: PolicyWitness, target: Target) {
    let name = witness.key.short();
    let outcome = match take_turn(&ledger, &client, &witness, &target).await {
        Ok(None) => return,
        Ok(Some(Ok(()))) => "cosigned",
        Ok(Some(Err(fault))) => {
            tracing::warn!(event = "witness_failed", witness = name, size = target.size, cause = %fault);
            fault.word()
        }
        Err(error) => {
            super::cell::failed("cosign", &error);
            "ledger_failed"
        }
    };
    metrics::counter!("bailiwick_witness_asked_total", "witness" => name, "outcome" => outcome).increment(1);
}

async fn take_turn(
    ledger: &Ledger,
    client: &reqwest::Client,
    witness: &PolicyWitness,
    target: &Target,
) -> Result<Option<Result<(), Fault>>, LedgerError> {
    let name = witness.key.short();
    let now = ledger.clock().now();
    let mut tx = ledger.db().system_tx(OperationalPath::AskWitnesses).await?;
    let claimed = sql::claim(&mut tx, &name, target, now, now + TURN).await?;
    tx.commit_unrecorded(Unrecorded::Cosigned).await?;
    let Some(known) = claimed else { return Ok(None) };
    // What it cosigned of another generation says nothing of this one.
    let old = known.filter(|(generation, _)| *generation == target.generation).map_or(0, |(_, size)| size);
    let asked = timeout(TURN_LIMIT, ask::ask(ledger, client, witness, target, old)).await;
    match asked.unwrap_or(Ok(Err(Fault::Silent)))? {
        Ok(asked) => {
            keep(ledger, &name, target, &asked).await?;
            Ok(Some(Ok(())))
        }
        Err(fault) => {
            if fault.is_held_against_us() {
                ledger.vault().alerts().raise(Alert {
                    what: "witness_objects",
                    of: "ledger",
                    workspace: Uuid::nil(),
                    row: format!("{name}: {}", fault.word()),
                });
            }
            let now = ledger.clock().now();
            let mut tx = ledger.db().system_tx(OperationalPath::AskWitnesses).await?;
            sql::failed(&mut tx, &name, &fault.to_string(), LONGEST_PAUSE, now).await?;
            tx.commit_unrecorded(Unrecorded::Cosigned).await?;
            Ok(Some(Err(fault)))
        }
    }
}

/// Stores a verified line, and drops those that nobody will ask for.
async fn keep(ledger: &Ledger, name: &str, target: &Target, asked: &Asked) -> Result<(), LedgerError> {
    let now = ledger.clock().now();
    let mut tx = ledger.db().system_tx(OperationalPath::AskWitnesses).await?;
    sql::insert(&mut tx, name, target, asked, now).await?;
    sql::cosigned(&mut tx, name, target, asked, now).await?;
    let stored = sql::stored(&mut tx, None).await?;
    let mut sizes: Vec<u64> =
        stored.iter().filter(|row| row.generation == target.generation).map(|row| row.size).collect();
    sizes.dedup();
    if let Some(least) = sizes.get(SIZES_KEPT - 1) {
        let content = cosigned::newest_that_satisfies(ledger, &stored, target.generation);
        sql::prune(&mut tx, target.generation, *least, content).await?;
    }
    tx.commit_unrecorded(Unrecorded::Cosigned).await?;
    Ok(())
}
