//! The queue's statements: into it, out of it in batches, and the ends that a job can come to.
//!
//! Under a long transaction elsewhere, ended jobs stay in the index as dead entries that every scan would have to step
//! over. So a claim begins where the last one of its lane ended, and only [`due_lanes`], which is asked once a second at
//! most, begins at the beginning. Each subquery has a limit, so that no plan reads a lane to its end.

mod ending;
mod waiting;

pub(super) use ending::{Ending, bury, expire_dead, finish, give_back, put_off, renew};
pub(super) use waiting::{Count, DueLane, claim, counts, due_lanes, enqueue, enqueue_in_cell, notify};

use time::OffsetDateTime;
use uuid::Uuid;

use super::wake::Lane;
use crate::db::{DbError, SystemTx};

/// A job as it is enqueued.
pub(super) struct New {
    pub(super) id: Uuid,
    pub(super) payload_sealed: Option<Vec<u8>>,
}

/// A job as it was claimed.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) workspace_id: Uuid,
    pub(super) environment: String,
    pub(super) project_id: Option<Uuid>,
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) retrying: bool,
    pub(super) due_at: OffsetDateTime,
    pub(super) attempts: i16,
    pub(super) fence: i64,
    pub(super) payload_sealed: Option<Vec<u8>>,
}

/// How much is claimed of a lane, and from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) lane: Lane,
    /// Due time and id of the last job that was claimed of it.
    pub(super) after: (OffsetDateTime, Uuid),
    pub(super) at_most: usize,
}

/// A plan that was made while the queue was empty would be kept when it is full, so none is kept.
pub(super) async fn plan_anew(tx: &mut SystemTx) -> Result<(), DbError> {
    sqlx::query!("SET LOCAL plan_cache_mode = force_custom_plan").execute(tx.connection()?).await?;
    Ok(())
}
