//! Make and revoke links, and the receipt that one shows.

use bailiwick_proof::id::{EventId, Id, ReceiptShareId};
use bailiwick_proof::log::Log;
use bailiwick_proof::receipt::Receipt;
use serde_json::json;
use time::Duration;

use super::model::{DAYS, ReceiptShare, ShareReceipt, ShareToken, USUAL_DAYS};
use super::sql;
use crate::audit::model::Row;
use crate::audit::ops::{self, ReadError};
use crate::audit::sql as entries;
use crate::authz::{Notary, SharedReceipt};
use crate::db::{Authority as _, Db, DbError, OperationalPath, Recorded, Unrecorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry, Ledger, LedgerError, Mismatch, ProveError, Signed};
use crate::vault::{Owner, Vault, VaultError};

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShareError {
    /// There is no such entry, as far as the caller can tell.
    #[error("there is no such entry")]
    NotFound,
    /// That many days are too few or too many.
    #[error("a link works for {} to {} days", DAYS.start(), DAYS.end())]
    Days,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Makes a link: the row and the entry that says what it opens, in one transaction.
pub(super) async fn share(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    entropy: &Entropy,
    event: EventId,
    wanted: &ShareReceipt,
) -> Result<(ReceiptShare, ShareToken, Recorded), ShareError> {
    let days = wanted.days.unwrap_or(USUAL_DAYS);
    let now = tx.context().received_at;
    let ends = now.checked_add(Duration::days(days.into())).filter(|_| DAYS.contains(&days));
    let expires_at = ends.ok_or(ShareError::Days)?;
    let found = entries::get(tx, event).await?.ok_or(ShareError::NotFound)?;
    let token = ShareToken::new(entropy);
    let share = ReceiptShare {
        id: Id::from_uuid(entropy.uuid_v7(now)),
        event_id: event,
        environment: tx.environment(),
        project_id: found.row.project,
        open: wanted.open.clone(),
        created_by: tx.actor().to_owned(),
        created_at: now,
        expires_at,
        revoked_at: None,
        views: 0,
    };
    let stamp = sql::insert(tx, notary, &share, &token.digest()).await?;
    let meta = json!({
        "event_id": event.to_string(),
        "open": share.open_words(),
        "expires_at_ms": expires_at.unix_timestamp() * 1_000,
    });
    let entry = Entry::about(Action::ReceiptShared, share.id).with(meta).changing([stamp]).within(share.project_id);
    let recorded = ledger::stage(tx, entropy, entry);
    Ok((share, token, recorded))
}

/// Revokes a link; `None` if there is none that could be.
pub(super) async fn revoke(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    entropy: &Entropy,
    share: ReceiptShareId,
) -> Result<Option<Recorded>, DbError> {
    let Some((share, stamp)) = sql::revoke(tx, notary, share).await? else { return Ok(None) };
    let entry = Entry::about(Action::ReceiptShareRevoked, share.id)
        .with(json!({"event_id": share.event_id.to_string()}))
        .changing([stamp])
        .within(share.project_id);
    Ok(Some(ledger::stage(tx, entropy, entry)))
}

/// What the page of a link shows.
pub(super) enum Shown {
    /// The receipt, which verified here.
    Good(Box<Receipt>),
    /// The log was altered where the receipt comes from: what can be made of it fails in every verifier.
    Broken(Mismatch),
}

/// Why a link shows nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum HiddenError {
    /// There is nothing to be shown: the entry was pruned, the workspace was shredded, or its logs are frozen.
    #[error("there is nothing to be shown")]
    Gone,
    /// It cannot be told now.
    #[error(transparent)]
    Read(ReadError),
}

impl From<ReadError> for HiddenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound
            | ReadError::Cursor
            | ReadError::Prove(
                ProveError::Pruned(_)
                | ProveError::NoCheckpoint { .. }
                | ProveError::Ledger(
                    LedgerError::NoSuchLog
                    | LedgerError::Behind { .. }
                    | LedgerError::Forked { .. }
                    | LedgerError::Frozen { .. }
                    | LedgerError::UnknownGeneration { .. }
                    | LedgerError::ForgedCheckpoint { .. }
                    | LedgerError::Vault(VaultError::Shredded),
                ),
            ) => Self::Gone,
            error => Self::Read(error),
        }
    }
}

impl From<LedgerError> for HiddenError {
    fn from(error: LedgerError) -> Self {
        ReadError::from(error).into()
    }
}

/// What a link shows at this moment: nothing that was chosen is shown any more once its subject is erased.
pub(super) async fn shown(
    shared: &SharedReceipt,
    db: &Db,
    vault: &Vault,
    ledger: &Ledger,
) -> Result<Shown, HiddenError> {
    // Asked anew each time: another process may have shredded the workspace a moment ago.
    match vault.keys_of_now(Owner::Workspace(shared.workspace())).await {
        Err(VaultError::Shredded) => return Err(HiddenError::Gone),
        Err(error) => return Err(LedgerError::from(error).into()),
        Ok(_) => {}
    }
    if ledger::frozen(ledger).await?.contains_key(&shared.workspace().uuid()) {
        return Err(HiddenError::Gone);
    }
    match receipt(shared, db, ledger).await {
        Ok(receipt) => Ok(Shown::Good(Box::new(receipt))),
        Err(ReadError::Prove(ProveError::Mismatch(mismatch))) => Ok(Shown::Broken(mismatch)),
        Err(error) => Err(error.into()),
    }
}

async fn receipt(shared: &SharedReceipt, db: &Db, ledger: &Ledger) -> Result<Receipt, ReadError> {
    let log = Log::Workspace { workspace: shared.workspace(), environment: shared.environment() };
    let row = row(shared, db, (ledger, log)).await?;
    let signed = ledger.checkpoint_over(log, row.stored.generation).await?;
    if row.stored.seq >= signed.size && signed.generation == row.stored.generation {
        return Err(ProveError::NoCheckpoint { size: row.stored.seq + 1 }.into());
    }
    receipt_at(shared, db, &row, &signed).await
}

/// The entry that a link is about, as far as it opens.
pub(super) async fn row(shared: &SharedReceipt, db: &Db, (ledger, log): (&Ledger, Log)) -> Result<Row, ReadError> {
    let mut tx = db.workspace_tx(shared).await?;
    let row = entries::get(&mut tx, shared.event()).await?.ok_or(ReadError::NotFound)?;
    tx.finish_reading().await?;
    ops::opened(ledger, log, row).await
}

/// The receipt against one checkpoint, with what the link opens.
pub(super) async fn receipt_at(
    shared: &SharedReceipt,
    db: &Db,
    row: &Row,
    signed: &Signed,
) -> Result<Receipt, ReadError> {
    let mut tx = db.workspace_tx(shared).await?;
    let receipt = ledger::receipt(&mut tx, signed, &row.stored, shared.open()).await?;
    tx.finish_reading().await?;
    if !row.stored.is_event(shared.event()) {
        let what = "is found under the id of another event";
        return Err(Mismatch { seq: row.stored.seq, what, receipt: None }.into());
    }
    Ok(receipt)
}

/// Counts that the page was shown, of whom nothing is kept. What fails here hides nothing.
pub(super) async fn count(shared: &SharedReceipt, db: &Db) {
    let counted = async {
        let mut tx = db.system_tx(OperationalPath::OpenReceiptShare).await?;
        sql::count(&mut tx, shared).await?;
        tx.commit_unrecorded(Unrecorded::Viewed).await
    };
    if let Err(error) = counted.await {
        tracing::warn!(event = "receipt_share.not_counted", cause = %error);
    }
}
