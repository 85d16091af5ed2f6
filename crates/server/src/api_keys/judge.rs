//! The one answer to "is this key good, now, for that?", however it is asked.

use std::net::IpAddr;

use bailiwick_proof::api_key::ShownApiKey;
use bailiwick_proof::environment::Environment;
use time::OffsetDateTime;

use crate::authn::{self, KeyRefusal};
use crate::authz::{Audience, KeyHolder, Permission, Scope};
use crate::db::DbError;
use crate::feed::Feed;

/// What is asked of a key beyond being one.
#[derive(Default)]
pub(super) struct Demands {
    /// Where it must belong.
    pub(super) environment: Option<Environment>,
    /// For whom it is asked; `None` is a service that did not say.
    pub(super) audience: Option<Audience>,
    /// Where it was used from; `None` when nobody knows.
    pub(super) from: Option<IpAddr>,
    /// A scope that it must have.
    pub(super) scope: Option<Scope>,
    /// A permission that it must have.
    pub(super) permission: Option<Permission>,
}

/// Why a key is not good for what is asked.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It cannot be a key, or belongs to the other environment by its very prefix; nothing was looked up.
    Malformed,
    /// As above.
    OtherEnvironment(Environment),
    /// Well made, and not one of ours.
    Unknown,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
    /// It is not for use from there.
    Address,
    /// It is for other services.
    Audience,
    /// It lacks the scope.
    Scope(Scope),
    /// It lacks the permission.
    Permission(Permission),
}

impl Refusal {
    /// The word in a verdict.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::OtherEnvironment(_) => "environment_mismatch",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Address => "address_not_allowed",
            Self::Audience => "wrong_audience",
            Self::Scope(_) => "insufficient_scope",
            Self::Permission(_) => "insufficient_permission",
        }
    }
}

/// Judges a key.
///
/// # Errors
/// [`DbError`] when nobody can tell: never a guess.
pub(super) async fn judge(
    feed: &Feed,
    key: &str,
    demands: &Demands,
    now: OffsetDateTime,
) -> Result<Result<KeyHolder, Refusal>, DbError> {
    match look(key, demands) {
        Ok(shown) => settle(authn::authenticate_shown_key(feed, shown, now, demands.from).await, demands),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// The same, where memory can tell.
pub(super) fn judge_at_hand(
    feed: &Feed,
    key: &str,
    demands: &Demands,
    now: OffsetDateTime,
) -> Option<Result<KeyHolder, Refusal>> {
    match look(key, demands) {
        Ok(shown) => settle(authn::shown_key_at_hand(feed, &shown, now, demands.from)?, demands).ok(),
        Err(refusal) => Some(Err(refusal)),
    }
}

/// What the text of a key says by itself.
fn look<'a>(key: &'a str, demands: &Demands) -> Result<ShownApiKey<'a>, Refusal> {
    let shown = ShownApiKey::read(key).map_err(|_| Refusal::Malformed)?;
    if demands.environment.is_some_and(|wanted| wanted != shown.environment()) {
        return Err(Refusal::OtherEnvironment(shown.environment()));
    }
    Ok(shown)
}

fn settle(found: Result<KeyHolder, KeyRefusal>, demands: &Demands) -> Result<Result<KeyHolder, Refusal>, DbError> {
    Ok(Err(match found {
        Ok(holder) => return Ok(lacks(&holder, demands).map_or(Ok(holder), Err)),
        Err(KeyRefusal::Malformed) => Refusal::Malformed,
        Err(KeyRefusal::Unknown) => Refusal::Unknown,
        Err(KeyRefusal::Revoked) => Refusal::Revoked,
        Err(KeyRefusal::Expired) => Refusal::Expired,
        Err(KeyRefusal::Address) => Refusal::Address,
        Err(KeyRefusal::Db(error)) => return Err(error),
    }))
}

fn lacks(holder: &KeyHolder, demands: &Demands) -> Option<Refusal> {
    if !holder.key().audiences.admit(demands.audience.as_ref()) {
        return Some(Refusal::Audience);
    }
    if let Some(scope) = demands.scope.filter(|scope| !holder.key().scopes.contains(*scope)) {
        return Some(Refusal::Scope(scope));
    }
    demands.permission.filter(|wanted| !holder.permissions().contains(*wanted)).map(Refusal::Permission)
}
