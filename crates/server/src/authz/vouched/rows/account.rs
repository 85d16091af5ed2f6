//! What a login of a device and a change of an address grant.

use time::OffsetDateTime;
use uuid::Uuid;

use super::counted;
use crate::authz::vouched::{Kind, Vouched};
use crate::vault::Meaning;

/// A row of `device_logins`: whoever has the program's code comes in as whoever approved it. How often the program asks is not in it.
#[derive(Debug)]
pub struct DeviceLoginRow<'a> {
    /// Which.
    pub id: Uuid,
    /// Of the program's code.
    pub device_digest: &'a [u8],
    /// Of the person's.
    pub code_digest: &'a [u8],
    /// What the person is told that asks.
    pub device: &'a str,
    /// And from where.
    pub network: Option<&'a str>,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When somebody said yes or no.
    pub decided_at: Option<OffsetDateTime>,
    /// Who.
    pub decided_by: Option<Uuid>,
    /// In which session of theirs.
    pub by_session: Option<Uuid>,
    /// Whether they said yes.
    pub approved: bool,
    /// Whether they had shown a factor beyond the mail.
    pub strong: bool,
    /// When a session was opened by it.
    pub picked_up_at: Option<OffsetDateTime>,
}

impl Vouched for DeviceLoginRow<'_> {
    const KIND: Kind = Kind::DeviceLogin;

    fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        1 + u64::from(self.decided_at.is_some()) + u64::from(self.picked_up_at.is_some())
    }

    fn until(&self) -> Option<OffsetDateTime> {
        Some(self.expires_at)
    }

    fn meaning(&self) -> Meaning {
        Meaning::new()
            .uuid(self.id)
            .bytes(self.device_digest)
            .bytes(self.code_digest)
            .text(self.device)
            .maybe(self.network.map(str::as_bytes))
            .moment(Some(self.expires_at))
            .moment(self.decided_at)
            .maybe(self.decided_by.as_ref().map(|user| user.as_bytes().as_slice()))
            .maybe(self.by_session.as_ref().map(|session| session.as_bytes().as_slice()))
            .bytes(&[u8::from(self.approved), u8::from(self.strong)])
            .moment(self.picked_up_at)
    }
}

/// A row of `address_changes`: whoever shows both codes gets the other address.
#[derive(Debug)]
pub struct AddressChangeRow<'a> {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// The address that they have, as it is compared.
    pub old_email_key: &'a str,
    /// The one that they want, as it is shown.
    pub new_email: &'a str,
    /// The same, as it is compared.
    pub new_email_key: &'a str,
    /// Of the code that went to the one.
    pub old_code_digest: &'a [u8],
    /// Of the code that went to the other.
    pub new_code_digest: &'a [u8],
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// Codes that were wrong.
    pub code_tries: i16,
    /// When the one code came back.
    pub old_confirmed_at: Option<OffsetDateTime>,
    /// When the other did.
    pub new_confirmed_at: Option<OffsetDateTime>,
    /// When it took effect, or was given up.
    pub ended_at: Option<OffsetDateTime>,
}

impl Vouched for AddressChangeRow<'_> {
    const KIND: Kind = Kind::AddressChange;

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
            .uuid(self.id)
            .uuid(self.user)
            .bytes(&self.version.to_be_bytes())
            .text(self.old_email_key)
            .text(self.new_email)
            .text(self.new_email_key)
            .bytes(self.old_code_digest)
            .bytes(self.new_code_digest)
            .moment(Some(self.expires_at))
            .bytes(&self.code_tries.to_be_bytes())
            .moment(self.old_confirmed_at)
            .moment(self.new_confirmed_at)
            .moment(self.ended_at)
    }
}
