//! The development mailbox: the newest messages, in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use time::OffsetDateTime;

use super::Message;

/// How many messages are kept.
const KEPT: usize = 200;

/// A bounded list of messages; a clone is the same list.
#[derive(Clone, Debug, Default)]
pub struct Mailbox(Arc<Mutex<VecDeque<StoredMail>>>);

/// A message in the mailbox.
#[derive(Clone, Serialize)]
pub struct StoredMail {
    /// The address.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The link in the text.
    pub link: Option<String>,
    /// The code in the text.
    pub code: Option<String>,
    /// When it was delivered, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    pub sent_at: OffsetDateTime,
}

impl std::fmt::Debug for StoredMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredMail([redacted])")
    }
}

impl Mailbox {
    /// All messages that are kept, the newest first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<StoredMail> {
        self.list().iter().rev().cloned().collect()
    }

    pub(super) fn store(&self, message: Message, sent_at: OffsetDateTime) {
        let Message { to, subject, text, html: _, link, code, useless_at: _, held_back: _ } = message;
        let mut list = self.list();
        if list.len() >= KEPT {
            list.pop_front();
        }
        list.push_back(StoredMail { to, subject, text, link, code, sent_at });
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<StoredMail>> {
        // A panic elsewhere leaves the list as it was: each change of it is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mailbox = Mailbox::default();
        for number in 0..KEPT + 3 {
            let subject = number.to_string();
            let to = "a@b.example".into();
            let message = Message {
                to,
                subject,
                text: String::new(),
                html: None,
                link: None,
                code: None,
                useless_at: None,
                held_back: false,
            };
            mailbox.store(message, OffsetDateTime::UNIX_EPOCH);
        }
        let kept = mailbox.newest_first();
        assert_eq!(kept.len(), KEPT);
        assert_eq!((kept[0].subject.as_str(), kept[KEPT - 1].subject.as_str()), ("202", "3"));
        let json = serde_json::to_value(&kept[0]).unwrap();
        assert_eq!(json["sent_at"], "1970-01-01T00:00:00Z");
        assert!(!format!("{mailbox:?}").contains("b.example"));
    }
}
