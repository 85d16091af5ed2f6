//! The mail that signs a person in.

use time::OffsetDateTime;

use super::Message;

/// Composes it. The link serves the browser that asked, the code any other device; who asked, and from where, is not
/// said: a mail that described the browser would let an attacker describe himself.
#[must_use]
pub fn sign_in(to: &str, link: &str, code: &str, expires_at: OffsetDateTime) -> Message {
    let text = format!(
        "Somebody, probably you, asked to sign in to Bailiwick with this\n\
         address.\n\
         \n\
         In the browser in which you asked, open this link:\n\
         \n\
         {link}\n\
         \n\
         If this mail is on another device, type this code into the page that\n\
         waits for it:\n\
         \n\
         {code}\n\
         \n\
         Link and code are valid for 15 minutes, and only once.\n\
         \n\
         If you did not ask for this, ignore this mail: without it nobody gets\n\
         in. Do not pass the link or the code on to anybody. Nobody from\n\
         Bailiwick will ever ask you for them.\n"
    );
    Message {
        to: to.to_owned(),
        subject: "Sign in to Bailiwick".to_owned(),
        text,
        html: None,
        link: Some(link.to_owned()),
        code: Some(code.to_owned()),
        useless_at: Some(expires_at),
        held_back: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_gives_nothing_away_and_each_secret_stands_alone_on_its_line() {
        let message =
            sign_in("a@b.example", "https://c.example/auth/link?token=t", "K7MQ-2WXD", OffsetDateTime::UNIX_EPOCH);
        assert_eq!(message.subject, "Sign in to Bailiwick");
        let lines: Vec<&str> = message.text.lines().collect();
        assert!(lines.contains(&"https://c.example/auth/link?token=t") && lines.contains(&"K7MQ-2WXD"));
        assert!(message.text.contains("15 minutes") && message.text.contains("ignore this mail"));
        assert!(!format!("{message:?}").contains("example"));
    }
}
