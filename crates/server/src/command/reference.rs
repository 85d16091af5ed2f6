//! `bailiwickd reference`: pages of the documentation that come from the code.

use bailiwick_server::{authz, config, db, http};
use clap::{Args, ValueEnum};

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Arguments {
    /// Which page
    page: Page,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Page {
    /// The codes of problems
    Codes,
    /// The operational paths of the database
    Paths,
    /// Permissions, roles and scopes
    Permissions,
    /// The settings
    Config,
}

/// Prints the page, in Markdown.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    super::print(&match arguments.page {
        Page::Codes => http::reference_markdown(),
        Page::Paths => db::reference_markdown(),
        Page::Permissions => authz::reference_markdown(),
        Page::Config => config::reference_markdown(),
    })
}
