//! The frame of a person's own pages, outside of any workspace.

use super::{Flash, Visit};
use crate::authz::SignedIn;

/// The pages, in the order of their links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountPage {
    Profile,
    Sessions,
    Factors,
    Passkeys,
}

impl AccountPage {
    /// Those that there are.
    const ALL: [Self; 4] = [Self::Profile, Self::Sessions, Self::Factors, Self::Passkeys];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Profile => "Profile",
            Self::Sessions => "Sessions",
            Self::Factors => "Second factor",
            Self::Passkeys => "Passkeys",
        }
    }

    pub(crate) const fn href(self) -> &'static str {
        match self {
            Self::Profile => "/account/profile",
            Self::Sessions => "/account/sessions",
            Self::Factors => "/account/factors",
            Self::Passkeys => "/account/passkeys",
        }
    }
}

/// Who is signed in, and where among their pages; a template of such a page has it as `desk`, for `console/person.html` and
/// `console/account.html`.
pub(crate) struct Account {
    pub(crate) person: String,
    pub(crate) flash: Option<Flash>,
    here: AccountPage,
}

impl Account {
    pub(crate) fn of(person: &SignedIn, visit: &Visit, here: AccountPage) -> Self {
        Self { person: person.email().to_owned(), flash: visit.flash(), here }
    }

    /// The links, and whether each is to the page at hand.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (AccountPage, bool)> {
        AccountPage::ALL.into_iter().map(|page| (page, page == self.here))
    }
}
