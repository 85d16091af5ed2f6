//! Passkeys as they are told, what is sent to make and to use one, and why one is not taken.

use bailiwick_proof::id::PasskeyId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::party::NoAnswer;
use crate::db::DbError;
use crate::factors::FactorError;
use crate::feed::Unconfirmed;
use crate::http::{Code, Problem};
use crate::jobs::EnqueueError;
use crate::limits::Limited;
use crate::name::Name;
use crate::sessions::TokenPair;
use crate::vault::VaultError;

/// How long a challenge is good for.
pub(super) const CEREMONY_LIVES: Duration = Duration::minutes(5);
/// How many passkeys a person has at most.
pub(super) const MOST_PASSKEYS: usize = 20;

/// A passkey, as its person is told of it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Passkey {
    /// Which.
    #[schema(value_type = String)]
    pub id: PasskeyId,
    /// Its person's word for it.
    pub name: String,
    /// Whether it may be on several devices of its person: a password manager's, or an account's with a platform.
    pub synced: bool,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// When somebody signed in with it last.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<OffsetDateTime>,
}

/// All of somebody's passkeys.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Passkeys {
    /// The oldest first.
    pub data: Vec<Passkey>,
}

/// A challenge.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PasskeyChallenge {
    /// Opaque; comes back with the credential. To sign in it is bound to this browser's cookie, otherwise to the session.
    pub ceremony: String,
    /// For `navigator.credentials`, binary members in base64url: `{"publicKey": …}`.
    #[schema(value_type = Object)]
    pub options: Value,
}

/// `{"ceremony": …, "credential": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowPasskey {
    /// As the challenge has it.
    pub(super) ceremony: String,
    /// What `navigator.credentials.get` gave, as its `toJSON` says it.
    #[schema(value_type = Object)]
    pub(super) credential: Value,
}

/// `{"ceremony": …, "name": …, "credential": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterPasskey {
    /// As the challenge has it.
    pub(super) ceremony: String,
    /// What its person calls it.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    pub(super) name: Name,
    /// What `navigator.credentials.create` gave, as its `toJSON` says it.
    #[schema(value_type = Object)]
    pub(super) credential: Value,
}

/// `{"name": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenamePasskey {
    /// What its person calls it from now on.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    pub(super) name: Name,
}

/// A passkey that was added.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RegisteredPasskey {
    /// It.
    pub passkey: Passkey,
    /// With the first factor: ten codes, each good once where no factor is at hand. They are not shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_codes: Option<Vec<String>>,
    /// With the first factor: the session at hand has ended for this one, and all others have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenPair>,
}

/// Why nothing comes of it.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyRefusal {
    /// The public URL's host is an address.
    #[error("there can be no passkeys at an address")]
    Unavailable,
    /// Whatever is wrong with it; which of many things is nobody's business.
    #[error("the passkey does not do")]
    Failed,
    /// There is none of theirs.
    #[error("no such passkey")]
    NotFound,
    /// They proved who they are too long ago.
    #[error("the sign-in is not fresh")]
    StepUpRequired,
    /// They have as many as one may have.
    #[error("a person has {MOST_PASSKEYS} passkeys at most")]
    Full,
    /// Somebody of this network has tried too often.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// What follows from the first factor, or from the last.
    #[error(transparent)]
    Factor(#[from] FactorError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The vault does not serve.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The mail cannot be handed over.
    #[error(transparent)]
    Mail(#[from] EnqueueError),
    /// It is done, and not every node has said that it knows.
    #[error(transparent)]
    Unconfirmed(#[from] Unconfirmed),
    /// The access token cannot be signed.
    #[error("cannot sign an access token")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// A fault of ours.
    #[error("{0}")]
    Internal(&'static str, #[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<NoAnswer> for PasskeyRefusal {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Elsewhere | NoAnswer::NotDiscoverable | NoAnswer::Wrong(_) => Self::Failed,
            NoAnswer::Stored(error) => Self::Internal("read a stored passkey", error.into()),
        }
    }
}

impl From<PasskeyRefusal> for Problem {
    fn from(refusal: PasskeyRefusal) -> Self {
        match refusal {
            PasskeyRefusal::Unavailable => Self::new(Code::PasskeysUnavailable),
            PasskeyRefusal::Failed => Self::new(Code::PasskeyFailed),
            PasskeyRefusal::NotFound => Self::new(Code::NotFound),
            PasskeyRefusal::StepUpRequired => Self::new(Code::StepUpRequired),
            PasskeyRefusal::Full => {
                let detail = format!("You have {MOST_PASSKEYS} passkeys. Remove one that you do not use any more.");
                Self::field("", "too_many", detail)
            }
            PasskeyRefusal::Limited(limited) => limited.into(),
            PasskeyRefusal::Factor(error) => error.into(),
            PasskeyRefusal::Db(error) => error.into(),
            PasskeyRefusal::Vault(error) => error.into(),
            PasskeyRefusal::Mail(error) => error.into(),
            PasskeyRefusal::Unconfirmed(error) => error.into(),
            PasskeyRefusal::Sign(error) => Self::internal("sign access token", &error),
            PasskeyRefusal::Internal(what, error) => Self::internal(what, &*error),
        }
    }
}
