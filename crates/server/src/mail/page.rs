//! `/dev/mail`: what a development server would have sent. Elsewhere there is no such page.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::{Mailer, StoredMail};
use crate::console::{Moment, Visit};
use crate::http::{Code, Json, Problem};

#[derive(Template)]
#[template(path = "mail/mailbox.html")]
struct MailboxPage {
    mails: Vec<MailView>,
    /// How a program reads the same.
    command: String,
}

struct MailView {
    to: String,
    subject: String,
    text: String,
    link: Option<String>,
    code: Option<String>,
    sent: Moment,
}

impl MailView {
    fn of(mail: StoredMail, visit: &Visit) -> Self {
        let StoredMail { to, subject, text, link, code, sent_at } = mail;
        Self { to, subject, text, link, code, sent: visit.moment(sent_at) }
    }
}

/// `GET /dev/mail`: a page, or JSON for whoever asks for that.
///
/// # Errors
/// `not_found` where mail is really sent.
pub async fn mailbox(visit: Visit, headers: HeaderMap, State(mailer): State<Mailer>) -> Result<Response, Problem> {
    // Whoever reads it signs in as anybody: it is for the machine that the server runs on, wherever it listens.
    if !visit.context().client_ip.is_some_and(|ip| ip.is_loopback()) {
        return Err(Problem::new(Code::NotFound));
    }
    let mails = mailer.mailbox().ok_or_else(|| Problem::new(Code::NotFound))?.newest_first();
    let wanted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if wanted.contains("application/json") {
        return Ok(Json(mails).into_response());
    }
    visit.page(&MailboxPage {
        mails: mails.into_iter().map(|mail| MailView::of(mail, &visit)).collect(),
        command: format!("curl -H 'Accept: application/json' {}/dev/mail", visit.origin()),
    })
}
