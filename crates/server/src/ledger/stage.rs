//! Staging: the entry's makings, in the transaction of the change.

mod sql;

use bailiwick_proof::canonical;
use bailiwick_proof::id::{EventId, Id, ProjectId};
use bailiwick_proof::log::Log;
use serde_json::{Value, json};

use super::Action;
use crate::authz::vouched::stamp::Stamp;
use crate::context::RequestContext;
use crate::db::{DbError, Recorded, StagedEntry, SystemTx, WorkspaceTx};
use crate::entropy::Entropy;

/// Who acts when nobody asked.
pub(super) const SYSTEM: &str = "system";
/// Who acts by a command of the server's.
pub const OPERATOR: &str = "operator";

/// One entry, as a feature words it.
#[derive(Clone)]
pub struct Entry {
    pub(super) action: String,
    /// Whose doing it was, where that is not the principal: a customer's own word for a subject of theirs.
    pub(super) actor: Option<String>,
    pub(super) target: String,
    pub(super) project: Option<ProjectId>,
    pub(super) meta: Value,
    /// Of the rows that grant something and changed with it.
    pub(super) rows: Option<Vec<u8>>,
}

impl Entry {
    /// An action of ours, about a thing with an id.
    #[must_use]
    pub fn about(action: Action, target: impl std::fmt::Display) -> Self {
        let action = action.as_str().to_owned();
        Self { action, actor: None, target: target.to_string(), project: None, meta: json!({}), rows: None }
    }

    /// What a customer's own program tells: its action, and its own words for who and what.
    ///
    /// # Errors
    /// When `meta` holds what canonical JSON does not have: a fraction, or an integer of 2^53 or more.
    pub fn told(action: String, actor: String, target: String, meta: Value) -> Result<Self, canonical::NotCanonical> {
        canonical::to_string(&meta)?;
        Ok(Self { action, actor: Some(actor), target, project: None, meta, rows: None })
    }

    /// What happened.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// With more to say: ids, words of ours and whole numbers, never free text.
    #[must_use]
    pub fn with(mut self, meta: Value) -> Self {
        self.meta = meta;
        self
    }

    /// Of a change of these rows, by which they can be held against the log.
    #[must_use]
    pub fn changing(mut self, stamps: impl IntoIterator<Item = Stamp>) -> Self {
        let rows = self.rows.get_or_insert_default();
        stamps.into_iter().for_each(|stamp| rows.extend_from_slice(stamp.bytes()));
        self
    }

    /// On the trail of this project.
    #[must_use]
    pub const fn within(mut self, project: Option<ProjectId>) -> Self {
        self.project = project;
        self
    }
}

/// A row that the server stages by itself, apart from where it goes.
struct Row<'a> {
    event: EventId,
    entry: &'a Entry,
    actor: &'a str,
    recorded_by: &'a str,
    context: &'a RequestContext,
}

/// Stages an entry in the workspace's log: the commit of the change itself writes it.
pub fn stage(tx: &mut WorkspaceTx, entropy: &Entropy, entry: Entry) -> Recorded {
    stage_told(tx, entropy, entry).1
}

/// As [`stage`], with the event's id.
pub fn stage_told(tx: &mut WorkspaceTx, entropy: &Entropy, entry: Entry) -> (EventId, Recorded) {
    let event: EventId = Id::from_uuid(entropy.uuid_v7(tx.context().received_at));
    let recorded_by = tx.actor().to_owned();
    let Entry { action, actor, target, project, meta, rows } = entry;
    let staged = StagedEntry {
        project: tx.project().project().or(project).map(Id::uuid),
        event: event.uuid(),
        action,
        actor: actor.unwrap_or_else(|| recorded_by.clone()),
        target,
        recorded_by,
        meta,
        rows,
    };
    tx.stage(staged);
    (event, Recorded::staged())
}

/// Stages an entry in the cell's own log: accounts, sessions, failed sign-ins.
///
/// # Errors
/// [`DbError`].
pub async fn stage_in_cell(
    tx: &mut SystemTx,
    entropy: &Entropy,
    context: &RequestContext,
    actor: &str,
    entry: &Entry,
) -> Result<Recorded, DbError> {
    stage_in_cell_told(tx, entropy, context, actor, entry).await.map(|(_, recorded)| recorded)
}

/// As [`stage_in_cell`], with the event's id.
///
/// # Errors
/// [`DbError`].
pub async fn stage_in_cell_told(
    tx: &mut SystemTx,
    entropy: &Entropy,
    context: &RequestContext,
    actor: &str,
    entry: &Entry,
) -> Result<(EventId, Recorded), DbError> {
    let event: EventId = Id::from_uuid(entropy.uuid_v7(context.received_at));
    sql::insert_in_cell(tx, &Row { event, entry, actor, recorded_by: actor, context }).await?;
    Ok((event, Recorded::staged()))
}

/// Stages an entry of the server's own doing, in the log that it concerns.
///
/// # Errors
/// [`DbError`].
pub async fn stage_by_system(
    tx: &mut SystemTx,
    entropy: &Entropy,
    context: &RequestContext,
    log: Log,
    entry: &Entry,
) -> Result<Recorded, DbError> {
    stage_for(tx, entropy, context, log, (SYSTEM, entry)).await.map(|(_, recorded)| recorded)
}

/// As [`stage_by_system`], of what the server does for somebody; with the event's id.
///
/// # Errors
/// [`DbError`].
pub async fn stage_for(
    tx: &mut SystemTx,
    entropy: &Entropy,
    context: &RequestContext,
    log: Log,
    (actor, entry): (&str, &Entry),
) -> Result<(EventId, Recorded), DbError> {
    let event: EventId = Id::from_uuid(entropy.uuid_v7(context.received_at));
    let row = Row { event, entry, actor, recorded_by: SYSTEM, context };
    match log {
        Log::Cell => sql::insert_in_cell(tx, &row).await?,
        Log::Workspace { workspace, environment } => sql::insert_for(tx, workspace, environment, &row).await?,
    }
    Ok((event, Recorded::staged()))
}
