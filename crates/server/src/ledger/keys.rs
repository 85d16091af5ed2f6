//! The keys that sign checkpoints: one Ed25519 key for each log, sealed; for a while two, when it is rotated.

mod sql;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::jose::{Jwk, Jwks};
use bailiwick_proof::log::{Log, LogName, Origin};
use bailiwick_proof::note::{SigningKey, VerifierKey};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::cell::Ledger;
use super::error::LedgerError;
use super::{Action, Entry, place};
use crate::context::RequestContext;
use crate::db::{OperationalPath, SystemTx};
use crate::vault::{LEDGER_KEY, Owner, Place, RowId};

pub(super) use sql::generation;

/// How long a retired key signs beside its successor, for those who know only it.
const OVERLAP: Duration = Duration::days(30);

/// A key's row.
struct Row {
    kid: String,
    generation: i32,
    public_key: Vec<u8>,
    seed_sealed: Vec<u8>,
    retired_at: Option<OffsetDateTime>,
}

/// Makes a log's first key.
pub(super) async fn make_first(
    ledger: &Ledger,
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
) -> Result<(), LedgerError> {
    let now = ledger.clock().now();
    insert_new(ledger, tx, log, generation, now).await.map(|_| ())
}

/// Retires the key of the generation before, and makes the first of this one.
pub(super) async fn begin_generation(
    ledger: &Ledger,
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
) -> Result<(), LedgerError> {
    let now = ledger.clock().now();
    sql::retire(tx, log, now).await?;
    insert_new(ledger, tx, log, generation, now).await.map(|_| ())
}

async fn insert_new(
    ledger: &Ledger,
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
    now: OffsetDateTime,
) -> Result<Jwk, LedgerError> {
    let seed = zeroize::Zeroizing::new(ledger.entropy().bytes::<32>());
    let key = SigningKey::from_seed(&ledger.origin(log, generation)?.to_string(), &seed)
        .map_err(|_| LedgerError::MalformedKey)?;
    let jwk = Jwk::from(key.verifier().clone());
    let sealed = ledger.vault().seal(Owner::Cell, &seal_place(&seal_row(log, &jwk.kid())), seed.as_slice()).await?;
    sql::insert(tx, log, generation, &jwk.kid(), key.verifier().public(), &sealed, now).await?;
    Ok(jwk)
}

/// The keys that sign a checkpoint now, the newest first.
pub(super) async fn signing(
    ledger: &Ledger,
    tx: &mut SystemTx,
    log: Log,
    generation: u32,
) -> Result<Vec<SigningKey>, LedgerError> {
    let since = ledger.clock().now() - OVERLAP;
    let current = |row: &Row| {
        u32::try_from(row.generation) == Ok(generation) && row.retired_at.is_none_or(|retired_at| retired_at > since)
    };
    let mut keys = Vec::new();
    for row in sql::of_log(tx, log).await?.iter().filter(|row| current(row)) {
        match open(ledger, log, row).await {
            Ok(key) => keys.push(key),
            // Sealed under a key that was lost: its successor signs alone.
            Err(LedgerError::Vault(error)) if row.retired_at.is_some() && !error.passes() => {}
            Err(LedgerError::MalformedKey) if row.retired_at.is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}

/// The key itself. A row whose seed is not that of its public half was put there by hand.
async fn open(ledger: &Ledger, log: Log, row: &Row) -> Result<SigningKey, LedgerError> {
    let generation = u32::try_from(row.generation).map_err(|_| LedgerError::MalformedKey)?;
    let name = ledger.origin(log, generation)?.to_string();
    let seed = ledger.vault().unseal(Owner::Cell, &seal_place(&seal_row(log, &row.kid)), &row.seed_sealed).await?;
    let seed = (*seed).try_into().map_err(|_| LedgerError::MalformedKey)?;
    let key = SigningKey::from_seed(&name, seed).map_err(|_| LedgerError::MalformedKey)?;
    if key.verifier().public().as_slice() == row.public_key { Ok(key) } else { Err(LedgerError::MalformedKey) }
}

/// The public keys of a log, of all its generations, the newest first, as the rows say: for the check, which
/// compares what they signed with the entries. A row that is no key was put there by hand, and keeps nobody from looking.
pub(super) async fn of_log(tx: &mut SystemTx, log: Log, name: &LogName) -> Result<Vec<VerifierKey>, LedgerError> {
    let key = |row: &Row| {
        let public = row.public_key.as_slice().try_into().ok()?;
        let origin = Origin::new(name.clone(), log, u32::try_from(row.generation).ok()?).ok()?;
        VerifierKey::new(&origin.to_string(), public).ok()
    };
    let (workspace, _) = place::columns(log);
    let mut keys = Vec::new();
    for row in sql::of_log(tx, log).await? {
        match key(&row) {
            Some(key) => keys.push(key),
            None => tracing::error!(event = "ledger_key_refused", workspace_id = %workspace, kid = row.kid),
        }
    }
    Ok(keys)
}

/// The JWKS of a workspace (RFC 7517): the live log's keys, the newest first, then the test log's. Only keys whose seed
/// opens stand in it, so that nobody who can write to the table alone adds one. Empty for a workspace that is not there.
///
/// # Errors
/// See [`LedgerError`].
pub async fn published(ledger: &Ledger, workspace: WorkspaceId) -> Result<Jwks, LedgerError> {
    let logs = read_published(ledger, workspace).await?;
    if logs.iter().all(|keys| !keys.is_empty()) {
        return Ok(all(logs));
    }
    // A workspace that was founded a moment ago; perhaps after one of its logs was looked at, and before the other.
    ledger.settle(Log::Workspace { workspace, environment: Environment::Live }).await?;
    Ok(all(read_published(ledger, workspace).await?))
}

fn all(logs: [Vec<VerifierKey>; 2]) -> Jwks {
    Jwks { keys: logs.into_iter().flatten().map(Jwk::from).collect() }
}

/// The keys of the cell's own log, by which manifests are checked.
///
/// # Errors
/// See [`LedgerError`].
pub async fn published_of_cell(ledger: &Ledger) -> Result<Jwks, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::PublishLedgerKeys).await?;
    let keys = that_open(ledger, &mut tx, Log::Cell).await?;
    tx.finish_reading().await?;
    Ok(Jwks { keys: keys.into_iter().map(Jwk::from).collect() })
}

/// Those of the live log and of the test log.
async fn read_published(ledger: &Ledger, workspace: WorkspaceId) -> Result<[Vec<VerifierKey>; 2], LedgerError> {
    let log = |environment| Log::Workspace { workspace, environment };
    let mut tx = ledger.db().system_tx(OperationalPath::PublishLedgerKeys).await?;
    let live = that_open(ledger, &mut tx, log(Environment::Live)).await?;
    let test = that_open(ledger, &mut tx, log(Environment::Test)).await?;
    tx.finish_reading().await?;
    Ok([live, test])
}

/// The public keys of a log, of all its generations, the newest first: those whose seed opens.
pub(super) async fn that_open(ledger: &Ledger, tx: &mut SystemTx, log: Log) -> Result<Vec<VerifierKey>, LedgerError> {
    let mut keys = Vec::new();
    for row in sql::of_log(tx, log).await? {
        match open(ledger, log, &row).await {
            Ok(key) => keys.push(key.verifier().clone()),
            Err(error) => {
                let (workspace, _) = place::columns(log);
                tracing::error!(event = "ledger_key_refused", workspace_id = %workspace, kid = row.kid, cause = %error);
            }
        }
    }
    Ok(keys)
}

/// Gives a log another key, with an entry that names both; answers the new one. The old key goes on signing beside it
/// for 30 days.
///
/// # Errors
/// [`LedgerError::NoSuchLog`], and see [`LedgerError`].
pub async fn rotate(ledger: &Ledger, log: Log) -> Result<Jwk, LedgerError> {
    let context = RequestContext::internal(ledger.clock(), ledger.entropy());
    let mut tx = ledger.db().system_tx(OperationalPath::RotateLedgerKey).await?;
    let generation = sql::generation(&mut tx, log).await?.ok_or(LedgerError::NoSuchLog)?;
    let retired = sql::retire(&mut tx, log, context.received_at).await?;
    let jwk = insert_new(ledger, &mut tx, log, generation, context.received_at).await?;
    let entry = Entry::about(Action::LedgerKeyRotated, jwk.kid())
        .with(json!({"retired": retired, "vkey": jwk.verifier().to_string(), "overlap_days": OVERLAP.whole_days()}));
    let recorded = super::stage::stage_by_system(&mut tx, ledger.entropy(), &context, log, &entry).await?;
    tx.commit(recorded).await?;
    Ok(jwk)
}

/// Every log that has a head.
///
/// # Errors
/// See [`LedgerError`].
pub async fn logs(ledger: &Ledger) -> Result<Vec<Log>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::RotateLedgerKey).await?;
    let rows = sql::logs(&mut tx).await?;
    tx.finish_reading().await?;
    Ok(rows.into_iter().filter_map(|(workspace, environment)| place::log(workspace, &environment)).collect())
}

/// Where a seed is sealed to: its log and its own id.
fn seal_row(log: Log, kid: &str) -> RowId {
    let (workspace, environment) = place::columns(log);
    RowId::new().uuid(workspace).text(environment).text(kid)
}

fn seal_place(row: &RowId) -> Place<'_> {
    Place { column: &LEDGER_KEY, row: row.as_bytes(), subject: None }
}
