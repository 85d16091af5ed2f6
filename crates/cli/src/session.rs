//! A session of this program's own: begun by `login`, and kept alive by exchanging its refresh token, which is good once.
//!
//! # Invariants
//! - Of several processes one exchanges the token, under a lock; the others read what it has stored.
//! - A server takes a token that comes back for a theft, and ends every session of its person; for ten seconds alone it answers the
//!   same successor. So it is written down that a token is about to be sent, and one that was sent longer ago, with no answer stored, is
//!   never sent again.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::args::Global;
use crate::client::{Client, Unmade};
use crate::failure::{Exit, Failure};
use crate::profile::{Profile, ProfileName, Store};
use crate::surroundings;
use crate::token::Token;

/// An access token that ends within this is exchanged first.
const MARGIN: Duration = Duration::seconds(45);
/// Within this a server still knows a token that was used: ten seconds, less what clocks and networks take.
const SENT_LIVES: Duration = Duration::seconds(7);

/// What keeps a session alive.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptAlive {
    /// Good once; this file is the one place where it is written down.
    #[serde(serialize_with = "Token::store", deserialize_with = "Token::load")]
    refresh_token: Token,
    /// When the access token ends, in unix seconds.
    expires_at: i64,
    /// When the refresh token was sent and no answer stored yet, in unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_at_ms: Option<i64>,
}

/// What a sign-in or an exchange answers.
#[derive(Deserialize)]
struct Pair {
    access_token: String,
    refresh_token: String,
    expires_in: i64,
}

/// Reads the tokens that a server has answered: the access token, and what keeps it alive.
///
/// # Errors
/// When they are none.
pub(crate) fn tokens(answer: Value, now: OffsetDateTime) -> Result<(Token, KeptAlive), Failure> {
    let unreadable = || Failure::new(Exit::Failure, "the server's tokens cannot be read");
    let pair: Pair = serde_json::from_value(answer).map_err(|_| unreadable())?;
    let token = |text: &str| Token::parse(text).map_err(|_| unreadable());
    let expires_at = now.unix_timestamp().saturating_add(pair.expires_in);
    Ok((
        token(&pair.access_token)?,
        KeptAlive { refresh_token: token(&pair.refresh_token)?, expires_at, sent_at_ms: None },
    ))
}

impl KeptAlive {
    fn is_due(&self, now: OffsetDateTime) -> bool {
        self.expires_at <= (now + MARGIN).unix_timestamp()
    }

    /// Whether the token was sent so long ago that it must not be sent again.
    fn is_lost(&self, now: OffsetDateTime) -> bool {
        self.sent_at_ms.is_some_and(|at| {
            let age = milliseconds(now).saturating_sub(at);
            age > i64::try_from(SENT_LIVES.whole_milliseconds()).unwrap_or_default() || age < 0
        })
    }
}

fn milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

/// The profile with an access token that is good for a while yet; exchanged first where it is not.
///
/// # Errors
/// [`Exit::Auth`] when the session is over, and whatever the server or the disk says.
pub(crate) async fn keep_alive(
    store: &Store,
    name: &ProfileName,
    profile: Profile,
    global: &Global,
) -> Result<Profile, Failure> {
    if profile.session.as_ref().is_none_or(|session| !session.is_due(surroundings::now())) {
        return Ok(profile);
    }
    let _lock = store.lock_session(name)?;
    // Another process may have exchanged it meanwhile.
    let profile = store.load()?.get(name)?.clone();
    let Some(session) = profile.session.clone().filter(|session| session.is_due(surroundings::now())) else {
        return Ok(profile);
    };
    if session.is_lost(surroundings::now()) {
        return Err(over("the session could not be kept alive: its last exchange was cut off", name));
    }
    let now = surroundings::now();
    mark(store, name, session.sent_at_ms.or(Some(milliseconds(now))))?;
    let client = Client::anonymous(profile.server.clone(), global)?;
    let body = json!({ "refresh_token": session.refresh_token.reveal() });
    match client.post_once(&["auth", "refresh"], &body).await {
        Ok(answer) => {
            let (token, session) = tokens(answer, now)?;
            store.update(|profiles| {
                let stored = profiles.profiles.get_mut(name).ok_or_else(|| over("the profile is gone", name))?;
                stored.token = token;
                stored.session = Some(session);
                Ok(stored.clone())
            })
        }
        Err(Unmade { failure, .. }) if failure.stated_code() == "refresh_token_invalid" => {
            Err(over("the session is over", name))
        }
        Err(Unmade { failure, in_doubt }) => {
            if !in_doubt && session.sent_at_ms.is_none() {
                mark(store, name, None)?;
            }
            Err(failure)
        }
    }
}

fn mark(store: &Store, name: &ProfileName, sent_at_ms: Option<i64>) -> Result<(), Failure> {
    store.update(|profiles| {
        if let Some(session) = profiles.profiles.get_mut(name).and_then(|profile| profile.session.as_mut()) {
            session.sent_at_ms = sent_at_ms;
        }
        Ok(())
    })
}

fn over(message: &str, name: &ProfileName) -> Failure {
    let again = if name.to_string() == "default" { String::new() } else { format!(" --profile {name}") };
    Failure::new(Exit::Auth, message).hint(format!("sign in again with `bailiwick login{again}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(expires_at: i64, sent_at_ms: Option<i64>) -> KeptAlive {
        KeptAlive { refresh_token: Token::parse("r").unwrap(), expires_at, sent_at_ms }
    }

    #[test]
    fn it_is_exchanged_before_it_ends_and_never_sent_twice_after_the_grace() {
        let now = OffsetDateTime::from_unix_timestamp(1_000).unwrap();
        assert!(session(1_045, None).is_due(now) && !session(1_046, None).is_due(now));
        for (sent_at_ms, lost) in
            [(None, false), (Some(993_000), false), (Some(992_999), true), (Some(1_000_001), true)]
        {
            assert_eq!(session(0, sent_at_ms).is_lost(now), lost, "{sent_at_ms:?}");
        }
    }

    #[test]
    fn tokens_are_read_and_never_repeated() {
        let now = OffsetDateTime::from_unix_timestamp(1_000).unwrap();
        let (token, kept) = tokens(json!({"access_token": "a", "refresh_token": "r", "expires_in": 300}), now).unwrap();
        assert_eq!((token.reveal(), kept.refresh_token.reveal(), kept.expires_at), ("a", "r", 1_300));
        assert!(!format!("{kept:?}").contains("\"r\""));
        let wrong = tokens(json!({"access_token": "secret-of-ada", "expires_in": 300}), now).unwrap_err();
        assert!(!format!("{wrong:?}").contains("secret-of-ada"));
    }
}
