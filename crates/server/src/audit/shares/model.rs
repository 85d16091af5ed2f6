//! A link to a receipt, as it is asked for, shown and written down.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::str::FromStr;

use bailiwick_proof::commitment::Field;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{EventId, ProjectId, ReceiptShareId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::authn::TokenDigest;
use crate::config::PublicUrl;
use crate::entropy::Entropy;

/// For how many days a link may work.
pub(super) const DAYS: RangeInclusive<u16> = 1..=365;
/// For how many it does if nothing is said.
pub(super) const USUAL_DAYS: u16 = 30;
/// Random bytes of a token.
const TOKEN_BYTES: usize = 16;

/// What an entry commits to, and a link may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SharedField {
    /// Who acted.
    Actor,
    /// From which client address.
    Ip,
    /// Everything else: ids of event, request and whoever recorded it, and the data.
    Meta,
    /// To what it was done.
    Target,
}

impl SharedField {
    /// The word in the database.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Ip => "ip",
            Self::Meta => "meta",
            Self::Target => "target",
        }
    }
}

impl From<Field> for SharedField {
    fn from(field: Field) -> Self {
        match field {
            Field::Actor => Self::Actor,
            Field::Ip => Self::Ip,
            Field::Meta => Self::Meta,
            Field::Target => Self::Target,
        }
    }
}

/// What asks for a link.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareReceipt {
    /// Which openings whoever has the link sees; none if nothing is said: then it shows action, time and place in the log.
    #[serde(default)]
    pub open: BTreeSet<SharedField>,
    /// For how many days the link works: 30 if nothing is said, 365 at most.
    #[schema(minimum = 1, maximum = 365)]
    pub days: Option<u16>,
}

/// A link to a receipt, without what opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReceiptShare {
    /// `shr_…`
    #[schema(value_type = String)]
    pub id: ReceiptShareId,
    /// The entry that it shows.
    #[schema(value_type = String)]
    pub event_id: EventId,
    /// live or test.
    #[schema(value_type = String)]
    pub environment: Environment,
    /// The entry's project, if it has one.
    #[schema(value_type = Option<String>)]
    pub project_id: Option<ProjectId>,
    /// Which openings it shows.
    pub open: BTreeSet<SharedField>,
    /// `usr_…` or `key_…`
    pub created_by: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// When it was revoked, if it was.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<OffsetDateTime>,
    /// How often its page was shown, to whomever.
    pub views: u64,
}

impl ReceiptShare {
    /// Whether it shows something at that moment.
    pub(super) fn works(&self, now: OffsetDateTime) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }

    /// The words in the database, in their order.
    pub(super) fn open_words(&self) -> Vec<String> {
        self.open.iter().map(|field| field.as_str().to_owned()).collect()
    }
}

/// A link that was just made.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreatedReceiptShare {
    /// The link itself.
    #[serde(flatten)]
    pub share: ReceiptShare,
    /// Where the receipt is shown to whoever has this address. Here and nowhere else: we keep a digest of it.
    pub url: String,
}

/// What a link's address ends with: 128 random bits in base64url.
pub struct ShareToken([u8; TOKEN_BYTES]);

impl ShareToken {
    pub(super) fn new(entropy: &Entropy) -> Self {
        Self(entropy.bytes())
    }

    /// What is kept of it.
    pub(super) fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.0)
    }

    /// The address that shows the receipt.
    pub(super) fn url(&self, public_url: &PublicUrl) -> String {
        public_url.join(&self.path())
    }

    /// The same without the server.
    pub(super) fn path(&self) -> String {
        format!("/share/r/{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Not what we hand out.
#[derive(Debug, thiserror::Error)]
#[error("not a token of a link")]
pub struct NoToken;

impl FromStr for ShareToken {
    type Err = NoToken;

    /// # Errors
    /// [`NoToken`] for whatever is not 16 bytes in the one spelling of base64url.
    fn from_str(text: &str) -> Result<Self, NoToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoToken)?;
        bytes.try_into().map(Self).map_err(|_| NoToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_spelling() {
        let token = ShareToken::new(&Entropy::counted());
        let path = token.path();
        let text = path.strip_prefix("/share/r/").unwrap();
        assert_eq!((text, text.len()), ("AQEBAQEBAQEBAQEBAQEBAQ", 22));
        let again: ShareToken = text.parse().unwrap();
        assert_eq!(again.digest().bytes(), token.digest().bytes());
        for wrong in
            ["", "AQEBAQEBAQEBAQEBAQEBAR", "AQEBAQEBAQEBAQEBAQEBAQ==", "AQEBAQEBAQEBAQEBAQEB", &"A".repeat(4_000)]
        {
            assert!(wrong.parse::<ShareToken>().is_err(), "{wrong:.40}");
        }
    }

    #[test]
    fn an_offer_is_strict_and_shows_nothing_by_itself() {
        let read = serde_json::from_str::<ShareReceipt>;
        let bare = read("{}").unwrap();
        assert!(bare.open.is_empty() && bare.days.is_none());
        assert_eq!(read(r#"{"open":["target","actor"]}"#).unwrap().open.len(), 2);
        assert!(read(r#"{"open":["everything"]}"#).is_err() && read(r#"{"fields":[]}"#).is_err());
    }
}
