//! The page for what went wrong: what happened, what to do, and the request's id to copy.

use askama::Template;

/// Where to go from here.
pub(crate) struct WayOn {
    pub(crate) href: String,
    pub(crate) label: &'static str,
}

/// A problem, as a person reads it.
#[derive(Template)]
#[template(path = "console/problem.html")]
pub(crate) struct ProblemPage {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) title: String,
    pub(crate) happened: String,
    pub(crate) remedy: &'static str,
    pub(crate) way_on: WayOn,
    pub(crate) code: String,
    pub(crate) request_id: String,
}

impl ProblemPage {
    /// Ours is red, theirs amber.
    fn tone(&self) -> &'static str {
        if self.status >= 500 { "broken" } else { "stale" }
    }
}
