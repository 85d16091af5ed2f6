//! A change from its authority to its answer: begun once, committed with its entry and its answer.

use super::idempotency::{self, Found, Idempotency, Reply, Slot};
use super::problem::Problem;
use crate::authz::Notary;
use crate::db::{Authority, Db, Recorded, WorkspaceTx};
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
pub enum Begun {
    /// It was done before; this was the answer.
    Replay(Reply),
    /// It is to be done now.
    Fresh(Box<Change>),
}

/// A change under way. Dropped, it is rolled back and its idempotency key is free again.
pub struct Change {
    /// For the feature's `ops`.
    pub tx: WorkspaceTx,
    slot: Slot,
}

impl Changes {
    /// Opens the transaction, and looks whether this very request was answered before.
    ///
    /// # Errors
    /// `idempotency_in_flight`, `idempotency_key_reused`, `unavailable`.
    pub async fn begin(&self, authority: &impl Authority, idempotency: Idempotency) -> Result<Begun, Problem> {
        if idempotency.is_keyed() {
            // Whoever has to wait for the key service holds no connection meanwhile.
            self.vault.keys(idempotency::owner(authority.founder(), authority.workspace())).await?;
        }
        let mut tx = self.db.workspace_tx(authority).await?;
        match idempotency.find(&mut tx, authority.principal_id(), &self.vault).await? {
            Found::Kept(reply) => Ok(Begun::Replay(reply)),
            Found::Nothing(slot) => Ok(Begun::Fresh(Box::new(Change { tx, slot }))),
        }
    }
}

impl Change {
    /// Keeps the answer, commits it together with the change and its entry, and gives it back to be sent.
    ///
    /// # Errors
    /// As `WorkspaceTx::commit`.
    pub async fn commit(self, recorded: Recorded, reply: Reply) -> Result<Reply, Problem> {
        let answer = self.slot.keep(&self.tx, &reply).await?;
        self.tx.commit_answered(recorded, answer).await?;
        Ok(reply)
    }
}
