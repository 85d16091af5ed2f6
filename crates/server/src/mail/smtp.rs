//! Delivery by SMTP (RFC 5321): three tries with growing pauses, each within a time limit.

use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use super::Message;
use crate::clock::Clock;

/// For connecting, and for each answer of the server's.
const ANSWER: Duration = Duration::from_secs(10);
/// For one try as a whole.
const TRY: Duration = Duration::from_secs(45);
/// Before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// Why mail cannot be set up. The text holds neither URL nor address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The sender is no mailbox.
    #[error("the sender of mail is not a mail address")]
    From(#[source] lettre::address::AddressError),
    /// The URL names no SMTP server.
    #[error("the SMTP server's URL is malformed")]
    Url(#[source] lettre::transport::smtp::Error),
}

/// A way to one SMTP server.
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    clock: Clock,
}

/// Why a try failed, in words that may be logged.
struct Failure {
    class: &'static str,
    code: Option<u16>,
    final_: bool,
}

impl Smtp {
    pub(super) fn new(url: &SecretString, from: &str, clock: Clock) -> Result<Self, MailError> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret()).map_err(MailError::Url)?;
        let from = from.parse().map_err(MailError::From)?;
        Ok(Self { transport: builder.timeout(Some(ANSWER)).build(), from, clock })
    }

    /// Whether the server took the message.
    pub(super) async fn deliver(&self, message: &Message) -> bool {
        let Some(mail) = self.compose(message) else {
            tracing::error!(event = "mail.malformed");
            return false;
        };
        let mut pauses = PAUSES.iter();
        let mut tries = 1_u32;
        loop {
            let Err(failure) = self.attempt(mail.clone()).await else { return true };
            let pause = pauses.next().filter(|_| !failure.final_);
            let Failure { class, code, .. } = failure;
            let Some(pause) = pause else {
                tracing::error!(event = "mail.failed", tries, class, code);
                return false;
            };
            tracing::warn!(event = "mail.retry", tries, class, code);
            tokio::time::sleep(*pause).await;
            tries += 1;
        }
    }

    async fn attempt(&self, mail: lettre::Message) -> Result<(), Failure> {
        let sent = tokio::time::timeout(TRY, self.transport.send(mail)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Err(_) => Err(Failure { class: "timeout", code: None, final_: false }),
            Ok(Err(error)) => {
                let class = match &error {
                    error if error.is_permanent() => "permanent",
                    error if error.is_transient() => "transient",
                    error if error.is_timeout() => "timeout",
                    error if error.is_tls() => "tls",
                    error if error.is_client() => "client",
                    _ => "connection",
                };
                Err(Failure { class, code: error.status().map(u16::from), final_: error.is_permanent() })
            }
        }
    }

    fn compose(&self, message: &Message) -> Option<lettre::Message> {
        let to: Mailbox = message.to.parse().ok()?;
        let mut mail = MessageBuilder::new()
            .from(self.from.clone())
            .to(to)
            .date(self.clock.now().into())
            .message_id(None)
            .subject(&message.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(message.text.clone())
            .ok()?;
        // RFC 3834: nobody's out-of-office answers us.
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        mail.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
        Some(mail)
    }
}
