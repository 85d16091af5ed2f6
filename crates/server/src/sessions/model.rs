//! Sessions as they are told, their tokens, and why one is not taken.

use bailiwick_proof::id::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::seen::Seen;
use crate::authn::{ACCESS_TOKEN_TTL, AccessTokens};
use crate::authz::Person;
use crate::authz::vouched::stamp::Stamp;
use crate::db::DbError;
use crate::feed::Unconfirmed;
use crate::vault::VaultError;

/// A session ends at the latest so long after its sign-in.
pub(super) const ABSOLUTE_LIFETIME: Duration = Duration::days(30);
/// A refresh token that is not used for so long is over.
pub(super) const IDLE_LIFETIME: Duration = Duration::days(14);
/// How long losers of a parallel refresh still get the winner's successor.
pub(super) const PARALLEL_GRACE: Duration = Duration::seconds(10);

/// What a sign-in or a refresh answers.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenPair {
    /// A JWT for `Authorization: Bearer`.
    pub access_token: String,
    /// Good once, at `POST /auth/refresh`.
    pub refresh_token: String,
    /// Seconds until the access token expires.
    pub expires_in: i64,
}

impl TokenPair {
    pub(super) fn new(access_token: String, refresh_token: String) -> Self {
        Self { access_token, refresh_token, expires_in: ACCESS_TOKEN_TTL.whole_seconds() }
    }
}

/// How somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInMethod {
    /// By the link of a mail.
    MailLink,
    /// By the code of a mail.
    MailCode,
    /// By a passkey alone.
    Passkey,
    /// By a mail, and then an authenticator's code.
    MailAndTotp,
    /// By a mail, and then a recovery code.
    MailAndRecoveryCode,
    /// By their word on another device.
    Device,
}

impl SignInMethod {
    /// The word in the table and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MailLink => "mail_link",
            Self::MailCode => "mail_code",
            Self::Passkey => "passkey",
            Self::MailAndTotp => "mail_and_totp",
            Self::MailAndRecoveryCode => "mail_and_recovery_code",
            Self::Device => "device",
        }
    }

    /// Whether a factor beyond the mail was shown. On a device it is as whoever approved it was.
    #[must_use]
    pub const fn is_strong(self) -> bool {
        match self {
            Self::Passkey | Self::MailAndTotp | Self::MailAndRecoveryCode => true,
            Self::MailLink | Self::MailCode | Self::Device => false,
        }
    }

    /// For people; of a word that a newer node wrote there is nothing to say.
    #[must_use]
    pub fn in_words(word: &str) -> &'static str {
        match word {
            "mail_link" => "Link in a mail",
            "mail_code" => "Code in a mail",
            "passkey" => "Passkey",
            "mail_and_totp" => "Mail and authenticator",
            "mail_and_recovery_code" => "Mail and recovery code",
            "device" => "Approved on another device",
            _ => "Not known",
        }
    }
}

/// Who signs in, how, and from where.
pub struct Opening<'a> {
    /// Who, held: whoever ends their sessions, keeps them out or has them owe a factor comes before, and was seen, or after, and sees
    /// this one.
    pub person: &'a Person,
    /// How.
    pub by: SignInMethod,
    /// Whether a factor beyond the mail was shown: [`SignInMethod::is_strong`], or as it was of whoever approved a device.
    pub strong: bool,
    /// On what, and from where.
    pub seen: &'a Seen,
    /// When.
    pub now: OffsetDateTime,
}

/// A session that lives, as its person is told of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Session {
    /// Which.
    #[schema(value_type = String)]
    pub id: SessionId,
    /// The browser or program that signed in, in plain words.
    pub device: String,
    /// The network from which it was last refreshed: a /24 of IPv4, a /64 of IPv6.
    pub network: Option<String>,
    /// How its person signed in: `mail_link`, `mail_code`, `passkey`, `mail_and_totp`, `mail_and_recovery_code`, `device`.
    pub signed_in_by: String,
    /// Whether a factor beyond the mail was shown.
    pub strong: bool,
    /// When they signed in.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: OffsetDateTime,
    /// When it was last refreshed, which a client that is in use does every five minutes.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: OffsetDateTime,
    /// When it ends at the latest.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// How many sessions a sign-out has ended.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EndedSessions {
    /// Those that lived until then.
    pub sessions_ended: usize,
}

/// A session that was just opened, its refresh token in the clear.
pub struct OpenedSession {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub session: SessionId,
    /// To be handed out once.
    pub refresh_token: String,
    /// For the entry that tells of it.
    pub stamps: [Stamp; 2],
}

impl OpenedSession {
    /// What its person is handed, once the transaction is through.
    ///
    /// # Errors
    /// As [`AccessTokens::issue`].
    pub fn tokens(self, tokens: &AccessTokens, now: OffsetDateTime) -> Result<TokenPair, jsonwebtoken::errors::Error> {
        let access_token = tokens.issue(self.user, self.session, now)?;
        Ok(TokenPair::new(access_token, self.refresh_token))
    }
}

/// A session that lives, with its person held: whoever ends it comes before, or after what this transaction does.
pub struct Living {
    /// Whose.
    pub person: Person,
    /// When it ends at the latest.
    pub expires_at: OffsetDateTime,
}

/// A session that was just opened in the place of another.
pub struct Replaced {
    /// The new one.
    pub opened: OpenedSession,
    /// For the entry: the end of the old one.
    pub ended: Stamp,
}

/// Why a refresh token is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RefreshRefusal {
    /// Unknown, expired, or its session is over.
    #[error("the refresh token is not valid")]
    Invalid,
    /// It was used before: every session of its person has been ended.
    #[error("the refresh token was used before")]
    Reused,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The sessions were ended, and not every node has confirmed it.
    #[error(transparent)]
    Unconfirmed(#[from] Unconfirmed),
    /// The successor does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The access token cannot be signed.
    #[error("cannot sign an access token")]
    Sign(#[source] jsonwebtoken::errors::Error),
}
