//! Mail goes out by job: enqueued in the transaction of the change that it tells of, delivered once that is committed.
//!
//! # Invariants
//! - Whether an address is known must not show in an answer's time or status: every request enqueues alike, and nobody
//!   waits for a mail server.
//! - A mail is there if and only if its change is. It is delivered at least once: a node that dies between the server's
//!   answer and the end of the job leaves it to another, which delivers it again.
//! - No log line names an address, a link or a code; an SMTP server's answer is not logged either, for it quotes them. At
//!   rest a message is a sealed payload, and gone when it was delivered or given up.

mod account;
mod factors;
mod invitation;
mod mailbox;
pub mod page;
mod passkey_refused;
mod plain;
mod refresh_reused;
mod sign_in;
mod smtp;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::account::{account_deleted, address_changed, address_is_yours, confirm_new_address, confirm_old_address};
pub use self::factors::{FactorNews, factor_news};
pub use self::invitation::{Invited, invitation};
pub use self::mailbox::{Mailbox, StoredMail};
pub use self::passkey_refused::passkey_refused;
pub use self::refresh_reused::refresh_reused;
pub use self::sign_in::sign_in;
pub use self::smtp::MailError;

use self::smtp::Smtp;
use crate::authz::PermissionSet;
use crate::clock::Clock;
use crate::config::{Mail, MailTransport, SmtpUrl};
use crate::db::SystemTx;
use crate::jobs::{Claimed, DeadPayload, Done, EnqueueError, Failure, InCell, Job, Policy, Queue};
use crate::server_secrets::{Known, Purpose};

/// A message to one person. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The address.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The plain text, link and code included.
    pub text: String,
    /// The same in HTML, for those who read it so.
    #[serde(default)]
    pub html: Option<String>,
    /// The link in the text, for the mailbox page.
    pub link: Option<String>,
    /// The code in the text, for the mailbox page.
    pub code: Option<String>,
    /// When it is of no use any more, so that a server that comes back later is not sent it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub useless_at: Option<OffsetDateTime>,
    /// It goes nowhere: its address has got enough.
    #[serde(default)]
    pub held_back: bool,
}

impl Message {
    /// On condition, not to be delivered: everything is done as for others, so that whoever made us compose it cannot tell.
    #[must_use]
    pub const fn held_back_if(mut self, held_back: bool) -> Self {
        self.held_back = held_back;
        self
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message([redacted])")
    }
}

/// Where messages go.
enum Outlet {
    Mailbox(Mailbox),
    Smtp(Box<Way>),
}

/// The way to the mail server: the configured one, and the one that a rotation gave.
struct Way {
    from: String,
    configured: Arc<Smtp>,
    current: RwLock<Arc<Smtp>>,
}

/// Delivers mail; the job `mail.send`.
#[derive(Clone)]
pub struct Mailer {
    outlet: Arc<Outlet>,
    clock: Clock,
}

impl Mailer {
    /// # Errors
    /// [`MailError`] when the sender's address or the SMTP server's URL is malformed.
    pub fn new(mail: &Mail, clock: Clock) -> Result<Self, MailError> {
        let outlet = match &mail.transport {
            MailTransport::Mailbox => Outlet::Mailbox(Mailbox::default()),
            MailTransport::Smtp { url } => {
                let configured = Arc::new(Smtp::new(url, &mail.from, clock.clone())?);
                let current = RwLock::new(configured.clone());
                Outlet::Smtp(Box::new(Way { from: mail.from.clone(), configured, current }))
            }
        };
        Ok(Self { outlet: Arc::new(outlet), clock })
    }

    /// Sends by the newest version of the way that opens, and by the configured one when that is empty.
    pub fn learn(&self, known: &Known) {
        let (Outlet::Smtp(way), Some(newest)) = (&*self.outlet, known.of(Purpose::Mail).last()) else { return };
        let smtp = if newest.value.is_empty() {
            Ok(way.configured.clone())
        } else {
            let url = std::str::from_utf8(&newest.value).ok().and_then(|text| text.parse().ok());
            url.ok_or(MailError::Url).and_then(|url| Smtp::new(&url, &way.from, self.clock.clone())).map(Arc::new)
        };
        match smtp {
            Ok(smtp) => *way.current.write().unwrap_or_else(PoisonError::into_inner) = smtp,
            Err(error) => tracing::error!(event = "mail.rotated_url_refused", version = newest.number, cause = %error),
        }
    }

    /// The development mailbox, when mail goes there.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match &*self.outlet {
            Outlet::Mailbox(mailbox) => Some(mailbox),
            Outlet::Smtp(_) => None,
        }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailer")
    }
}

/// Hands a message over in the transaction of what it tells of.
///
/// # Errors
/// See [`EnqueueError`].
pub async fn send(
    queue: &Queue,
    tx: &mut SystemTx,
    message: &Message,
    now: OffsetDateTime,
) -> Result<(), EnqueueError> {
    queue.enqueue_in_cell::<Mailer>(tx, message, now).await.map(|_| ())
}

impl Job for Mailer {
    const KIND: &'static str = "mail.send";
    /// A server that is away for ten minutes, or asks to come back in five, costs delay alone.
    const POLICY: Policy = Policy {
        attempts: 20,
        first_pause: Duration::from_secs(2),
        longest_pause: Duration::from_secs(120),
        per_lane: 4,
        time_limit: Duration::from_secs(60),
        dead_payload: DeadPayload::Scrubbed,
        ..Policy::QUICK
    };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = Message;

    async fn run(&self, claimed: Claimed<Self>, message: Message) -> Result<Done, Failure> {
        self.deliver(message).await?;
        Ok(claimed.done())
    }
}

impl Mailer {
    /// Delivers a message, once: for jobs of other kinds, which send in lanes of their own.
    ///
    /// # Errors
    /// Why it was not delivered, and whether another try may do better.
    pub async fn deliver(&self, message: Message) -> Result<(), Failure> {
        let now = self.clock.now();
        if message.held_back {
            count("held_back");
            return Ok(());
        }
        if message.useless_at.is_some_and(|at| at <= now) {
            count("expired");
            return Err(Failure::for_good("expired"));
        }
        match &*self.outlet {
            Outlet::Mailbox(mailbox) => mailbox.store(message, now),
            Outlet::Smtp(way) => {
                let smtp = way.current.read().unwrap_or_else(PoisonError::into_inner).clone();
                smtp.deliver(&message).await.inspect_err(|_| count("failed"))?;
            }
        }
        count("delivered");
        Ok(())
    }
}

/// Whether a mail server of this URL takes our hand, and the user and password in it.
///
/// # Errors
/// [`MailError`] when the URL is malformed.
pub async fn try_out(url: &SmtpUrl, clock: Clock) -> Result<bool, MailError> {
    Ok(Smtp::new(url, "no-reply@localhost", clock)?.try_out().await)
}

fn count(outcome: &'static str) {
    metrics::counter!("bailiwick_mail_total", "outcome" => outcome).increment(1);
}
