//! The mail that invites somebody into a workspace.

use askama::Template;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Message, plain};

/// What an invitation's mail tells.
pub struct Invited<'a> {
    /// The address that is invited.
    pub to: &'a str,
    /// The workspace, as its members call it.
    pub workspace: &'a str,
    /// The address of whoever invites.
    pub inviter: &'a str,
    /// As what.
    pub role: &'a str,
    /// Where it is taken.
    pub link: &'a str,
    /// Until when.
    pub expires_at: OffsetDateTime,
}

#[derive(Template)]
#[template(path = "mail/invitation.html")]
struct Html<'a> {
    workspace: &'a str,
    inviter: &'a str,
    to: &'a str,
    role: &'a str,
    link: &'a str,
    until: &'a str,
}

/// Composes it, in plain text and in HTML. Names that others have given lose what could be pressed.
#[must_use]
pub fn invitation(invited: &Invited<'_>) -> Message {
    let Invited { to, role, link, expires_at, .. } = *invited;
    let workspace = plain::name(invited.workspace, "a workspace");
    let inviter = plain::address(invited.inviter, "An owner of it");
    let day = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    let until = expires_at.to_offset(time::UtcOffset::UTC).format(&day).unwrap_or_default();
    let text = format!(
        "{inviter} invites you to the workspace\n\
         \n\
         \x20   {workspace}\n\
         \n\
         on Bailiwick, with the role {role}. To look at the invitation and take\n\
         it, open this link:\n\
         \n\
         {link}\n\
         \n\
         It is for {to} alone: to take it, sign in with that\n\
         address. It can be taken once, until {until}.\n\
         \n\
         If you do not expect this, ignore it: nothing happens without you. The\n\
         name of the workspace was chosen by whoever invites you.\n"
    );
    let html = Html { workspace: &workspace, inviter, to, role, link, until: &until };
    Message {
        to: to.to_owned(),
        subject: format!("You are invited to {workspace} on Bailiwick"),
        text,
        html: html.render().ok(),
        link: Some(link.to_owned()),
        code: None,
        useless_at: Some(expires_at),
        held_back: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://c.example/auth/invitation?token=t";

    fn composed(workspace: &str, inviter: &str) -> Message {
        invitation(&Invited {
            to: "bob@b.example",
            workspace,
            inviter,
            role: "admin",
            link: LINK,
            expires_at: OffsetDateTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn it_says_who_where_as_what_and_until_when_in_both_forms() {
        let message = composed("Acme & <Söhne>", "ada@example.com");
        assert_eq!(message.subject, "You are invited to Acme & <Söhne> on Bailiwick");
        let html = message.html.as_deref().unwrap();
        for part in ["ada@example.com", "admin", "bob@b.example", "1 January 1970, 00:00 UTC", LINK] {
            assert!(message.text.contains(part) && html.contains(part), "{part}");
        }
        assert!(message.text.lines().any(|line| line == LINK), "the link stands alone on its line");
        assert!(!html.contains("<Söhne>"), "escaped: {html}");
        assert!(!html.contains("<img") && !html.contains("src="), "nothing is fetched when it is read");
    }

    #[test]
    fn whoever_names_a_workspace_writes_no_link_and_no_line() {
        let message =
            composed("Pay at https://evil.example/x\r\n\r\nevil.example \u{202e}now", "www.evil.example/x@y.example");
        let html = message.html.unwrap();
        for text in [&message.subject, &message.text, &html] {
            assert!(!text.contains("evil.example") && !text.contains('\u{202e}'), "{text}");
        }
        assert!(!message.subject.contains(['\r', '\n']));
    }
}
