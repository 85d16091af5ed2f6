//! Asking: who is meant, what would go, and the row that says that it is going.

use bailiwick_proof::commitment::{R_BYTES, erased_subject};
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ErasureId, Id, WorkspaceId};
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::Hash;
use serde_json::json;
use time::OffsetDateTime;

use super::model::{Begun, Erasure, FieldCounts, FoundSubject, State, VOUCHED};
use super::{EraseError, EraseSubjects, Eraser, sql};
use crate::db::{DbError, OperationalPath, Recorded, WorkspaceTx};
use crate::jobs::{EnqueueError, Queue};
use crate::ledger::{self, Action, Entry, OPERATOR};
use crate::retention::{self, Held};
use crate::vault::{Owner, VaultError};

impl Eraser {
    /// Numbers what is staged in both logs, so that nothing that was recorded of anybody is out of sight.
    pub(super) async fn settle(&self, workspace: WorkspaceId) -> Result<(), EraseError> {
        for environment in Environment::ALL {
            self.ledger.settle(Log::Workspace { workspace, environment }).await?;
        }
        Ok(())
    }

    /// Who is meant, and what is recorded of them.
    ///
    /// # Errors
    /// [`EraseError::NoSuchSubject`], [`EraseError::NothingFound`], and those of vault, ledger and database.
    pub(super) async fn found(&self, workspace: WorkspaceId, name: &str) -> Result<FoundSubject, EraseError> {
        self.settle(workspace).await?;
        let owner = Owner::Workspace(workspace);
        let number = self.vault.subject(owner, name).await?.ok_or(EraseError::NoSuchSubject)?;
        let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
        let counts = self.vault.count_fields(&mut tx, owner, number).await?;
        tx.finish_reading().await?;
        let fields = FieldCounts::of(&counts);
        if fields.total() == 0 {
            return Err(EraseError::NothingFound);
        }
        Ok(FoundSubject { number, fields })
    }

    /// Begins an erasure for the operator, whose call goes on with it.
    pub(super) async fn begin(
        &self,
        workspace: WorkspaceId,
        name: &str,
        found: &FoundSubject,
    ) -> Result<Begun, EraseError> {
        let mut tx = self.db.system_tx(OperationalPath::Shred).await?;
        retention::keep_holds_out(tx.connection()?, workspace).await?;
        self.refuse_while_held(workspace).await?;
        let commitment = erased_subject(&self.entropy.bytes(), name);
        let begun = self.begun(found, &commitment, OPERATOR.to_owned(), self.clock.now());
        let (at, mac) = ((workspace, Environment::Live), self.vouch(workspace, &begun).await?);
        sql::insert(tx.connection()?, at, &begun, (&commitment, &mac)).await?;
        let entry = requested(&begun.erasure);
        let context = crate::context::RequestContext::internal(&self.clock, &self.entropy);
        let log = Log::Workspace { workspace, environment: Environment::Live };
        let (_, recorded) = ledger::stage_for(&mut tx, &self.entropy, &context, log, (OPERATOR, &entry)).await?;
        tx.commit(recorded).await?;
        Ok(begun)
    }

    /// Takes a person's wish in: the row, the job and the entry. Answers what opens the commitment, which nobody keeps.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub(super) async fn request(
        &self,
        tx: &mut WorkspaceTx,
        queue: &Queue,
        name: &str,
        found: &FoundSubject,
    ) -> Result<(Erasure, [u8; R_BYTES], Recorded), RequestError> {
        let workspace = tx.workspace();
        retention::keep_holds_out(tx.connection()?, workspace).await?;
        self.refuse_while_held(workspace).await?;
        if let Some(erasure) = sql::under_way_of(tx, found.number).await? {
            return Err(RequestError::UnderWay(Some(erasure)));
        }
        let r = self.entropy.bytes();
        let commitment = erased_subject(&r, name);
        let (by, now) = (tx.actor().to_owned(), tx.context().received_at);
        let begun = self.begun(found, &commitment, by, now);
        let (at, mac) = ((tx.workspace(), tx.environment()), self.vouch(tx.workspace(), &begun).await?);
        let inserted = sql::insert(tx.connection()?, at, &begun, (&commitment, &mac)).await;
        inserted.map_err(|error| match error.constraint() {
            Some("erasures_one_under_way") => RequestError::UnderWay(None),
            _ => RequestError::Db(error),
        })?;
        queue.enqueue::<EraseSubjects>(tx, &begun.erasure.id.uuid()).await?;
        let recorded = ledger::stage(tx, &self.entropy, requested(&begun.erasure));
        Ok((begun.erasure, r, recorded))
    }

    /// Nothing of what a hold keeps is made unreadable, in either log: an erasure reaches both. The answer is good until the end of a
    /// transaction that keeps holds out.
    pub(super) async fn refuse_while_held(&self, workspace: WorkspaceId) -> Result<(), EraseError> {
        match retention::held(&self.db, &self.ledger, &self.notary, workspace).await? {
            Held::No => Ok(()),
            held => Err(EraseError::Held(held)),
        }
    }

    /// Vouches for a row before it is written.
    async fn vouch(&self, workspace: WorkspaceId, begun: &Begun) -> Result<Vec<u8>, VaultError> {
        Ok(self.vault.row_keys(VOUCHED).await?.sign(&begun.meaning(workspace)))
    }

    fn begun(&self, found: &FoundSubject, commitment: &Hash, requested_by: String, now: OffsetDateTime) -> Begun {
        let erasure = Erasure {
            id: Id::from_uuid(self.entropy.uuid_v7(now)),
            state: State::UnderWay,
            subject_commitment: commitment.to_hex(),
            requested_by,
            requested_at: now,
            fields_found: found.fields.total(),
            fields_erased: 0,
            finished_at: None,
            certificate_event_id: None,
        };
        Begun { erasure, subject: found.number }
    }
}

fn requested(erasure: &Erasure) -> Entry {
    let meta = json!({"subject_commitment": erasure.subject_commitment, "fields": erasure.fields_found});
    Entry::about(Action::ErasureRequested, erasure.id).with(meta)
}

/// Why a wish was not taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// It was before; by which one, unless that was at the same moment.
    #[error("the subject is being erased")]
    UnderWay(Option<ErasureId>),
    /// Something keeps it from being asked for.
    #[error(transparent)]
    Erase(#[from] EraseError),
    /// Nobody can vouch for it now.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The job was not enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}
