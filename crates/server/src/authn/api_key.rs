//! A program by its API key.

use std::net::IpAddr;

use bailiwick_proof::api_key::ShownApiKey;
use time::OffsetDateTime;

use super::TokenDigest;
use crate::authz::{KeyHolder, KeyLapse};
use crate::db::DbError;
use crate::feed::{Feed, KeyState};

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

/// What [`authenticate_shown_key`] says of a text; what cannot be a key is refused by its checksum before anybody is
/// asked.
///
/// # Errors
/// See [`KeyRefusal`].
pub async fn authenticate_key(
    feed: &Feed,
    text: &str,
    now: OffsetDateTime,
    from: Option<IpAddr>,
) -> Result<KeyHolder, KeyRefusal> {
    let key = ShownApiKey::read(text).map_err(|_| KeyRefusal::Malformed)?;
    authenticate_shown_key(feed, key, now, from).await
}

/// Finds the key by its public index and the digest of the whole, and notes that it was used.
///
/// # Errors
/// See [`KeyRefusal`]. Only whoever holds the whole key learns that it was revoked or has expired.
pub async fn authenticate_shown_key(
    feed: &Feed,
    key: ShownApiKey<'_>,
    now: OffsetDateTime,
    from: Option<IpAddr>,
) -> Result<KeyHolder, KeyRefusal> {
    let digest = TokenDigest::of(key.reveal().as_bytes());
    let_in(feed.key(key.lookup(), digest.bytes(), now).await?, now, from)
}

/// The same, where memory can tell.
#[must_use]
pub fn shown_key_at_hand(
    feed: &Feed,
    key: &ShownApiKey<'_>,
    now: OffsetDateTime,
    from: Option<IpAddr>,
) -> Option<Result<KeyHolder, KeyRefusal>> {
    let digest = TokenDigest::of(key.reveal().as_bytes());
    feed.key_at_hand(key.lookup(), digest.bytes(), now).map(|state| let_in(state, now, from))
}

fn let_in(state: KeyState, now: OffsetDateTime, from: Option<IpAddr>) -> Result<KeyHolder, KeyRefusal> {
    let facts = match state {
        KeyState::Known(facts) => facts,
        KeyState::Revoked => return Err(KeyRefusal::Revoked),
        KeyState::Unknown => return Err(KeyRefusal::Unknown),
    };
    facts.at_use(now, from)?;
    Ok(KeyHolder::attested(facts))
}
