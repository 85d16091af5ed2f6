//! `/dev/mail`: what a development server would have sent.

use askama::Template;

use crate::console::Moment;

#[derive(Template)]
#[template(path = "mail/mailbox.html")]
struct MailboxPage {
    mails: Vec<MailView>,
    /// The server's public address, for the command line.
    origin: String,
}

struct MailView {
    to: String,
    subject: String,
    text: String,
    link: Option<String>,
    code: Option<String>,
    sent: Moment,
}
