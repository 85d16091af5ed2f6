//! The authority of whoever holds a link to a receipt.

use bailiwick_proof::commitment::Field;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{EventId, ReceiptShareId, UserId, WorkspaceId};
use time::OffsetDateTime;

use super::{Notary, sql};
use crate::context::RequestContext;
use crate::db::{Authority, Db, DbError, OperationalPath, ProjectWall, sealed};

/// The proof that a request brought the token of a link that shows something now: the row was found by its digest, somebody
/// vouches for it, and it has neither ended nor been revoked. It reaches the project of the one entry that it is about, or
/// the environment if that has none.
pub struct SharedReceipt {
    pub(super) id: ReceiptShareId,
    pub(super) workspace: WorkspaceId,
    pub(super) environment: Environment,
    pub(super) project: ProjectWall,
    pub(super) event: EventId,
    pub(super) open: Vec<Field>,
    pub(super) expires_at: OffsetDateTime,
    pub(super) context: RequestContext,
}

impl SharedReceipt {
    /// By the SHA-256 of the token; `None` for a link that never was, was revoked, is over, or that nobody vouches for.
    ///
    /// # Errors
    /// [`DbError`]: then nothing is shown.
    pub async fn find(
        db: &Db,
        notary: &Notary,
        digest: &[u8; 32],
        context: RequestContext,
    ) -> Result<Option<Self>, DbError> {
        let mut tx = db.system_tx(OperationalPath::OpenReceiptShare).await?;
        let found = sql::receipt_share(&mut tx, notary, digest, context).await?;
        tx.finish_reading().await?;
        Ok(found)
    }

    /// The link.
    #[must_use]
    pub const fn id(&self) -> ReceiptShareId {
        self.id
    }

    /// The entry that it shows.
    #[must_use]
    pub const fn event(&self) -> EventId {
        self.event
    }

    /// What it opens of the entry.
    #[must_use]
    pub fn open(&self) -> &[Field] {
        &self.open
    }

    /// When it ends.
    #[must_use]
    pub const fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }
}

impl sealed::Sealed for SharedReceipt {}
impl Authority for SharedReceipt {
    fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
    fn environment(&self) -> Environment {
        self.environment
    }
    fn project(&self) -> ProjectWall {
        self.project
    }
    fn founder(&self) -> Option<UserId> {
        None
    }
    fn principal_id(&self) -> uuid::Uuid {
        self.id.uuid()
    }
    fn actor(&self) -> String {
        self.id.to_string()
    }
    fn context(&self) -> &RequestContext {
        &self.context
    }
}
