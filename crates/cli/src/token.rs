//! What a caller shows to the server: an API key or a session's access token.

use std::fmt;

use bailiwick_proof::api_key::PlainApiKey;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serializer};

/// Longer than any token there is; keeps a file that was piped in by mistake out of a header.
const MAX_BYTES: usize = 8 * 1024;

/// A credential in the clear. It leaves by [`Self::reveal`] and [`Self::store`] alone.
#[derive(Clone)]
pub(crate) enum Token {
    /// A workspace's key, of good shape.
    ApiKey(PlainApiKey),
    /// A session's access token, which only the server can read.
    AccessToken(SecretString),
}

impl Token {
    /// Reads a token, without the white space around it.
    ///
    /// # Errors
    /// Says what is wrong, and never repeats the text: an empty one, a `bw_…` that is no whole key, or anything
    /// that cannot stand in a header.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the token is empty".to_owned());
        }
        if text.starts_with("bw_") {
            return text.parse().map(Self::ApiKey).map_err(|err| err.to_string());
        }
        if text.len() > MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("not a token: expected an API key (bw_…) or an access token on one line".to_owned());
        }
        Ok(Self::AccessToken(text.to_owned().into()))
    }

    /// The words for profiles and lists.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "api_key",
            Self::AccessToken(_) => "access_token",
        }
    }

    /// The text itself, for the `Authorization` header.
    pub(crate) fn reveal(&self) -> &str {
        match self {
            Self::ApiKey(key) => key.reveal(),
            Self::AccessToken(token) => token.expose_secret(),
        }
    }

    /// Writes it into the profile file; for serde's `with` there and nowhere else.
    pub(crate) fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.reveal())
    }

    /// Reads it from the profile file.
    pub(crate) fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, [redacted])", self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "bw_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde1dg76K";

    #[test]
    fn keys_and_access_tokens_are_told_apart() {
        assert_eq!(Token::parse(&format!("  {KEY}\r\n")).unwrap().reveal(), KEY);
        assert_eq!(Token::parse(KEY).unwrap().kind(), "api_key");
        assert_eq!(Token::parse("eyJ.abc.def\n").unwrap().kind(), "access_token");
    }

    #[test]
    fn what_cannot_be_a_token_is_not_sent() {
        for text in ["", " \n", "bw_live_", &KEY[..54], "two words", "a\nb", "é", &"x".repeat(9_000)] {
            assert!(Token::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", Token::parse(KEY).unwrap()), "Token(api_key, [redacted])");
    }
}
