//! Mails about a person's own account: codes that confirm an address, and what has become of it.
//!
//! None holds a link: a code is typed where its person is signed in, and what merely tells something needs no press.

use time::OffsetDateTime;

use super::{Message, plain};

fn message(to: &str, subject: &str, text: String) -> Message {
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

fn with_code(to: &str, subject: &str, text: String, code: &str, until: OffsetDateTime) -> Message {
    Message { code: Some(code.to_owned()), useless_at: Some(until), ..message(to, subject, text) }
}

/// To the address that a person has: whether it is to be another.
#[must_use]
pub fn confirm_old_address(to: &str, new: &str, code: &str, until: OffsetDateTime) -> Message {
    let new = plain::address(new, "another one");
    let text = format!(
        "Somebody, probably you, wants the address of your Bailiwick account to\n\
         be\n\
         \n\
         \x20   {new}\n\
         \n\
         from now on. If that is what you want, type this code on the page that\n\
         waits for it:\n\
         \n\
         {code}\n\
         \n\
         It is valid for 15 minutes. The other address gets a code of its own;\n\
         nothing changes before both were typed.\n\
         \n\
         If it was not you, somebody uses a session of yours. Do not pass the\n\
         code on, sign in at the address that you always use, and sign out\n\
         everywhere.\n"
    );
    with_code(to, "Is your Bailiwick address to change?", text, code, until)
}

/// To the address that a person wants, if it is nobody's.
#[must_use]
pub fn confirm_new_address(to: &str, code: &str, until: OffsetDateTime) -> Message {
    let text = format!(
        "Somebody, probably you, wants this address for their Bailiwick account.\n\
         If it was you, type this code on the page that waits for it:\n\
         \n\
         {code}\n\
         \n\
         It is valid for 15 minutes; if you ask once more and no other mail comes,\n\
         for that as well. The address that you have until then gets a code of\n\
         its own; nothing changes before both were typed.\n\
         \n\
         If you do not know of this, ignore it: without the code nothing happens.\n"
    );
    with_code(to, "Confirm this address for Bailiwick", text, code, until)
}

/// To an address that is somebody's, whom alone it tells so.
#[must_use]
pub fn address_is_yours(to: &str) -> Message {
    let text = "Somebody wants this address for another Bailiwick account. It is the\n\
                address of yours, so they do not get it, and they were not told why.\n\
                \n\
                There is nothing to do. If it was you: an address belongs to one account.\n\
                Give this one another address first, or delete it.\n"
        .to_owned();
    message(to, "Your address was wanted for another Bailiwick account", text)
}

/// To the address that a person had until now.
#[must_use]
pub fn address_changed(to: &str, new: &str) -> Message {
    let new = plain::address(new, "another one");
    let text = format!(
        "The address of your Bailiwick account is no longer this one, but\n\
         \n\
         \x20   {new}\n\
         \n\
         Both addresses have confirmed it. Sign-in mails go there from now on;\n\
         invitations to this address stay with it.\n\
         \n\
         If it was not you, tell whoever runs this Bailiwick at once. This is the\n\
         last mail about that account that you get here.\n"
    );
    message(to, "Your Bailiwick address has changed", text)
}

/// To the address of an account that is no more.
#[must_use]
pub fn account_deleted(to: &str) -> Message {
    let text = "Your Bailiwick account is deleted. You belong to no workspace any more,\n\
                all your sessions are ended, and this address is free: whoever signs in\n\
                with it is somebody new.\n\
                \n\
                What you did stands in the audit logs of the workspaces that you belonged\n\
                to, under an id that no longer leads to you. A workspace can have that\n\
                made unreadable too; ask its owners.\n\
                \n\
                If it was not you, tell whoever runs this Bailiwick at once.\n"
        .to_owned();
    message(to, "Your Bailiwick account is deleted", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_alone_on_its_line_and_nothing_is_to_be_pressed() {
        let until = OffsetDateTime::UNIX_EPOCH;
        for mail in [
            confirm_old_address("a@b.example", "c@d.example", "K7MQ-2WXD", until),
            confirm_new_address("c@d.example", "K7MQ-2WXD", until),
        ] {
            assert!(mail.text.lines().any(|line| line == "K7MQ-2WXD") && mail.link.is_none(), "{}", mail.text);
        }
        let changed = address_changed("a@b.example", "www.evil.example@x.example");
        assert!(!changed.text.contains("evil"), "{}", changed.text);
        assert!(!address_is_yours("a@b.example").text.contains("://"));
        assert!(account_deleted("a@b.example").code.is_none());
    }
}
