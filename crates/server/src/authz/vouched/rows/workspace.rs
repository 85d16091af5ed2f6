//! What a workspace demands.

use uuid::Uuid;

use super::counted;
use crate::authz::Notary;
use crate::authz::vouched::{Kind, Vouched};
use crate::db::DbError;
use crate::vault::Meaning;

/// A row of `workspaces`. What it is called is nobody's word but its members'.
#[derive(Clone, Copy, Debug)]
pub struct WorkspaceRow {
    /// Which.
    pub workspace: Uuid,
    /// How often what it demands was changed, plus one.
    pub version: i64,
    /// Whether it lets in only those who have shown a factor.
    pub strong_only: bool,
}

impl WorkspaceRow {
    /// Whether it lets in only those who have shown a factor: it says so, or nobody vouches for what it says.
    ///
    /// # Errors
    /// [`DbError`] when nobody can tell now.
    pub async fn demands_factor(&self, notary: &Notary, mac: &[u8]) -> Result<bool, DbError> {
        Ok(!notary.vouches(self, mac).await? || self.strong_only)
    }
}

impl Vouched for WorkspaceRow {
    const KIND: Kind = Kind::Workspace;

    fn workspace(&self) -> Uuid {
        self.workspace
    }

    fn id(&self) -> Vec<u8> {
        self.workspace.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        counted(self.version)
    }

    fn meaning(&self) -> Meaning {
        let meaning = Meaning::new().uuid(self.workspace).bytes(&self.version.to_be_bytes());
        if self.strong_only { meaning.text("strong_only") } else { meaning }
    }
}
