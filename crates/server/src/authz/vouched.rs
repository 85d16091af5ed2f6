//! Rows that grant something are vouched for: whoever owns the database alone grants nothing.
//!
//! # Invariants
//! - What a row grants is written down once ([`rows`]), for whoever writes it and whoever loads it.
//! - A row is vouched for by the statement that writes it, and looked at before anything is granted by it. Whoever changes
//!   a row looks at it before they vouch for what it becomes.
//! - One that nobody vouches for is as if it were not there, and is reported.
//! - A key that vouches opens nothing, so a process keeps it: rows go on granting while the key service is away.

mod account_sql;
mod factor_sql;
pub mod over;
pub mod rows;
mod sql;
pub mod stamp;
pub mod standing;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use stamp::{Stamp, Stamped};
use standing::Standing;
use time::OffsetDateTime;

use crate::db::DbError;
use crate::vault::{Alert, Meaning, RowKeys, Vault, VaultError};

/// The label of the key that vouches for stamps.
const STAMP: &str = "row-stamp/v1";
/// The label of the key under which sign-in codes are stored.
const CODE: &str = "sign-in-code/v3";

/// A kind of row that grants something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An API key.
    ApiKey,
    /// A person in a workspace, with a role.
    Membership,
    /// A person.
    User,
    /// A session.
    Session,
    /// What keeps a session alive.
    RefreshToken,
    /// A credential of a service of the operator's.
    Service,
    /// A sign-in that was asked for.
    Challenge,
    /// For how long a log is kept, and what holds it.
    Retention,
    /// A link that shows a receipt to others.
    ReceiptShare,
    /// An invitation into a workspace.
    Invitation,
    /// A program that is to come in by somebody's word.
    DeviceLogin,
    /// A person's wish for another address.
    AddressChange,
    /// A passkey.
    Passkey,
    /// What computes a person's codes.
    Authenticator,
    /// A person's recovery codes, and the codes that were wrong.
    FactorHolder,
    /// A sign-in that owes a factor.
    SecondStep,
    /// What a workspace demands of whoever comes in.
    Workspace,
}

impl Kind {
    /// Each of them.
    pub const ALL: [Self; 17] = [
        Self::ApiKey,
        Self::Membership,
        Self::User,
        Self::Session,
        Self::RefreshToken,
        Self::Service,
        Self::Challenge,
        Self::Retention,
        Self::ReceiptShare,
        Self::Invitation,
        Self::DeviceLogin,
        Self::AddressChange,
        Self::Passkey,
        Self::Authenticator,
        Self::FactorHolder,
        Self::SecondStep,
        Self::Workspace,
    ];

    /// Where such rows stand.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::ApiKey => "api_keys",
            Self::Membership => "memberships",
            Self::User => "users",
            Self::Session => "sessions",
            Self::RefreshToken => "refresh_tokens",
            Self::Service => "internal_credentials",
            Self::Challenge => "sign_in_challenges",
            Self::Retention => "ledger_retention",
            Self::ReceiptShare => "receipt_shares",
            Self::Invitation => "invitations",
            Self::DeviceLogin => "device_logins",
            Self::AddressChange => "address_changes",
            Self::Passkey => "passkeys",
            Self::Authenticator => "authenticators",
            Self::FactorHolder => "factor_holders",
            Self::SecondStep => "second_steps",
            Self::Workspace => "workspaces",
        }
    }

    /// The label of the key that vouches: frozen, and another one when the meaning changes.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key-row/v1",
            Self::Membership => "membership-row/v1",
            Self::User => "user-row/v1",
            Self::Session => "session-row/v1",
            Self::RefreshToken => "refresh-token-row/v1",
            Self::Service => "internal-credential-row/v1",
            Self::Challenge => "challenge-row/v1",
            Self::Retention => "retention-row/v1",
            Self::ReceiptShare => "receipt-share-row/v1",
            Self::Invitation => "invitation-row/v1",
            Self::DeviceLogin => "device-login-row/v1",
            Self::AddressChange => "address-change-row/v1",
            Self::Passkey => "passkey-row/v1",
            Self::Authenticator => "authenticator-row/v1",
            Self::FactorHolder => "factor-holder-row/v1",
            Self::SecondStep => "second-step-row/v1",
            Self::Workspace => "workspace-row/v1",
        }
    }
}

impl Kind {
    /// As stamps have it: frozen.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::ApiKey => 1,
            Self::Membership => 2,
            Self::User => 3,
            Self::Session => 4,
            Self::RefreshToken => 5,
            Self::Service => 6,
            Self::Challenge => 7,
            Self::Retention => 8,
            Self::ReceiptShare => 9,
            Self::Invitation => 10,
            Self::DeviceLogin => 15,
            Self::AddressChange => 16,
            Self::Passkey => 11,
            Self::Authenticator => 12,
            Self::FactorHolder => 13,
            Self::SecondStep => 14,
            Self::Workspace => 17,
        }
    }

    /// Whether the database counts each change of such a row: then no two states of it ever have one serial.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        match self {
            Self::ApiKey
            | Self::Membership
            | Self::User
            | Self::Session
            | Self::Invitation
            | Self::AddressChange
            | Self::Passkey
            | Self::Authenticator
            | Self::FactorHolder
            | Self::Workspace => true,
            Self::RefreshToken
            | Self::Service
            | Self::Challenge
            | Self::Retention
            | Self::ReceiptShare
            | Self::DeviceLogin
            | Self::SecondStep => false,
        }
    }

    fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// A row that grants something.
pub trait Vouched: Sync {
    /// What kind of row.
    const KIND: Kind;

    /// Whose it is; nil for the cell's.
    fn workspace(&self) -> Uuid {
        Uuid::nil()
    }

    /// Its id's bytes, or the digest by which it is found.
    fn id(&self) -> Vec<u8>;

    /// Which one, in words that hold no secret.
    fn row(&self) -> String {
        words(&self.id())
    }

    /// Grows with each change of the row.
    fn serial(&self) -> u64;

    /// When it ends by itself.
    fn until(&self) -> Option<OffsetDateTime> {
        None
    }

    /// What it grants.
    fn meaning(&self) -> Meaning;
}

/// What a row that is written gets, and what the entry that tells of it gets.
#[derive(Debug)]
#[must_use]
pub struct Vouching {
    /// For the row.
    pub mac: Vec<u8>,
    /// For the entry.
    pub stamp: Stamp,
}

/// Vouches for rows. Cheap to clone.
#[derive(Clone)]
pub struct Notary(Arc<Inner>);

struct Inner {
    vault: Vault,
    keys: RwLock<Arc<Keys>>,
}

/// The keys of each kind.
struct Keys {
    api_key: RowKeys,
    membership: RowKeys,
    user: RowKeys,
    session: RowKeys,
    refresh_token: RowKeys,
    service: RowKeys,
    challenge: RowKeys,
    retention: RowKeys,
    receipt_share: RowKeys,
    invitation: RowKeys,
    device_login: RowKeys,
    address_change: RowKeys,
    passkey: RowKeys,
    authenticator: RowKeys,
    factor_holder: RowKeys,
    second_step: RowKeys,
    workspace: RowKeys,
    stamp: RowKeys,
    code: RowKeys,
}

impl Keys {
    async fn of(vault: &Vault) -> Result<Self, VaultError> {
        // Each on its own, and not all of them on the stack of whoever waits.
        let of = |label| Box::pin(vault.row_keys(label));
        Ok(Self {
            api_key: of(Kind::ApiKey.label()).await?,
            membership: of(Kind::Membership.label()).await?,
            user: of(Kind::User.label()).await?,
            session: of(Kind::Session.label()).await?,
            refresh_token: of(Kind::RefreshToken.label()).await?,
            service: of(Kind::Service.label()).await?,
            challenge: of(Kind::Challenge.label()).await?,
            retention: of(Kind::Retention.label()).await?,
            receipt_share: of(Kind::ReceiptShare.label()).await?,
            invitation: of(Kind::Invitation.label()).await?,
            device_login: of(Kind::DeviceLogin.label()).await?,
            address_change: of(Kind::AddressChange.label()).await?,
            passkey: of(Kind::Passkey.label()).await?,
            authenticator: of(Kind::Authenticator.label()).await?,
            factor_holder: of(Kind::FactorHolder.label()).await?,
            second_step: of(Kind::SecondStep.label()).await?,
            workspace: of(Kind::Workspace.label()).await?,
            stamp: of(STAMP).await?,
            code: of(CODE).await?,
        })
    }

    const fn for_kind(&self, kind: Kind) -> &RowKeys {
        match kind {
            Kind::ApiKey => &self.api_key,
            Kind::Membership => &self.membership,
            Kind::User => &self.user,
            Kind::Session => &self.session,
            Kind::RefreshToken => &self.refresh_token,
            Kind::Service => &self.service,
            Kind::Challenge => &self.challenge,
            Kind::Retention => &self.retention,
            Kind::ReceiptShare => &self.receipt_share,
            Kind::Invitation => &self.invitation,
            Kind::DeviceLogin => &self.device_login,
            Kind::AddressChange => &self.address_change,
            Kind::Passkey => &self.passkey,
            Kind::Authenticator => &self.authenticator,
            Kind::FactorHolder => &self.factor_holder,
            Kind::SecondStep => &self.second_step,
            Kind::Workspace => &self.workspace,
        }
    }
}

impl Notary {
    /// With the vault's keys.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn open(vault: &Vault) -> Result<Self, VaultError> {
        let keys = RwLock::new(Arc::new(Keys::of(vault).await?));
        Ok(Self(Arc::new(Inner { vault: vault.clone(), keys })))
    }

    /// Vouches for a row that is written, in the words that it has afterwards.
    pub fn vouch<R: Vouched>(&self, row: &R) -> Vouching {
        Vouching { mac: self.sign(row), stamp: Stamped::of(row).signed(self) }
    }

    /// The MAC that is to stand in the row.
    #[must_use]
    pub fn sign<R: Vouched>(&self, row: &R) -> Vec<u8> {
        self.sign_meaning(R::KIND, &row.meaning())
    }

    /// The MAC over what a row of this kind grants.
    #[must_use]
    pub fn sign_meaning(&self, kind: Kind, meaning: &Meaning) -> Vec<u8> {
        self.keys().for_kind(kind).sign(meaning)
    }

    /// Whether the row that was loaded is one of ours; if not, that is reported, and the row grants nothing.
    ///
    /// # Errors
    /// [`DbError`] when a newer key vouches for it and is not to be had now.
    pub async fn vouches<R: Vouched>(&self, row: &R, mac: &[u8]) -> Result<bool, DbError> {
        let vouched = self.verdict(R::KIND, &row.meaning(), mac).await?;
        if !vouched {
            self.report("row_unvouched", R::KIND, row.workspace(), row.row());
        }
        Ok(vouched)
    }

    /// As [`Self::vouches`], of a row of any kind.
    ///
    /// # Errors
    /// As [`Self::vouches`].
    pub async fn vouches_standing(&self, kind: Kind, row: &Standing) -> Result<bool, DbError> {
        let vouched = self.verdict(kind, &row.meaning, &row.mac).await?;
        if !vouched {
            self.report("row_unvouched", kind, row.at.workspace, row.row.clone());
        }
        Ok(vouched)
    }

    /// What is stored of a code that a person types: too short to be hashed without a key, for whoever reads the database
    /// would try them all.
    #[must_use]
    pub fn sign_code(&self, code: &Meaning) -> Vec<u8> {
        self.keys().code.sign(code)
    }

    /// What is stored of a code under each key that is known here: for whoever finds a row by it.
    #[must_use]
    pub fn code_under_each_key(&self, code: &Meaning) -> Vec<Vec<u8>> {
        self.keys().code.sign_under_each(code)
    }

    /// Whether this is the code; in constant time.
    ///
    /// # Errors
    /// As [`Self::vouches`].
    pub async fn knows_code(&self, code: &Meaning, stored: &[u8]) -> Result<bool, DbError> {
        if let Some(verdict) = self.keys().code.vouches(code, stored) {
            return Ok(verdict);
        }
        Box::pin(self.renew()).await?;
        Ok(self.keys().code.vouches(code, stored).unwrap_or(false))
    }

    fn sign_stamp(&self, meaning: &Meaning) -> Vec<u8> {
        self.keys().stamp.sign(meaning)
    }

    async fn knows_stamp(&self, meaning: &Meaning, mac: &[u8]) -> Result<bool, DbError> {
        if let Some(verdict) = self.keys().stamp.vouches(meaning, mac) {
            return Ok(verdict);
        }
        Box::pin(self.renew()).await?;
        Ok(self.keys().stamp.vouches(meaning, mac).unwrap_or(false))
    }

    async fn verdict(&self, kind: Kind, meaning: &Meaning, mac: &[u8]) -> Result<bool, DbError> {
        if let Some(verdict) = self.keys().for_kind(kind).vouches(meaning, mac) {
            return Ok(verdict);
        }
        // Aside, so that whoever asks carries no room for what is rarely done.
        Box::pin(self.renew()).await?;
        Ok(self.keys().for_kind(kind).vouches(meaning, mac).unwrap_or(false))
    }

    /// Whether the MAC was made under the newest key of its kind that is known here.
    #[must_use]
    pub fn is_newest(&self, kind: Kind, mac: &[u8]) -> bool {
        self.keys().for_kind(kind).is_newest(mac)
    }

    /// Fetches the vault's keys anew: after a rotation, so that rows are vouched for under the newest.
    ///
    /// # Errors
    /// [`DbError`] when the vault cannot be asked.
    pub async fn renew(&self) -> Result<(), DbError> {
        let fetched = async {
            self.0.vault.look_for_cell_keys().await?;
            Keys::of(&self.0.vault).await
        };
        let keys = fetched.await.map_err(unavailable)?;
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    /// Raises an alert about a row.
    pub fn report(&self, what: &'static str, kind: Kind, workspace: Uuid, row: String) {
        self.0.vault.alerts().raise(Alert { what, of: kind.table(), workspace, row });
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An id's bytes in words, or a digest's; an environment is its word.
fn words(id: &[u8]) -> String {
    let word =
        std::str::from_utf8(id).ok().filter(|word| word.len() < 16 && word.bytes().all(|b| b.is_ascii_lowercase()));
    word.map_or_else(|| Uuid::from_slice(id).map_or_else(|_| hex(id), |id| id.to_string()), str::to_owned)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Nobody can tell whether the row is one of ours.
fn unavailable(error: VaultError) -> DbError {
    match error {
        VaultError::Db(error) => error,
        error => DbError::Unavailable(sqlx::Error::Io(std::io::Error::other(error))),
    }
}

impl fmt::Debug for Notary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notary([redacted])")
    }
}
