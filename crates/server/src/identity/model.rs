//! Addresses, challenges, and what redeems them.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use time::Duration;
use uuid::Uuid;

use crate::authn::TokenDigest;
use crate::db::DbError;
use crate::entropy::Entropy;
use crate::limits::Limited;
use crate::vault::Meaning;

/// How long a link and a code are good for.
pub(super) const CHALLENGE_TTL: Duration = Duration::minutes(15);
/// How often a challenge's code may be tried.
pub(super) const CODE_TRIES: i16 = 5;

/// An address to which mail is sent, as it was typed.
///
/// ASCII only: addresses that differ by Unicode case folding or look-alikes cannot be taken for each other
/// when there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress(String);

/// The text is no address that we send mail to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address of the form name@host, in ASCII")]
pub struct InvalidEmail;

impl EmailAddress {
    /// As typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address that is stored, where somebody has it.
    pub(super) fn stored_as(self, stored: &str) -> Self {
        stored.parse().ok().filter(|stored: &Self| stored.key() == self.key()).unwrap_or(self)
    }

    /// As it is compared: lower case.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"(),:;<>[]\\".contains(&b);
        let (name, host) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let labels = host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
        let dots = !name.starts_with('.') && !name.ends_with('.') && !name.contains("..");
        let sized = (1..=64).contains(&name.len()) && text.len() <= 254;
        if sized && labels && dots && !name.contains('@') && name.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidEmail)
        }
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An opaque text that finds its row and proves that one has it: base64url of the row's uuid and a secret.
pub(crate) struct Opaque {
    pub(crate) row: Uuid,
    pub(crate) text: String,
}

impl Opaque {
    /// A new one for this row, with 128 or more random bits.
    pub(crate) fn new<const N: usize>(row: Uuid, entropy: &Entropy) -> Self {
        let mut bytes = row.as_bytes().to_vec();
        bytes.extend_from_slice(&entropy.bytes::<N>());
        Self { row, text: URL_SAFE_NO_PAD.encode(bytes) }
    }

    /// Reads one; `None` for what was never handed out.
    pub(crate) fn parse<const N: usize>(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (row, secret) = bytes.split_first_chunk::<16>()?;
        (secret.len() == N).then(|| Self { row: Uuid::from_bytes(*row), text: text.to_owned() })
    }

    pub(crate) fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.text.as_bytes())
    }
}

/// Random bytes of a challenge's text.
pub(super) const CHALLENGE_BYTES: usize = 16;
/// Random bytes of a link's token.
pub(super) const TOKEN_BYTES: usize = 32;

/// Crockford's base 32: no I, L, O and U, which are mistaken for others.
const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_CHARS: usize = 8;

/// A code to be typed: two groups of four, 40 bits.
///
/// Six digits would do for one challenge with five tries, and not for all the challenges that somebody else can
/// ask for the same address: ten thousand of them would guess one of a million codes once in twenty times.
pub(crate) fn new_code(entropy: &Entropy) -> String {
    let letters = entropy
        .bytes::<CODE_CHARS>()
        .map(|byte| CODE_ALPHABET.get(usize::from(byte % 32)).copied().map_or('0', char::from));
    let (left, right) = letters.split_at(CODE_CHARS / 2);
    format!("{}-{}", left.iter().collect::<String>(), right.iter().collect::<String>())
}

/// The code as it was made, however it was typed: in lower case, without the hyphen, with look-alikes.
pub(crate) fn as_made(typed: &str) -> String {
    let letters: String = typed
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            c => c,
        })
        .collect();
    match letters.split_at_checked(CODE_CHARS / 2) {
        Some((left, right)) => format!("{left}-{right}"),
        None => letters,
    }
}

/// What is stored of a code, under a key: forty bits are soon tried through by whoever reads the database, and has asked
/// for the code themselves.
///
/// It is bound to the challenge whose mail it stands in and to the address that this mail went to: in no other row is it of use,
/// whoever writes it there.
pub(super) fn code_meaning(mailed: Uuid, email_key: &str, code: &str) -> Meaning {
    Meaning::new().uuid(mailed).text(email_key).text(&as_made(code))
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefusal {
    /// Unknown, expired, used, or wrong; which of them is nobody's business.
    #[error("the link or code does not sign in")]
    Failed,
    /// The link is good and this browser did not ask for it. Nothing was consumed.
    #[error("the link was asked for in another browser")]
    OtherBrowser,
    /// Somebody of this network has tried too often. Nothing was looked at.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The access token cannot be signed.
    #[error("cannot sign an access token")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b", "Ada.Lovelace+x@example.com", "a@localhost", " a@b.c "] {
            assert!(good.parse::<EmailAddress>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b c",
            "a@-b",
            "a@b..c",
            "a..b@c",
            "a@b@c",
            "ä@b.c",
            "a@b\r\nBcc: x",
            "\"a\"@b",
            "a@[127.0.0.1]",
            "\u{212a}@b",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
        }
        assert_eq!("Ada@Example.COM".parse::<EmailAddress>().unwrap().key(), "ada@example.com");
    }

    #[test]
    fn codes_are_typed_as_people_type() {
        let code = new_code(&Entropy::system());
        assert_eq!((code.len(), code.as_bytes()[4]), (9, b'-'));
        assert_eq!(as_made(&code), code);
        for typed in ["K70Q-21XD", "k70q21xd", " k7oq 2Lxd ", "K7OQ\u{2011}2IXD"] {
            assert_eq!(as_made(typed), "K70Q-21XD", "{typed}");
        }
        assert_eq!(as_made(""), "");
        assert_eq!(as_made("12"), "12");
    }

    #[test]
    fn opaque_texts_have_one_length() {
        let made = Opaque::new::<32>(Uuid::from_u128(7), &Entropy::system());
        let read = Opaque::parse::<32>(&made.text).unwrap();
        assert_eq!((read.row, read.digest().bytes()), (made.row, made.digest().bytes()));
        assert!(Opaque::parse::<16>(&made.text).is_none());
        assert!(Opaque::parse::<32>("").is_none());
        assert!(Opaque::parse::<32>(&made.text[1..]).is_none());
    }
}
