//! An invitation as its workspace sees it, and the token that proves it.

use bailiwick_proof::id::{InvitationId, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::authn::TokenDigest;
use crate::authz::Role;
use crate::entropy::Entropy;
use crate::identity::EmailAddress;

/// For how long an invitation can be taken after it was sent.
pub(super) const LIVES: Duration = Duration::days(7);
/// Sent again within so long, it is not sent again: whoever pressed twice meant it once.
pub(super) const SENT_JUST_NOW: Duration = Duration::minutes(1);
/// The most that a workspace has open: a stolen session is no way to send mail to everybody.
pub(super) const MOST_OPEN: usize = 100;
/// How long after its time an invitation goes, with the address in it.
pub(super) const KEPT: Duration = Duration::days(30);

/// `{"email": …, "role": …}`
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvitation {
    /// Who is invited.
    #[schema(value_type = String, format = Email, max_length = 254)]
    pub email: EmailAddress,
    /// As what.
    pub role: Role,
}

/// How an open invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InvitationStatus {
    /// It can be taken.
    Pending,
    /// Its time is over; sent again, it can be taken again.
    Expired,
}

/// An invitation that was neither taken nor revoked.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Invitation {
    /// `inv_…`
    #[schema(value_type = String)]
    pub id: InvitationId,
    /// Who is invited.
    pub email: String,
    /// As what.
    pub role: Role,
    /// Whether it can be taken.
    pub status: InvitationStatus,
    /// Whose offer it is: who invited, or sent it again last.
    #[schema(value_type = String)]
    pub invited_by: UserId,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// When its mail was last handed over.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub sent_at: OffsetDateTime,
    /// Until when it can be taken.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
}

/// `{"token": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// From the mail's link.
    #[schema(max_length = 100)]
    pub token: String,
}

/// What an invitation's mail carries: 256 random bits in base64url. It has no `Debug`.
pub(super) struct Token(String);

impl Token {
    const BYTES: usize = 32;

    pub(super) fn new(entropy: &Entropy) -> Self {
        Self(URL_SAFE_NO_PAD.encode(entropy.bytes::<{ Self::BYTES }>()))
    }

    /// `None` for what no invitation's mail ever carried.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok()?;
        (bytes.len() == Self::BYTES).then(|| Self(text.trim().to_owned()))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_256_bits_and_one_spelling() {
        let token = Token::new(&Entropy::system());
        assert_eq!(token.text().len(), 43);
        assert!(Token::parse(&format!(" {}\n", token.text())).is_some_and(|read| read.text() == token.text()));
        for bad in ["", "x", &token.text()[1..], &format!("{}A", token.text()), &format!("{}=", token.text())] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }
}
