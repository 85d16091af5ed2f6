//! Carrying it out: by the job that was handed over with the wish, or in an operator's call.

use std::time::Duration;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ErasureId, Id, WorkspaceId};
use bailiwick_proof::log::Log;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Begun, VOUCHED};
use super::{EraseError, Eraser, sql};
use crate::authz::{Permission, PermissionSet};
use crate::context::RequestContext;
use crate::db::{Authority as _, OperationalPath, Unrecorded};
use crate::jobs::{Claimed, Done, Failure, InCell, InWorkspace, Job, Policy};
use crate::ledger::{self, Action, Entry, OPERATOR};
use crate::retention::{self, Held};
use crate::vault::{Alert, Clearing, Owner};

const HOUR: Duration = Duration::from_secs(3_600);

impl Eraser {
    /// The erasures of a workspace that are not over, or one of them. A row for which nobody vouches is raised as an alert, and
    /// nobody is erased for it.
    pub(super) async fn under_way(
        &self,
        workspace: WorkspaceId,
        one: Option<ErasureId>,
    ) -> Result<Vec<Begun>, EraseError> {
        let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
        let told = sql::under_way(&mut tx, workspace, one).await?;
        tx.finish_reading().await?;
        let (keys, mut begun) = (self.vault.all_row_keys(VOUCHED).await?, Vec::new());
        for (row, mac) in told {
            if keys.vouches(&row.meaning(workspace), &mac) == Some(true) {
                begun.push(row);
                continue;
            }
            let (what, of, row) = ("erasure_unvouched", "erasures", row.erasure.id.to_string());
            self.vault.alerts().raise(Alert { what, of, workspace: workspace.uuid(), row });
        }
        Ok(begun)
    }

    /// Does what is left to do of an erasure, and answers how many fields it made unreadable in all.
    ///
    /// # Errors
    /// See [`EraseError`]: whoever calls again goes on.
    pub(super) async fn carry_out(&self, workspace: WorkspaceId, begun: Begun) -> Result<u64, EraseError> {
        // It may be held since it was asked for. From here on to the puncture no hold is answered.
        let mut serial = self.db.system_tx(OperationalPath::Shred).await?;
        retention::keep_holds_out(serial.connection()?, workspace).await?;
        self.refuse_while_held(workspace).await?;
        let (owner, subject) = (Owner::Workspace(workspace), begun.subject);
        // What was staged before now is the subject's: it gets its number while the name still stands for it.
        self.settle(workspace).await?;
        let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
        self.vault.forget_names(&mut tx, owner, &[subject]).await?;
        tx.commit_unrecorded(Unrecorded::Unreadable).await?;
        // Whoever was numbering meanwhile, and knew the name, has committed.
        for environment in Environment::ALL {
            self.ledger.quiesce(Log::Workspace { workspace, environment }).await?;
        }
        // Whoever was cut off meanwhile keeps nobody out any more.
        retention::keep_holds_out(serial.connection()?, workspace).await?;
        self.vault.puncture(owner, &[subject]).await?;
        serial.finish_reading().await?;
        let mut walk = Clearing::default();
        loop {
            let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
            let Some(cleared) = self.vault.clear_some(&mut tx, owner, subject, &mut walk).await? else {
                tx.finish_reading().await?;
                break;
            };
            sql::progress(&mut tx, workspace, begun.erasure.id, cleared).await?;
            tx.commit_unrecorded(Unrecorded::Unreadable).await?;
        }
        self.certify(workspace, begun).await
    }

    /// Ends an erasure with its certificate, once.
    async fn certify(&self, workspace: WorkspaceId, begun: Begun) -> Result<u64, EraseError> {
        let Begun { erasure, subject } = begun;
        let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
        let Some(fields) = sql::lock(&mut tx, workspace, erasure.id).await? else {
            tx.finish_reading().await?;
            return Ok(erasure.fields_found);
        };
        let context = RequestContext::internal(&self.clock, &self.entropy);
        let meta = json!({
            "subject_commitment": erasure.subject_commitment,
            "requested_at_ms": millis(erasure.requested_at),
            "fields": fields,
        });
        let entry = Entry::about(Action::SubjectErased, erasure.id).with(meta);
        let log = Log::Workspace { workspace, environment: Environment::Live };
        let by = (erasure.requested_by.as_str(), &entry);
        let (certificate, mut recorded) = ledger::stage_for(&mut tx, &self.entropy, &context, log, by).await?;
        if erasure.requested_by == OPERATOR {
            let entry =
                Entry::about(Action::SubjectErased, workspace).with(json!({"subject": subject, "fields": fields}));
            recorded = ledger::stage_in_cell(&mut tx, &self.entropy, &context, OPERATOR, &entry).await?;
        }
        sql::finish(&mut tx, workspace, erasure.id, context.received_at, certificate).await?;
        tx.commit(recorded).await?;
        Ok(fields)
    }

    /// Those of the erased whose key may go: while a hold is open, all but whose erasure was cut off before it took the key.
    async fn not_held(&self, owner: Owner, mut erased: Vec<u32>) -> Result<Vec<u32>, EraseError> {
        let Owner::Workspace(workspace) = owner else { return Ok(erased) };
        if erased.is_empty() {
            return Ok(erased);
        }
        let begun = self.under_way(workspace, None).await?;
        if !begun.is_empty() && matches!(self.refuse_while_held(workspace).await, Err(EraseError::Held(Held::By(_)))) {
            erased.retain(|number| begun.iter().all(|one| one.subject != *number));
        }
        Ok(erased)
    }

    /// Punctures again whoever was erased and whose key is back, clears what came back with it, and answers how many they
    /// were: somebody has put an older copy of the anchor store back.
    ///
    /// # Errors
    /// See [`EraseError`].
    pub async fn repeat(&self, owner: Owner) -> Result<u64, EraseError> {
        let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
        let erased = self.vault.erased_subjects(&mut tx, owner).await?;
        tx.finish_reading().await?;
        let erased = self.not_held(owner, erased).await?;
        if erased.is_empty() {
            return Ok(0);
        }
        let repeated = self.vault.puncture(owner, &erased).await?;
        if repeated == 0 {
            return Ok(0);
        }
        metrics::counter!("bailiwick_erasures_repeated_total").increment(repeated);
        tracing::error!(event = "erasure.repeated", workspace_id = %owner.uuid(), repeated);
        let mut fields = 0;
        for subject in erased {
            let mut walk = Clearing::default();
            loop {
                let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
                let Some(cleared) = self.vault.clear_some(&mut tx, owner, subject, &mut walk).await? else {
                    tx.finish_reading().await?;
                    break;
                };
                fields += cleared;
                tx.commit_unrecorded(Unrecorded::Unreadable).await?;
            }
        }
        let context = RequestContext::internal(&self.clock, &self.entropy);
        let target = Id::<bailiwick_proof::id::Workspace>::from_uuid(owner.uuid());
        let meta = json!({"subjects": repeated, "fields": fields});
        let entry = Entry::about(Action::ErasuresRepeated, target).with(meta);
        let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
        let recorded = ledger::stage_by_system(&mut tx, &self.entropy, &context, Log::Cell, &entry).await?;
        tx.commit(recorded).await?;
        Ok(repeated)
    }
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

impl From<EraseError> for Failure {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::Db(error) => error.into(),
            EraseError::Vault(error) => error.into(),
            EraseError::Ledger(error) => {
                tracing::warn!(event = "erasure.waits", cause = %error);
                Self::waiting("ledger_not_settled")
            }
            EraseError::Held(_) => Self::waiting("held"),
            EraseError::NoSuchSubject | EraseError::NothingFound | EraseError::NoSuchWorkspace => {
                Self::for_good("nothing_to_erase")
            }
        }
    }
}

/// The job `erasure.run`: carries out what somebody has asked for.
pub struct EraseSubjects(pub Eraser);

impl Job for EraseSubjects {
    const KIND: &'static str = "erasure.run";
    /// It keeps a connection aside from that with which it works.
    const POLICY: Policy = Policy { per_lane: 1, per_node: 2, time_limit: HOUR, ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::of(&[Permission::EraseSubject]);
    type Place = InWorkspace;
    /// The erasure.
    type Payload = Uuid;

    async fn run(&self, claimed: Claimed<Self>, erasure: Uuid) -> Result<Done, Failure> {
        let workspace = claimed.workspace();
        for begun in self.0.under_way(workspace, Some(Id::from_uuid(erasure))).await? {
            self.0.carry_out(workspace, begun).await?;
        }
        Ok(claimed.done())
    }
}

/// The job `erasure.repeat`: what was erased stays so, also when an older copy of the anchor store is put back.
pub struct RepeatErasures(pub Eraser);

impl Job for RepeatErasures {
    const KIND: &'static str = "erasure.repeat";
    const POLICY: Policy = Policy { per_lane: 1, time_limit: HOUR, ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        let mut tx = self.0.db.system_tx(OperationalPath::Shred).await?;
        let owners = self.0.vault.owners_with_erased(&mut tx).await?;
        tx.finish_reading().await?;
        for owner in owners {
            self.0.repeat(owner).await?;
        }
        Ok(claimed.done())
    }
}
