//! What a person proves themselves with beside the mail.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{counted, of_epoch};
use crate::authz::vouched::{Kind, Vouched};
use crate::vault::Meaning;

/// How long somebody has to confirm an authenticator.
pub const ENROLMENT_LIVES: Duration = Duration::minutes(15);

/// A row of `authenticators`. Its secret is bound to its place by the vault.
#[derive(Debug)]
pub struct AuthenticatorRow {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// When it was begun.
    pub created_at: OffsetDateTime,
    /// When it was confirmed.
    pub confirmed_at: Option<OffsetDateTime>,
    /// The last time step that was accepted.
    pub last_step: i64,
    /// When it was removed.
    pub removed_at: Option<OffsetDateTime>,
    /// Its person's when it was begun.
    pub epoch: i64,
}

impl Vouched for AuthenticatorRow {
    const KIND: Kind = Kind::Authenticator;

    fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        counted(self.version)
    }

    fn until(&self) -> Option<OffsetDateTime> {
        if self.confirmed_at.is_some() { None } else { Some(self.created_at + ENROLMENT_LIVES) }
    }

    fn meaning(&self) -> Meaning {
        let meaning = Meaning::new()
            .uuid(self.id)
            .uuid(self.user)
            .bytes(&self.version.to_be_bytes())
            .moment(Some(self.created_at))
            .moment(self.confirmed_at)
            .bytes(&self.last_step.to_be_bytes())
            .moment(self.removed_at);
        of_epoch(meaning, self.epoch)
    }
}

/// A row of `factor_holders`.
#[derive(Debug)]
pub struct FactorHolderRow<'a> {
    /// Whose.
    pub user: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// MACs of the recovery codes that were not used.
    pub recovery_codes: &'a [Vec<u8>],
    /// Wrong codes since the last good one.
    pub failures: i32,
    /// When the last was.
    pub failed_at: Option<OffsetDateTime>,
    /// The person's when the codes were made.
    pub epoch: i64,
}

impl Vouched for FactorHolderRow<'_> {
    const KIND: Kind = Kind::FactorHolder;

    fn id(&self) -> Vec<u8> {
        self.user.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        counted(self.version)
    }

    fn meaning(&self) -> Meaning {
        let count = u32::try_from(self.recovery_codes.len()).unwrap_or(u32::MAX);
        let meaning = Meaning::new().uuid(self.user).bytes(&self.version.to_be_bytes()).bytes(&count.to_be_bytes());
        let meaning = self.recovery_codes.iter().fold(meaning, |meaning, code| meaning.bytes(code));
        of_epoch(meaning.bytes(&self.failures.to_be_bytes()).moment(self.failed_at), self.epoch)
    }
}

/// A row of `second_steps`: whoever shows its token has shown what a mail told them.
#[derive(Debug)]
pub struct SecondStepRow<'a> {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// Of its token.
    pub token_digest: &'a [u8],
    /// How the first step was made.
    pub signed_in_by: &'a str,
    /// Until when.
    pub expires_at: OffsetDateTime,
    /// Codes that were tried.
    pub tries: i16,
    /// When it was made, or given up.
    pub ended_at: Option<OffsetDateTime>,
}

impl Vouched for SecondStepRow<'_> {
    const KIND: Kind = Kind::SecondStep;

    fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        1 + counted(self.tries.into()) + if self.ended_at.is_some() { 100 } else { 0 }
    }

    fn until(&self) -> Option<OffsetDateTime> {
        Some(self.expires_at)
    }

    fn meaning(&self) -> Meaning {
        Meaning::new()
            .uuid(self.id)
            .uuid(self.user)
            .bytes(self.token_digest)
            .text(self.signed_in_by)
            .moment(Some(self.expires_at))
            .bytes(&self.tries.to_be_bytes())
            .moment(self.ended_at)
    }
}
