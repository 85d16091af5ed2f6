//! The mail that tells a person that a passkey of theirs has signed, and was refused.

use time::OffsetDateTime;
use time::macros::format_description;

use super::{Message, plain};

/// Composes it. It holds no link: whoever gets a mail of this kind should type the address that they know. The name is the
/// person's own word.
#[must_use]
pub fn passkey_refused(to: &str, name: &str, now: OffsetDateTime) -> Message {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let at = now.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_default();
    let name = plain::name(name, "your passkey");
    let text = format!(
        "On {at}, somebody used a passkey of your Bailiwick account, and\n\
         was refused:\n\
         \n\
         {name}\n\
         \n\
         What it said of itself does not go with what it said before. That is\n\
         what it looks like when a passkey was copied. Nobody was signed in.\n\
         \n\
         What to do:\n\
         \n\
         - Sign in another way, at the address that you always use. This mail\n\
           has no link, and you should not trust one that does.\n\
         - Remove this passkey from your account, and add a new one.\n"
    );
    Message {
        to: to.to_owned(),
        subject: "A passkey of your Bailiwick account was refused".to_owned(),
        text,
        html: None,
        link: None,
        code: None,
        useless_at: None,
        held_back: false,
    }
}
