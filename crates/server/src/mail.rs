//! Mail: a request hands it over and goes on; one background task delivers.
//!
//! # Invariants
//! - [`Mailer::send`] never blocks and never fails a request: whether an address is known must not show in an answer's
//!   time or status. A full queue drops the message, counts it and logs that it did.
//! - No log line names an address, a link or a code; an SMTP server's answer is not logged either, for it quotes them.
//! - What is queued lives in memory: a mail that was not delivered when the process ends is lost, and the person asks
//!   again.

mod delivery;
mod mailbox;
pub mod page;
mod sign_in;
mod smtp;

use std::fmt;

use tokio::sync::mpsc;

pub use self::delivery::Delivery;
pub use self::mailbox::{Mailbox, StoredMail};
pub use self::sign_in::sign_in;
pub use self::smtp::MailError;

use self::delivery::{Item, Outlet};
use self::smtp::Smtp;
use crate::clock::Clock;
use crate::config::{Mail, MailTransport};

/// Messages that may wait.
const QUEUE: usize = 1_000;

/// A message to one person. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The address.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The plain text, link and code included.
    pub text: String,
    /// The link in the text, for the mailbox page.
    pub link: Option<String>,
    /// The code in the text, for the mailbox page.
    pub code: Option<String>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message([redacted])")
    }
}

/// The way in for mail; a clone shares the queue.
#[derive(Clone, Debug)]
pub struct Mailer {
    queue: mpsc::Sender<Item>,
    mailbox: Option<Mailbox>,
}

impl Mailer {
    /// Starts the background task in the current runtime. The [`Delivery`] is for its orderly end.
    ///
    /// # Errors
    /// [`MailError`] when the sender's address or the SMTP server's URL is malformed.
    pub fn start(mail: &Mail, clock: Clock) -> Result<(Self, Delivery), MailError> {
        let (outlet, mailbox) = match &mail.transport {
            MailTransport::Mailbox => {
                let mailbox = Mailbox::default();
                (Outlet::Mailbox(mailbox.clone(), clock), Some(mailbox))
            }
            MailTransport::Smtp { url } => (Outlet::Smtp(Box::new(Smtp::new(url, &mail.from, clock)?)), None),
        };
        let (queue, received) = mpsc::channel(QUEUE);
        let delivery = Delivery::start(outlet, queue.clone(), received);
        Ok((Self { queue, mailbox }, delivery))
    }

    /// Hands a message over; it is delivered later, or lost with a log event.
    pub fn send(&self, message: Message) {
        if self.queue.try_send(Item::Mail(message)).is_err() {
            delivery::count("dropped");
            tracing::error!(event = "mail.dropped", queue = QUEUE, "the mail queue is full or closed");
        }
    }

    /// The development mailbox, when mail goes there.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        self.mailbox.as_ref()
    }
}
