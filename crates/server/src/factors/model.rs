//! Factors as they are told, and why one is not taken.

use bailiwick_proof::id::AuthenticatorId;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{recovery, totp};
use crate::db::DbError;
use crate::feed::Unconfirmed;
use crate::name::Name;
use crate::sessions::TokenPair;
use crate::vault::VaultError;

/// What a person proves themselves with beside the mail. Passkeys stand in a list of their own.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Factors {
    /// Authenticators that count.
    pub authenticators: Vec<Authenticator>,
    /// How many passkeys there are.
    pub passkeys: usize,
    /// How many recovery codes were not used.
    pub recovery_codes_left: usize,
    /// Whether a workspace demands that one of these is shown.
    pub demanded: bool,
}

/// An authenticator, without its secret.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Authenticator {
    /// Which.
    #[schema(value_type = String)]
    pub id: AuthenticatorId,
    /// As its person calls it.
    pub name: String,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub added_at: OffsetDateTime,
    /// When a code of its was last taken.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<OffsetDateTime>,
}

/// `{"name": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddAuthenticator {
    /// 1 to 80 characters: which of their devices it is on.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    pub name: Name,
}

/// An authenticator that is to be confirmed within a quarter of an hour. Its secret is shown this once.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NewAuthenticator {
    /// Which.
    #[schema(value_type = String)]
    pub id: AuthenticatorId,
    /// As its person calls it.
    pub name: String,
    /// In base 32, to be typed.
    pub secret: String,
    /// The same as an authenticator reads it.
    pub otpauth_url: String,
}

/// `{"code": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmAuthenticator {
    /// What the authenticator shows now.
    pub code: String,
}

/// An authenticator that counts from now on.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ConfirmedAuthenticator {
    /// It.
    pub authenticator: Authenticator,
    /// Shown this once; made with a person's first factor.
    pub recovery_codes: Option<Vec<String>>,
    /// With a person's first factor the session at hand is another one, and all others have ended.
    pub session: Option<TokenPair>,
}

/// Ten new recovery codes. They are shown this once, and the older ones are good for nothing.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RecoveryCodes {
    /// Each is good once.
    pub recovery_codes: Vec<String>,
}

/// A code of an authenticator or a recovery code.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowFactor {
    /// What an authenticator shows now.
    pub code: Option<String>,
    /// Or a recovery code.
    pub recovery_code: Option<String>,
}

/// The second step of a sign-in.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PassFactor {
    /// From the answer to `POST /auth/verify`.
    pub factor_token: String,
    /// What an authenticator shows now.
    pub code: Option<String>,
    /// Or a recovery code.
    pub recovery_code: Option<String>,
}

/// What somebody typed.
#[derive(Debug)]
pub(super) enum Typed {
    /// What an authenticator shows.
    Code(String),
    /// A recovery code.
    RecoveryCode(String),
    /// Neither.
    Nonsense,
}

impl Typed {
    /// From two fields, of which one is to be there.
    pub(super) fn of(code: Option<&str>, recovery_code: Option<&str>) -> Option<Self> {
        match (code, recovery_code) {
            (Some(code), None) => Some(totp::as_made(code).map_or(Self::Nonsense, Self::Code)),
            (None, Some(code)) => Some(recovery::as_made(code).map_or(Self::Nonsense, Self::RecoveryCode)),
            _ => None,
        }
    }

    /// From one field that takes either: they differ in length.
    pub(super) fn either(text: &str) -> Self {
        let code = totp::as_made(text).map(Self::Code);
        code.or_else(|| recovery::as_made(text).map(Self::RecoveryCode)).unwrap_or(Self::Nonsense)
    }
}

/// Why a factor is not taken, added or removed.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// Wrong, used, expired, unknown; which of them is nobody's business.
    #[error("the code is not good")]
    Failed,
    /// Too many were wrong. Nothing was looked at.
    #[error("too many codes were wrong: {0} until the next")]
    Wait(Duration),
    /// There is no such authenticator, or it is not waiting to be confirmed.
    #[error("no such authenticator")]
    NotFound,
    /// The person has one of this name.
    #[error("the name is in use")]
    NameTaken,
    /// The person has as many as they can have.
    #[error("too many authenticators")]
    TooMany,
    /// A workspace of the person's demands a factor, and this is the last.
    #[error("the last factor of somebody who needs one")]
    LastFactor,
    /// The session began too long ago.
    #[error("the sign-in is not fresh")]
    Stale,
    /// The session is over, or its person is nobody whom somebody vouches for.
    #[error("the session is over")]
    SessionOver,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The secret cannot be sealed or opened now.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It was done, and not every node has confirmed it.
    #[error(transparent)]
    Unconfirmed(#[from] Unconfirmed),
    /// The access token cannot be signed.
    #[error("cannot sign an access token")]
    Sign(#[source] jsonwebtoken::errors::Error),
}
