//! The job `secrets.rotate`: what of a rotation is done while nobody waits.

use bailiwick_proof::id::Id;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::forget::ForgetVersions;
use super::{SecretRotation, State, about, sql, watch_ends_at};
use crate::authz::{Permission, PermissionSet, may};
use crate::db::{Db, DbError, Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::jobs::{Claimed, Done, EnqueueError, Failure, InWorkspace, Job, Policy, Queue};
use crate::ledger::{self, Action};

/// Brings a rotation on by one step, which ends the job.
pub struct RotateSecrets {
    db: Db,
    queue: Queue,
    entropy: Entropy,
}

impl RotateSecrets {
    /// With what its steps need.
    #[must_use]
    pub const fn new(db: Db, queue: Queue, entropy: Entropy) -> Self {
        Self { db, queue, entropy }
    }

    /// The values of the older versions go, and a job for the end of the watch takes this one's place.
    async fn revoke(
        &self,
        claimed: Claimed<Self>,
        mut tx: WorkspaceTx,
        mut rotation: SecretRotation,
    ) -> Result<Done, Failure> {
        let (revoked, subjects): (Vec<i32>, Vec<Option<u32>>) =
            sql::revoke_below(&mut tx, &rotation).await?.into_iter().unzip();
        let subjects: Vec<u32> = subjects.into_iter().flatten().collect();
        self.queue.enqueue::<ForgetVersions>(&mut tx, &subjects).await.map_err(not_enqueued)?;
        rotation.revoked_at = Some(tx.context().received_at);
        sql::update(&mut tx, &rotation).await?;
        self.come_back(&mut tx, &rotation).await?;
        let meta = json!({
            "rotation": rotation.id.to_string(), "versions": revoked, "new_version": rotation.new_version,
        });
        let entry = about(&mut tx, Action::SecretVersionRevoked, &rotation).await?.with(meta);
        let recorded = ledger::stage(&mut tx, &self.entropy, entry);
        claimed.commit(tx, recorded).await
    }

    async fn come_back(&self, tx: &mut WorkspaceTx, rotation: &SecretRotation) -> Result<(), Failure> {
        let at = watch_ends_at(rotation).unwrap_or(tx.context().received_at);
        let enqueued = self.queue.enqueue_all::<Self>(tx, &[rotation.id.uuid()], at).await;
        enqueued.map(drop).map_err(not_enqueued)
    }

    /// The watch is over: the receipt.
    async fn finish(
        &self,
        claimed: Claimed<Self>,
        mut tx: WorkspaceTx,
        mut rotation: SecretRotation,
    ) -> Result<Done, Failure> {
        let recorded = end_watch(&mut tx, &self.entropy, &mut rotation).await?;
        claimed.commit(tx, recorded).await
    }
}

/// Ends a rotation that watches, with its receipt: all steps, and how long was watched.
pub(super) async fn end_watch(
    tx: &mut WorkspaceTx,
    entropy: &Entropy,
    rotation: &mut SecretRotation,
) -> Result<Recorded, DbError> {
    let now = tx.context().received_at;
    let refused_uses = sql::refused_uses(tx, rotation).await?;
    let watched = rotation.revoked_at.map_or(0, |at| (now - at).whole_seconds());
    let meta = json!({
        "rotation": rotation.id.to_string(),
        "reason": rotation.reason,
        "new_version": rotation.new_version,
        "opened_at_ms": millis(Some(rotation.opened_at)),
        "ready_at_ms": millis(rotation.ready_at),
        "revoked_at_ms": millis(rotation.revoked_at),
        "watched_seconds": watched.clamp(0, rotation.watch_seconds.into()),
        "refused_uses": refused_uses,
        "finished_at_ms": millis(Some(now)),
    });
    let entry = about(tx, Action::SecretRotated, rotation).await?.with(meta);
    let (event, recorded) = ledger::stage_told(tx, entropy, entry);
    rotation.finished_at = Some(now);
    rotation.refused_uses = Some(refused_uses);
    rotation.receipt_event_id = Some(event);
    sql::update(tx, rotation).await?;
    Ok(recorded)
}

fn not_enqueued(error: EnqueueError) -> Failure {
    match error {
        EnqueueError::Db(error) => error.into(),
        EnqueueError::Vault(error) if error.passes() => Failure::waiting("vault_unavailable"),
        EnqueueError::Vault(_) | EnqueueError::Payload => Failure::again("not_enqueued"),
    }
}

fn millis(at: Option<OffsetDateTime>) -> Option<i64> {
    at.and_then(|at| i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok())
}

impl Job for RotateSecrets {
    const KIND: &'static str = "secrets.rotate";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::of(&[Permission::UpdateSecret]);
    type Place = InWorkspace;
    /// The rotation.
    type Payload = Uuid;

    async fn run(&self, claimed: Claimed<Self>, rotation: Uuid) -> Result<Done, Failure> {
        claimed.needs::<may::UpdateSecret>();
        let mut tx = self.db.workspace_tx(&claimed).await?;
        let Some(rotation) = sql::lock(&mut tx, Id::from_uuid(rotation)).await? else {
            // The secret was deleted, and its rotation with it.
            tx.finish_reading().await?;
            return Ok(claimed.done());
        };
        let now = tx.context().received_at;
        match rotation.state {
            State::Revoking => self.revoke(claimed, tx, rotation).await,
            State::Watching if watch_ends_at(&rotation).is_some_and(|at| at <= now) => {
                self.finish(claimed, tx, rotation).await
            }
            // Nobody has said that it is ready, or another job has the next step: nothing is revoked early.
            State::AwaitingReady | State::Watching | State::Finished => {
                tx.finish_reading().await?;
                Ok(claimed.done())
            }
        }
    }
}
