//! What an invitation offers.

use time::OffsetDateTime;
use uuid::Uuid;

use super::counted;
use crate::authz::vouched::{Kind, Vouched};
use crate::vault::Meaning;

/// A row of `invitations`: whoever has the address, and shows the token, may join.
#[derive(Debug)]
pub struct InvitationRow<'a> {
    /// Where.
    pub workspace: Uuid,
    /// Which.
    pub id: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// Who is invited, as the address was typed.
    pub email: &'a str,
    /// Who is invited, as addresses are compared.
    pub email_key: &'a str,
    /// As what.
    pub role: &'a str,
    /// Of the mail's token.
    pub token_digest: &'a [u8],
    /// Whose offer it is.
    pub invited_by: Uuid,
    /// Until when.
    pub expires_at: OffsetDateTime,
    /// When it was taken.
    pub accepted_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

impl Vouched for InvitationRow<'_> {
    const KIND: Kind = Kind::Invitation;

    fn workspace(&self) -> Uuid {
        self.workspace
    }

    fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        counted(self.version)
    }

    fn until(&self) -> Option<OffsetDateTime> {
        Some(self.expires_at)
    }

    fn meaning(&self) -> Meaning {
        Meaning::new()
            .uuid(self.workspace)
            .uuid(self.id)
            .bytes(&self.version.to_be_bytes())
            .text(self.email)
            .text(self.email_key)
            .text(self.role)
            .bytes(self.token_digest)
            .uuid(self.invited_by)
            .moment(Some(self.expires_at))
            .moment(self.accepted_at)
            .moment(self.revoked_at)
    }
}
