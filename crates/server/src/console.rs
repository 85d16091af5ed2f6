//! The console's shell: layout, navigation, flash, form parts, static files, the error page.
//!
//! Pages are rendered on the server, work without script, and belong to the features
//! (`<feature>/page.rs` with `templates/<feature>/`); what they share is here and in
//! `templates/console/`. How it looks and behaves: one stylesheet, at most two modules of our own on a
//! page, nothing inline, so that the Content-Security-Policy can forbid everything else.
//!
//! # Invariants
//! - What a member may not see is absent from the page, not greyed out.
//! - A page's view model holds words to show and links that exist, never a row or a secret; the one
//!   exception is the page that shows a new key once.
//! - After a change, redirect; what went well is told by a [`Flash`], a word from a closed list.
//! - No page is stored, by a browser or on its way; static files are kept for ever, under addresses that
//!   name their content.

mod account;
mod assets;
mod desk;
mod flash;
mod form;
mod id_chip;
mod listing;
mod moment;
mod problem;
mod visit;
mod way_back;
mod words;

pub(crate) use account::{Account, AccountPage};
pub(crate) use assets::asset;
pub use assets::serve as serve_asset;
pub(crate) use desk::{Area, Desk, WorkspaceLink};
pub(crate) use flash::Flash;
pub(crate) use form::{Choice, Field, SENT_BEFORE};
pub(crate) use id_chip::IdChip;
pub(crate) use listing::{Listing, Noun};
pub(crate) use moment::Moment;
pub use problem::problems_as_pages;
pub use visit::Visit;
pub(crate) use way_back::WayBack;
pub(crate) use words::{all_in_words, in_words};

/// A line of code in each of the tongues that a page offers, with the page's real values and a
/// placeholder where a secret belongs.
pub(crate) struct CodeLine {
    pub(crate) curl: String,
    pub(crate) cli: String,
}

impl CodeLine {
    /// Asks a key what it may do, at the server whose public address is `origin`.
    pub(crate) fn self_check(origin: &str) -> Self {
        Self {
            curl: format!("curl -H \"Authorization: Bearer $BAILIWICK_KEY\" {origin}/v1/key"),
            cli: format!("BAILIWICK_TOKEN=$BAILIWICK_KEY bailiwick keys self --server {origin}"),
        }
    }
}
