//! What each kind of row grants, in the one order in which it is vouched for.
//!
//! Whoever writes a row and whoever loads it fill in the same struct. Nothing else goes into a MAC, and whatever decides
//! what somebody may do is in one: who, where, what, until when, and whether it has ended. `docs/reference/vault-formats.md`
//! tells the same to others.
//!
//! `version` is counted up by the database with each change, so an older row put back is not taken for a later one by
//! anybody who knows the later one.

mod account;
mod factors;
mod invitation;
mod passkey;
mod workspace;

use aws_lc_rs::digest;
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::account::{AddressChangeRow, DeviceLoginRow};
pub use self::factors::{AuthenticatorRow, ENROLMENT_LIVES, FactorHolderRow, SecondStepRow};
pub use self::invitation::InvitationRow;
pub use self::passkey::PasskeyRow;
pub use self::workspace::WorkspaceRow;
use super::{Kind, Vouched};
use crate::vault::Meaning;

/// A row of `api_keys`.
#[derive(Debug)]
pub struct KeyRow<'a> {
    /// Whose.
    pub workspace: Uuid,
    /// `live` or `test`.
    pub environment: &'a str,
    /// The project that it is confined to.
    pub project: Option<Uuid>,
    /// Which.
    pub id: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// As services are told it.
    pub name: &'a str,
    /// Its public index.
    pub lookup: &'a str,
    /// SHA-256 of the digest of its whole text.
    pub imprint: &'a [u8],
    /// What it may do.
    pub scopes: &'a [String],
    /// Whom it is for.
    pub audiences: &'a [String],
    /// Where it may be used from.
    pub networks: &'a [String],
    /// How long a successor lasts depends on it.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

impl Vouched for KeyRow<'_> {
    const KIND: Kind = Kind::ApiKey;

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
        self.expires_at
    }

    fn meaning(&self) -> Meaning {
        let words = |meaning: Meaning, words: &[String]| meaning.list(words.iter().map(String::as_str));
        let meaning = Meaning::new()
            .uuid(self.workspace)
            .text(self.environment)
            .maybe(self.project.as_ref().map(|project| project.as_bytes().as_slice()))
            .uuid(self.id)
            .bytes(&self.version.to_be_bytes())
            .text(self.name)
            .text(self.lookup)
            .bytes(self.imprint);
        let meaning = [self.scopes, self.audiences, self.networks].into_iter().fold(meaning, words);
        meaning.moment(Some(self.created_at)).moment(self.expires_at).moment(self.revoked_at)
    }
}

/// What stands for a key's digest in its MAC, and in the column `imprint`: whoever changes a key reads no digest.
#[must_use]
pub fn imprint(digest_of_key: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, digest_of_key).as_ref().to_vec()
}

/// A row of `memberships`.
#[derive(Debug)]
pub struct MembershipRow<'a> {
    /// Where.
    pub workspace: Uuid,
    /// Who.
    pub user: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// As what.
    pub role: &'a str,
    /// Since when they belong there no more.
    pub ended_at: Option<OffsetDateTime>,
    /// Whether the workspace lets in only those who have shown a factor.
    pub strong_only: bool,
}

impl Vouched for MembershipRow<'_> {
    const KIND: Kind = Kind::Membership;

    fn workspace(&self) -> Uuid {
        self.workspace
    }

    fn id(&self) -> Vec<u8> {
        self.user.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        counted(self.version)
    }

    fn meaning(&self) -> Meaning {
        let version = self.version.to_be_bytes();
        let meaning = Meaning::new().uuid(self.workspace).uuid(self.user).bytes(&version).text(self.role);
        let meaning = if self.ended_at.is_some() { meaning.moment(self.ended_at) } else { meaning };
        if self.strong_only { meaning.text("strong_only") } else { meaning }
    }
}

/// A row of `users`: whose address signs in as whom, unless they are suspended, and whether it does so alone.
#[derive(Debug)]
pub struct UserRow<'a> {
    /// Who.
    pub id: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// Their address, as it is shown.
    pub email: &'a str,
    /// Their address, as it is compared.
    pub email_key: &'a str,
    /// Since when they may not come in.
    pub suspended_at: Option<OffsetDateTime>,
    /// Since when the mail alone does not sign them in.
    pub strong_since: Option<OffsetDateTime>,
    /// How often all of their sessions were ended: only those of this epoch live.
    pub session_epoch: i64,
    /// How often all of their factors were taken away: only those of this epoch count.
    pub factor_epoch: i64,
}

impl Vouched for UserRow<'_> {
    const KIND: Kind = Kind::User;

    fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        counted(self.version)
    }

    fn meaning(&self) -> Meaning {
        let version = self.version.to_be_bytes();
        let meaning = Meaning::new().uuid(self.id).bytes(&version).text(self.email).text(self.email_key);
        let meaning = meaning.moment(self.suspended_at);
        let meaning = if self.strong_since.is_some() { meaning.moment(self.strong_since) } else { meaning };
        match (self.session_epoch, self.factor_epoch) {
            (0, 0) => meaning,
            (sessions, factors) => meaning.text("epochs").bytes(&sessions.to_be_bytes()).bytes(&factors.to_be_bytes()),
        }
    }
}

/// A row of `sessions`.
#[derive(Debug)]
pub struct SessionRow {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// When it ends at the latest.
    pub expires_at: OffsetDateTime,
    /// When it was ended.
    pub revoked_at: Option<OffsetDateTime>,
    /// Whether a factor beyond the mail was shown when it began.
    pub strong: bool,
    /// Its person's when it began.
    pub epoch: i64,
}

impl Vouched for SessionRow {
    const KIND: Kind = Kind::Session;

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
        let meaning = Meaning::new().uuid(self.id).uuid(self.user).bytes(&self.version.to_be_bytes());
        let meaning = meaning.moment(Some(self.expires_at)).moment(self.revoked_at);
        let meaning = if self.strong { meaning.text("strong") } else { meaning };
        of_epoch(meaning, self.epoch)
    }
}

/// A row of `refresh_tokens`. The sealed successor is bound to its place by the vault.
#[derive(Debug)]
pub struct RefreshTokenRow<'a> {
    /// Which.
    pub digest: &'a [u8],
    /// What it keeps alive.
    pub session: Uuid,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was exchanged.
    pub used_at: Option<OffsetDateTime>,
}

impl Vouched for RefreshTokenRow<'_> {
    const KIND: Kind = Kind::RefreshToken;

    fn id(&self) -> Vec<u8> {
        self.digest.to_vec()
    }

    fn serial(&self) -> u64 {
        1 + u64::from(self.used_at.is_some())
    }

    fn until(&self) -> Option<OffsetDateTime> {
        Some(self.expires_at)
    }

    fn meaning(&self) -> Meaning {
        let meaning = Meaning::new().bytes(self.digest).uuid(self.session);
        meaning.moment(Some(self.expires_at)).moment(self.used_at)
    }
}

/// A row of `internal_credentials`.
#[derive(Debug)]
pub struct ServiceRow<'a> {
    /// Which.
    pub id: Uuid,
    /// Whose: the operator's word for the service.
    pub service: &'a str,
    /// Of the secret.
    pub digest: &'a [u8],
    /// What it may ask about.
    pub audiences: &'a [String],
    /// When it ends, if it got a successor.
    pub ends_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

impl Vouched for ServiceRow<'_> {
    const KIND: Kind = Kind::Service;

    fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        1 + u64::from(self.ends_at.is_some()) + u64::from(self.revoked_at.is_some())
    }

    fn meaning(&self) -> Meaning {
        let meaning = Meaning::new().uuid(self.id).text(self.service).bytes(self.digest);
        let meaning = meaning.list(self.audiences.iter().map(String::as_str)).moment(self.revoked_at);
        if self.ends_at.is_some() { meaning.moment(self.ends_at) } else { meaning }
    }
}

/// A row of `sign_in_challenges`: whoever shows its secrets is whoever has the address.
#[derive(Debug)]
pub struct ChallengeRow<'a> {
    /// Which.
    pub id: Uuid,
    /// The address, as it was typed.
    pub email: &'a str,
    /// The address, as it is compared.
    pub email_key: &'a str,
    /// Of the browser's secret.
    pub challenge_digest: &'a [u8],
    /// Of the link's.
    pub token_digest: &'a [u8],
    /// Of the code.
    pub code_digest: &'a [u8],
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// Codes that were tried.
    pub code_tries: i16,
    /// When it was redeemed.
    pub redeemed_at: Option<OffsetDateTime>,
    /// The challenge whose mail stands for this one's.
    pub merged_into: Option<Uuid>,
}

impl Vouched for ChallengeRow<'_> {
    const KIND: Kind = Kind::Challenge;

    fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        1 + counted(self.code_tries.into()) + if self.redeemed_at.is_some() { 100 } else { 0 }
    }

    fn until(&self) -> Option<OffsetDateTime> {
        Some(self.expires_at)
    }

    fn meaning(&self) -> Meaning {
        let meaning = Meaning::new()
            .uuid(self.id)
            .text(self.email)
            .text(self.email_key)
            .bytes(self.challenge_digest)
            .bytes(self.token_digest)
            .bytes(self.code_digest)
            .moment(Some(self.expires_at))
            .bytes(&self.code_tries.to_be_bytes())
            .moment(self.redeemed_at);
        self.merged_into.into_iter().fold(meaning, Meaning::uuid)
    }
}

/// A row of `ledger_retention` with the open holds of its log: whatever is pruned is pruned by its word.
#[derive(Debug)]
pub struct RetentionRow<'a> {
    /// Whose log.
    pub workspace: Uuid,
    /// `live` or `test`.
    pub environment: &'a str,
    /// Grows with each change.
    pub version: i64,
    /// For how long entries are kept; for ever if nothing is said.
    pub days: Option<i32>,
    /// What takes its place.
    pub next_days: Option<i32>,
    /// And when.
    pub effective_at: Option<OffsetDateTime>,
    /// The log's open holds, in the order of their ids: one that was taken away is missed.
    pub holds: &'a [Uuid],
}

impl Vouched for RetentionRow<'_> {
    const KIND: Kind = Kind::Retention;

    fn workspace(&self) -> Uuid {
        self.workspace
    }

    fn id(&self) -> Vec<u8> {
        self.environment.as_bytes().to_vec()
    }

    fn serial(&self) -> u64 {
        counted(self.version)
    }

    fn meaning(&self) -> Meaning {
        let count = u32::try_from(self.holds.len()).unwrap_or(u32::MAX);
        let days = |days: Option<i32>| days.map(i32::to_be_bytes);
        let meaning = Meaning::new()
            .uuid(self.workspace)
            .text(self.environment)
            .bytes(&self.version.to_be_bytes())
            .maybe(days(self.days).as_ref().map(<[u8; 4]>::as_slice))
            .maybe(days(self.next_days).as_ref().map(<[u8; 4]>::as_slice))
            .moment(self.effective_at)
            .bytes(&count.to_be_bytes());
        self.holds.iter().fold(meaning, |meaning, hold| meaning.uuid(*hold))
    }
}

/// A row of `receipt_shares`.
#[derive(Debug)]
pub struct ReceiptShareRow<'a> {
    /// Whose entry it shows.
    pub workspace: Uuid,
    /// `live` or `test`.
    pub environment: &'a str,
    /// The entry's project.
    pub project: Option<Uuid>,
    /// Which.
    pub id: Uuid,
    /// How often it was changed, plus one.
    pub version: i64,
    /// The entry.
    pub event: Uuid,
    /// SHA-256 of its token's digest.
    pub imprint: &'a [u8],
    /// Which openings it shows.
    pub open: &'a [String],
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

impl Vouched for ReceiptShareRow<'_> {
    const KIND: Kind = Kind::ReceiptShare;

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
            .text(self.environment)
            .maybe(self.project.as_ref().map(|project| project.as_bytes().as_slice()))
            .uuid(self.id)
            .bytes(&self.version.to_be_bytes())
            .uuid(self.event)
            .bytes(self.imprint)
            .list(self.open.iter().map(String::as_str))
            .moment(Some(self.expires_at))
            .moment(self.revoked_at)
    }
}

/// Rows of the first epoch mean what they meant before there were any.
fn of_epoch(meaning: Meaning, epoch: i64) -> Meaning {
    if epoch == 0 { meaning } else { meaning.text("epoch").bytes(&epoch.to_be_bytes()) }
}

/// The database counts up from one; anything below was put there by hand.
fn counted(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
