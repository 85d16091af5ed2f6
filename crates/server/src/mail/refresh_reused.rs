//! The mail that tells a person that a refresh token of theirs came back after it was used.

use time::OffsetDateTime;
use time::macros::format_description;

use super::Message;

/// Composes it. It holds no link: whoever gets a mail of this kind should type the address that they know.
#[must_use]
pub fn refresh_reused(to: &str, now: OffsetDateTime) -> Message {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let at = now.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_default();
    let text = format!(
        "You are signed out of Bailiwick everywhere.\n\
         \n\
         On {at}, a token that keeps one of your sessions alive was\n\
         used a second time. Each is good for one use, so somebody may have\n\
         copied it. Because nobody can tell which of the two was you, all your\n\
         sessions were ended, on every device.\n\
         \n\
         What to do:\n\
         \n\
         - Sign in again, at the address that you always use. This mail has\n\
           no link, and you should not trust one that does.\n\
         - Look at your workspaces' audit logs for what you did not do.\n\
         - If you copied a token between programs yourself, this was you:\n\
           give each program a sign-in or an API key of its own.\n"
    );
    Message {
        to: to.to_owned(),
        subject: "You were signed out of Bailiwick everywhere".to_owned(),
        text,
        html: None,
        link: None,
        code: None,
        useless_at: None,
        held_back: false,
    }
}
