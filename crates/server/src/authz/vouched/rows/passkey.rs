//! What a passkey grants.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{counted, of_epoch};
use crate::authz::vouched::{Kind, Vouched};
use crate::vault::Meaning;

/// A row of `passkeys`: whoever has the credential is this person. Its public key is bound to the row by the vault.
#[derive(Debug)]
pub struct PasskeyRow<'a> {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// How the authenticator knows the person.
    pub user_handle: Uuid,
    /// How the authenticator knows the credential.
    pub credential_id: &'a [u8],
    /// The highest signature counter that was seen.
    pub counter: i64,
    /// Whether it may be on several devices, which never changes.
    pub backup_eligible: bool,
    /// Whether it was, when it was last used.
    pub backed_up: bool,
    /// When it was removed.
    pub removed_at: Option<OffsetDateTime>,
    /// Its person's when it was added.
    pub epoch: i64,
}

impl Vouched for PasskeyRow<'_> {
    const KIND: Kind = Kind::Passkey;

    fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        counted(self.version)
    }

    fn meaning(&self) -> Meaning {
        let meaning = Meaning::new()
            .uuid(self.id)
            .uuid(self.user)
            .bytes(&self.version.to_be_bytes())
            .uuid(self.user_handle)
            .bytes(self.credential_id)
            .bytes(&self.counter.to_be_bytes())
            .bytes(&[u8::from(self.backup_eligible), u8::from(self.backed_up)])
            .moment(self.removed_at);
        of_epoch(meaning, self.epoch)
    }
}
