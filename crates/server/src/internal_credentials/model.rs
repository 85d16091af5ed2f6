//! A credential, with and without its secret.

use bailiwick_proof::id::{EventId, InternalCredentialId};
use bailiwick_proof::internal_key::PlainInternalKey;
use time::OffsetDateTime;

use crate::authz::Audience;

/// What makes a credential.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Whose it is: the operator's word for the service.
    pub service: Audience,
    /// What it may ask about; at least one.
    pub audiences: Vec<Audience>,
}

/// A credential without its secret.
#[derive(Clone, Debug)]
pub struct InternalCredential {
    /// `int_…`
    pub id: InternalCredentialId,
    /// Whose it is.
    pub service: String,
    /// What it may ask about.
    pub audiences: Vec<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends, if it got a successor or was revoked.
    pub ends_at: Option<OffsetDateTime>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<OffsetDateTime>,
}

/// The successor of a credential.
#[derive(Debug)]
pub struct RotatedCredential {
    /// It, with its secret, which is shown once.
    pub successor: CreatedCredential,
    /// Until when the old one is taken beside it.
    pub ends_at: OffsetDateTime,
    /// The entry in the cell's log.
    pub event: EventId,
}

/// A credential with its secret, which is shown once.
#[derive(Debug)]
pub struct CreatedCredential {
    /// `int_…`
    pub id: InternalCredentialId,
    /// The secret.
    pub key: PlainInternalKey,
}
