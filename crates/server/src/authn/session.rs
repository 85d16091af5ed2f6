//! A person by their access token.

use super::access_token::{AccessTokens, TokenRefusal};
use crate::authz::SignedIn;
use crate::context::RequestContext;
use crate::db::DbError;
use crate::feed::Feed;

/// Why an access token signs nobody in.
#[derive(Debug, thiserror::Error)]
pub enum SessionRefusal {
    /// Not a token of ours.
    #[error("not an access token of this server")]
    Invalid,
    /// Its five minutes are over.
    #[error("the access token has expired")]
    Expired,
    /// Its session was ended, or its person suspended.
    #[error("the session has ended")]
    Ended,
    /// The lookup failed, so the answer is no.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Checks the token, then that its session still lives.
///
/// # Errors
/// See [`SessionRefusal`].
pub async fn authenticate_session(
    feed: &Feed,
    tokens: &AccessTokens,
    token: &str,
    context: &RequestContext,
) -> Result<SignedIn, SessionRefusal> {
    let (user, session) = tokens.verify(token, context.received_at).map_err(|refusal| match refusal {
        TokenRefusal::Invalid | TokenRefusal::KeyEnded => SessionRefusal::Invalid,
        TokenRefusal::Expired => SessionRefusal::Expired,
    })?;
    let live = feed.live_session(user, session, context.received_at).await?;
    let live = live.ok_or(SessionRefusal::Ended)?;
    Ok(SignedIn::attested(user, session, live))
}
