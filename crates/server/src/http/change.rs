//! A change from its authority to its answer: begun once, committed with its entry and its answer.

use super::idempotency::{Asker, Found, Idempotency, Reply, Slot};
use super::problem::Problem;
use crate::authz::Notary;
use crate::db::{Authority, Db, Recorded, RecordingTx, WorkspaceTx};
use crate::entropy::Entropy;
use crate::feed::Feed;
use crate::vault::Vault;

/// What every change needs besides its authority.
#[derive(Clone)]
pub struct Changes {
    /// Opens the transaction.
    pub db: Db,
    /// Makes ids and secrets.
    pub entropy: Entropy,
    /// Seals the answer that is kept for a retry.
    pub vault: Vault,
    /// Vouches for what is written.
    pub notary: Notary,
    /// Knows when a revocation has reached every node.
    pub feed: Feed,
}

/// How a change begins.
pub enum Begun<T = WorkspaceTx> {
    /// It was done before; this was the answer.
    Replay(Reply),
    /// It is to be done now.
    Fresh(Box<Change<T>>),
}

/// A change under way. Dropped, it is rolled back and its idempotency key is free again.
pub struct Change<T = WorkspaceTx> {
    /// For the feature's `ops`.
    pub tx: T,
    slot: Slot,
}

impl Changes {
    /// Opens the transaction, and looks whether this very request was answered before.
    ///
    /// # Errors
    /// `idempotency_in_flight`, `idempotency_key_reused`, `unavailable`.
    pub async fn begin(&self, authority: &impl Authority, idempotency: Idempotency) -> Result<Begun, Problem> {
        let asker = self.prepare(authority, &idempotency).await?;
        let mut tx = self.db.workspace_tx(authority).await?;
        let found = idempotency.find(tx.connection()?, asker, &self.vault).await?;
        Ok(found.begin(tx))
    }

    /// The same for a request that numbers what it records.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_recording(
        &self,
        authority: &impl Authority,
        idempotency: Idempotency,
    ) -> Result<Begun<RecordingTx>, Problem> {
        let asker = self.prepare(authority, &idempotency).await?;
        let mut tx = self.db.recording_tx(authority).await?;
        let found = idempotency.find(tx.connection()?, asker, &self.vault).await?;
        Ok(found.begin(tx))
    }

    /// Whoever has to wait for the key service holds no connection meanwhile.
    async fn prepare(&self, authority: &impl Authority, idempotency: &Idempotency) -> Result<Asker, Problem> {
        let asker = Asker::of(authority);
        if idempotency.is_keyed() {
            self.vault.keys(asker.owner()).await?;
        }
        Ok(asker)
    }
}

impl Found {
    fn begin<T>(self, tx: T) -> Begun<T> {
        match self {
            Self::Kept(reply) => Begun::Replay(reply),
            Self::Nothing(slot) => Begun::Fresh(Box::new(Change { tx, slot })),
        }
    }
}

impl Change {
    /// Keeps the answer, commits it together with the change and its entry, and gives it back to be sent.
    ///
    /// # Errors
    /// As `WorkspaceTx::commit`.
    pub async fn commit(self, recorded: Recorded, reply: Reply) -> Result<Reply, Problem> {
        let answer = self.slot.keep(&reply).await?;
        self.tx.commit_answered(recorded, answer).await?;
        Ok(reply)
    }
}

impl Change<RecordingTx> {
    /// Keeps the answer, commits it together with what was recorded, and gives it back to be sent.
    ///
    /// # Errors
    /// As `RecordingTx::commit_answered`.
    pub async fn commit(self, recorded: Recorded, reply: Reply) -> Result<Reply, Problem> {
        let answer = self.slot.keep(&reply).await?;
        self.tx.commit_answered(recorded, answer).await?;
        Ok(reply)
    }
}
