//! What happened: every change stages an entry in its own transaction.
//!
//! # Invariants
//! - `stage` (and [`stage_in_cell`] for the cell's own log) alone makes a [`Recorded`], and a writing
//!   transaction commits by it: a change and its entry are there together or not at all.
//! - Actor, request, trace and time come from the transaction, so an entry cannot be attributed to
//!   somebody else by mistake. Targets and meta hold ids and words of ours, never free text.
//!
//! Staged entries are rows so far: nothing links, signs or proves them yet.

mod action;
mod sql;

use bailiwick_proof::id::{EventId, Id};
use serde_json::{Value, json};

pub use action::Action;

use crate::context::RequestContext;
use crate::db::{DbError, Recorded, SystemTx, WorkspaceTx};
use crate::entropy::Entropy;

/// One entry, as a feature words it.
pub struct Entry {
    /// What happened.
    pub action: Action,
    /// What it happened to: a JSON object with `kind` and `id`.
    pub target: Value,
    /// What else is worth knowing.
    pub meta: Value,
}

impl Entry {
    /// An entry about a thing with an id.
    #[must_use]
    pub fn about(action: Action, kind: &str, id: impl std::fmt::Display) -> Self {
        Self { action, target: json!({"kind": kind, "id": id.to_string()}), meta: json!({}) }
    }

    /// With more to say.
    #[must_use]
    pub fn with(mut self, meta: Value) -> Self {
        self.meta = meta;
        self
    }
}

/// Stages an entry in the workspace's log, in the transaction of the change itself.
///
/// # Errors
/// [`DbError`] when the row cannot be written.
pub async fn stage(tx: &mut WorkspaceTx, entropy: &Entropy, entry: &Entry) -> Result<Recorded, DbError> {
    let event: EventId = Id::from_uuid(entropy.uuid_v7(tx.context().received_at));
    sql::insert(tx, event, entry).await?;
    Ok(Recorded::staged())
}

/// Stages an entry in the cell's own log: accounts, sessions, failed sign-ins.
///
/// # Errors
/// [`DbError`] when the row cannot be written.
pub async fn stage_in_cell(
    tx: &mut SystemTx,
    entropy: &Entropy,
    context: &RequestContext,
    actor: &Value,
    entry: &Entry,
) -> Result<Recorded, DbError> {
    let event: EventId = Id::from_uuid(entropy.uuid_v7(context.received_at));
    sql::insert_in_cell(tx, event, context, actor, entry).await?;
    Ok(Recorded::staged())
}
