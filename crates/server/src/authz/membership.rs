//! Where a person is a member, and with which role.

use std::sync::Arc;

use bailiwick_proof::id::{UserId, WorkspaceId};

use super::{Notary, Role, SignedIn, WorkspaceRef, sql};
use crate::db::{Db, DbError};

/// All memberships of one person, as they were read from the database: there is no other way to some.
#[derive(Clone, Debug, Default)]
pub struct Memberships {
    /// `None` for what nobody has: it is a member nowhere.
    user: Option<UserId>,
    all: Arc<[Membership]>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) workspace: WorkspaceId,
    pub(super) slug: String,
    /// `None` when the row's word is none of ours, and grants nothing.
    pub(super) role: Option<Role>,
    /// Whether the workspace lets in only those who have shown a factor.
    pub(super) strong_only: bool,
}

impl Membership {
    pub(super) fn is_in(&self, named: &WorkspaceRef) -> bool {
        match named {
            WorkspaceRef::Id(id) => *id == self.workspace,
            WorkspaceRef::Slug(slug) => slug.as_str() == self.slug,
        }
    }
}

impl Memberships {
    /// Reads them in a transaction of the person's own.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn read(db: &Db, notary: &Notary, person: &SignedIn) -> Result<Self, DbError> {
        let mut tx = db.account_tx(person).await?;
        let all = sql::memberships(&mut tx, notary).await?.into();
        tx.finish_reading().await?;
        Ok(Self { user: Some(person.user()), all })
    }

    /// Whether what a path says names one of them.
    #[must_use]
    pub fn name(&self, text: &str) -> bool {
        WorkspaceRef::parse(text).is_some_and(|named| self.all.iter().any(|membership| membership.is_in(&named)))
    }

    /// This person's: none when they are somebody else's.
    pub(super) fn of(&self, person: &SignedIn) -> impl Iterator<Item = &Membership> {
        self.all.iter().filter(|_| self.user == Some(person.user()))
    }
}
