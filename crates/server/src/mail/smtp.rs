//! Delivery by SMTP (RFC 5321): one try, within a time limit.

use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::ExposeSecret as _;

use super::Message;
use crate::clock::Clock;
use crate::config::SmtpUrl;
use crate::jobs::Failure;

/// For connecting, and for each answer of the server's.
const ANSWER: Duration = Duration::from_secs(10);
/// For one try as a whole.
const TRY: Duration = Duration::from_secs(45);

/// Why mail cannot be set up. The text holds neither URL nor address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The sender is no mailbox.
    #[error("the sender of mail is not a mail address")]
    From(#[source] lettre::address::AddressError),
    /// The URL names no SMTP server.
    #[error("the SMTP server's URL is malformed")]
    Url,
}

/// A way to one SMTP server.
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    clock: Clock,
}

impl Smtp {
    /// Shakes hands with the server: connects, and shows user and password if the URL has them.
    pub(super) async fn try_out(&self) -> bool {
        matches!(tokio::time::timeout(TRY, self.transport.test_connection()).await, Ok(Ok(true)))
    }

    pub(super) fn new(url: &SmtpUrl, from: &str, clock: Clock) -> Result<Self, MailError> {
        let builder =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(url.secret().expose_secret()).map_err(|_| MailError::Url)?;
        let from = from.parse().map_err(MailError::From)?;
        Ok(Self { transport: builder.timeout(Some(ANSWER)).build(), from, clock })
    }

    /// Gives the message to the server, once: another try is the queue's.
    ///
    /// # Errors
    /// What became of it, in words that may be kept: a class and the server's code, never its text.
    pub(super) async fn deliver(&self, message: &Message) -> Result<(), Failure> {
        let mail = self.compose(message).ok_or(Failure::for_good("malformed"))?;
        match tokio::time::timeout(TRY, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Err(_) => Err(Failure::again("timeout")),
            Ok(Err(error)) => {
                let failure = match &error {
                    error if error.is_permanent() => Failure::for_good("permanent"),
                    error if error.is_transient() => Failure::again("transient"),
                    error if error.is_timeout() => Failure::again("timeout"),
                    error if error.is_tls() => Failure::again("tls"),
                    error if error.is_client() => Failure::again("client"),
                    _ => Failure::again("connection"),
                };
                Err(failure.with_code(error.status().map(u16::from)))
            }
        }
    }

    fn compose(&self, message: &Message) -> Option<lettre::Message> {
        let to: Mailbox = message.to.parse().ok()?;
        let head = MessageBuilder::new()
            .from(self.from.clone())
            .to(to)
            .date(self.clock.now().into())
            .message_id(None)
            .subject(&message.subject);
        let text = message.text.clone();
        let mail = match &message.html {
            Some(html) => head.multipart(MultiPart::alternative_plain_html(text, html.clone())),
            None => head.header(ContentType::TEXT_PLAIN).body(text),
        };
        let mut mail = mail.ok()?;
        // RFC 3834: nobody's out-of-office answers us.
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        mail.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
        Some(mail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_in_two_forms_offers_the_plain_one_first() {
        let url: SmtpUrl = "smtp://localhost:2525".parse().unwrap();
        let smtp = Smtp::new(&url, "Bailiwick <no-reply@b.example>", Clock::system()).unwrap();
        let message = |html: Option<&str>| Message {
            to: "ada@b.example".to_owned(),
            subject: "Zwölf\r\nBcc: eve@b.example".to_owned(),
            text: "in plain text".to_owned(),
            html: html.map(str::to_owned),
            link: None,
            code: None,
            useless_at: None,
            held_back: false,
        };
        let sent = |html| String::from_utf8(smtp.compose(&message(html)).unwrap().formatted()).unwrap();
        let both = sent(Some("<p>in HTML</p>"));
        let at = |part: &str| both.find(part).unwrap_or_else(|| panic!("{part}: {both}"));
        assert!(at("multipart/alternative") < at("in plain text") && at("in plain text") < at("<p>in HTML</p>"));
        assert!(!both.contains("\nBcc:"), "a subject makes no header: {both}");
        assert!(!sent(None).contains("multipart"));
    }
}
