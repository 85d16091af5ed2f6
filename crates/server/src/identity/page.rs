//! The door: ask for a mail, type its code or press its link, leave.

use askama::Template;

use crate::console::{Field, Flash};

/// `/sign-in`.
#[derive(Template)]
#[template(path = "identity/sign_in.html")]
struct SignInPage {
    email: Field,
    flash: Option<Flash>,
}

/// `/sign-in/sent`.
#[derive(Template)]
#[template(path = "identity/sent.html")]
struct SentPage {
    code: Field,
    /// There is a mailbox page to point to.
    mailbox: bool,
}

/// `/auth/link`.
#[derive(Template)]
#[template(path = "identity/link.html")]
struct LinkPage {
    link: SignInLink,
}

/// What can be told of a link without using it up.
enum SignInLink {
    Ready { token: String },
    OtherBrowser,
    Spent,
}
