//! Saying that a workspace demands a factor, or no more: the change, its entry, and the mails to those whom it keeps out.

use serde_json::json;

use super::{WorkspaceSecurity, sql};
use crate::authz::{Denied, Granted, Notary, may};
use crate::db::{DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::jobs::{EnqueueError, Queue};
use crate::ledger::{self, Action, Entry};
use crate::mail::{self, FactorNews, Message};
use crate::members::{MailMember, sql as people};

/// So many are shown.
const SHOWN: i64 = 100;
/// So many are told.
const TOLD: i64 = 10_000;

/// What a change is made with.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) notary: &'a Notary,
    pub(super) entropy: &'a Entropy,
    pub(super) queue: &'a Queue,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DemandError {
    /// Who asks lost the right meanwhile, or the lookup failed.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A mail cannot be sealed.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How it stands.
pub(super) async fn look(tx: &mut WorkspaceTx, notary: &Notary) -> Result<WorkspaceSecurity, DbError> {
    let require_mfa = people::demands_factor(tx, notary).await?;
    Ok(WorkspaceSecurity { require_mfa, members_without: sql::without_factor(tx, notary, SHOWN).await? })
}

/// Says it anew; `None` if it is said already.
pub(super) async fn say(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::ManageMembers>,
    with: With<'_>,
    require_mfa: bool,
) -> Result<Option<Recorded>, DemandError> {
    people::lock_people(tx).await?;
    granted.ceiling(tx, with.notary).await?;
    let Some(workspace) = sql::demand(tx, with.notary, require_mfa).await? else { return Ok(None) };
    let mut stamps = sql::demand_of_members(tx, with.notary, require_mfa).await?;
    let members = stamps.len();
    stamps.push(workspace);
    if require_mfa {
        tell(tx, with).await?;
    }
    let words = json!({"required": require_mfa, "members": members});
    let entry = Entry::about(Action::WorkspaceMfaChanged, tx.workspace()).with(words).changing(stamps);
    Ok(Some(ledger::stage(tx, with.entropy, entry)))
}

/// Those who have no factor are told how to come in again.
async fn tell(tx: &mut WorkspaceTx, with: With<'_>) -> Result<(), DemandError> {
    let (now, name) = (tx.context().received_at, sql::workspace_name(tx).await?);
    let news = FactorNews::Demanded { workspace: &name };
    let addresses = sql::without_factor(tx, with.notary, TOLD).await?;
    let messages: Vec<Message> = addresses.iter().map(|to| mail::factor_news(to, &news, now)).collect();
    if !messages.is_empty() {
        with.queue.enqueue_all::<MailMember>(tx, &messages, now).await?;
    }
    Ok(())
}
