//! Tokens of a session, and why one is not taken.

use bailiwick_proof::id::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use time::Duration;

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
