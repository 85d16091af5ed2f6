//! The mails that tell a person what became of what they sign in with.

use time::OffsetDateTime;
use time::macros::format_description;

use super::{Message, plain};

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum FactorNews<'a> {
    /// A factor counts from now on.
    Added {
        /// What it is: “A passkey”.
        what: &'a str,
        /// As its person calls it.
        name: &'a str,
    },
    /// A factor counts no more.
    Removed {
        /// What it was.
        what: &'a str,
        /// As its person called it.
        name: &'a str,
    },
    /// There are new recovery codes.
    CodesMade,
    /// A recovery code was used, and so many are left.
    CodeUsed {
        /// Those that were not used.
        left: usize,
    },
    /// Somebody who can read their mail types wrong codes.
    Guessed,
    /// An operator took all factors away.
    Reset,
    /// A workspace lets them in only with a factor, and they have none.
    Demanded {
        /// The workspace, as its members call it.
        workspace: &'a str,
    },
}

const NOT_YOU: &str = "If this was not you, somebody else has signed in to your account. Sign in\n\
     at the address that you always use, end all other sessions, and look at\n\
     what you sign in with. This mail has no link, and you should not trust\n\
     one that does.\n";

/// Composes one. It holds no link: whoever gets a mail of this kind should type the address that they know.
#[must_use]
pub fn factor_news(to: &str, news: &FactorNews<'_>, now: OffsetDateTime) -> Message {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let at = now.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_default();
    let (subject, text) = told(news, &at);
    Message {
        to: to.to_owned(),
        subject: subject.to_owned(),
        text,
        html: None,
        link: None,
        code: None,
        useless_at: None,
        held_back: false,
    }
}

fn told(news: &FactorNews<'_>, at: &str) -> (&'static str, String) {
    match *news {
        FactorNews::Added { what, name } => (
            "A second factor was added to your account",
            format!(
                "{what} was added to your Bailiwick account on {at}:\n\n    {}\n\n{NOT_YOU}",
                plain::name(name, "without a name")
            ),
        ),
        FactorNews::Removed { what, name } => (
            "A second factor was removed from your account",
            format!(
                "{what} was removed from your Bailiwick account on {at}:\n\n    {}\n\n{NOT_YOU}",
                plain::name(name, "without a name")
            ),
        ),
        FactorNews::CodesMade => (
            "You have new recovery codes",
            format!(
                "New recovery codes were made for your Bailiwick account on {at}.\nThe older ones are good for nothing.\n\n{NOT_YOU}"
            ),
        ),
        FactorNews::CodeUsed { left } => (
            "A recovery code of yours was used",
            format!(
                "A recovery code of your Bailiwick account was used on {at}.\n{left} are left. When there are few, make new ones.\n\n{NOT_YOU}"
            ),
        ),
        FactorNews::Guessed => (
            "Somebody types wrong codes for your account",
            format!(
                "Wrong codes were typed for your Bailiwick account, several in a row,\n\
                 the last on {at}. Whoever does that has read a sign-in mail of\n\
                 yours, or uses a session of yours. From now on each further code has to\n\
                 wait. Your recovery codes and passkeys do not wait.\n\
                 \n\
                 If this was not you, make sure that nobody else reads your mail.\n"
            ),
        ),
        FactorNews::Reset => (
            "Your second factors were taken away",
            format!(
                "Whoever runs this server took all second factors of your Bailiwick\n\
                 account away on {at}: authenticators, passkeys and recovery\n\
                 codes. All your sessions were ended. From now on the mail alone signs\n\
                 you in.\n\
                 \n\
                 You asked for this when you had lost them. Add a factor again soon. If\n\
                 you did not ask for it, tell whoever runs this server.\n"
            ),
        ),
        FactorNews::Demanded { workspace } => (
            "A workspace of yours demands a second factor",
            format!(
                "Since {at} the workspace\n\
                 \n\
                 \x20   {}\n\
                 \n\
                 lets in only those who sign in with a second factor, and you have none.\n\
                 To get in again, sign in at the address that you always use and add an\n\
                 authenticator or a passkey under your account. This mail has no link,\n\
                 and you should not trust one that does.\n",
                plain::name(workspace, "without a name")
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_could_be_pressed_and_no_mail_has_a_link() {
        for news in [
            FactorNews::Added { what: "A passkey", name: "https://evil.example/x\r\nBcc: you" },
            FactorNews::Removed { what: "A passkey", name: "www.evil.example" },
            FactorNews::CodesMade,
            FactorNews::CodeUsed { left: 2 },
            FactorNews::Guessed,
            FactorNews::Reset,
            FactorNews::Demanded { workspace: "evil.example" },
        ] {
            let message = factor_news("a@b.example", &news, OffsetDateTime::UNIX_EPOCH);
            assert!(!message.text.contains("://") && !message.text.contains("evil.example"), "{}", message.text);
            assert!(message.text.contains("1970-01-01 00:00 UTC") && message.text.lines().all(|line| line.len() <= 90));
            assert!(message.link.is_none() && !message.subject.is_empty());
        }
    }
}
