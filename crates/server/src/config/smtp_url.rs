//! The way to a mail server.

use std::str::FromStr;

use lettre::{AsyncSmtpTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

/// `smtps://…` or `smtp://…?tls=required`, with user and password. Never printed.
#[derive(Clone, Debug)]
pub struct SmtpUrl(SecretString);

/// It is no such URL; the text does not hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a URL like smtps://user:password@host:465")]
pub struct NotAnSmtpUrl;

impl FromStr for SmtpUrl {
    type Err = NotAnSmtpUrl;

    fn from_str(text: &str) -> Result<Self, NotAnSmtpUrl> {
        AsyncSmtpTransport::<Tokio1Executor>::from_url(text).map_err(|_| NotAnSmtpUrl)?;
        Ok(Self(text.into()))
    }
}

impl SmtpUrl {
    /// The URL.
    #[must_use]
    pub const fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Whether links and codes would go over a network in plain text. A relay on this machine may be spoken to so.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let url = self.0.expose_secret();
        let secure = url.starts_with("smtps://") || url.contains("tls=required");
        let host = url.split_once("://").and_then(|(_, rest)| rest.rsplit('@').next()).unwrap_or_default();
        let local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| host.starts_with(name));
        !secure && !local
    }
}
