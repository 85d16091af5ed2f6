//! A program by its API key.

use std::net::IpAddr;

use bailiwick_proof::api_key::PlainApiKey;
use time::{Duration, OffsetDateTime};

use super::{TokenDigest, sql};
use crate::authz::{KeyHolder, KeyLapse};
use crate::db::{Db, DbError, OperationalPath, Unrecorded};

/// `last_used_at` is kept to the minute, so that a busy key writes once a minute.
const LAST_USED_GRAIN: Duration = Duration::minutes(1);

/// Why a key is not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeyRefusal {
    /// No key has this shape; nothing was looked up.
    #[error("malformed")]
    Malformed,
    /// Well made, and not one of ours.
    #[error("unknown")]
    Unknown,
    /// It was revoked.
    #[error("revoked")]
    Revoked,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// It is not for use from there.
    #[error("not from this address")]
    Address,
    /// The lookup failed, so the answer is no.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<KeyLapse> for KeyRefusal {
    fn from(why: KeyLapse) -> Self {
        match why {
            KeyLapse::Expired => Self::Expired,
            KeyLapse::Address => Self::Address,
        }
    }
}

/// Finds the key among those with its public index, and notes that it was used.
///
/// # Errors
/// See [`KeyRefusal`]. Only whoever holds the whole key learns that it was revoked or has expired.
pub async fn authenticate_key(
    db: &Db,
    text: &str,
    now: OffsetDateTime,
    from: Option<IpAddr>,
) -> Result<KeyHolder, KeyRefusal> {
    let key: PlainApiKey = text.parse().map_err(|_| KeyRefusal::Malformed)?;
    let digest = TokenDigest::of(key.reveal().as_bytes());
    let mut tx = db.system_tx(OperationalPath::AuthenticateKey).await?;
    let candidates = sql::keys_by_lookup(&mut tx, key.lookup()).await?;
    let Some(found) = candidates.into_iter().find(|candidate| digest.matches(&candidate.digest)) else {
        tx.finish_reading().await?;
        return Err(KeyRefusal::Unknown);
    };
    if found.revoked_at.is_some() {
        return Err(KeyRefusal::Revoked);
    }
    found.facts.at_use(now, from)?;
    if found.last_used_at.is_none_or(|at| at + LAST_USED_GRAIN <= now) {
        sql::touch_key(&mut tx, &found.facts, now).await?;
        tx.commit_unrecorded(Unrecorded::LastUsed).await?;
    } else {
        tx.finish_reading().await?;
    }
    Ok(KeyHolder::attested(found.facts))
}
