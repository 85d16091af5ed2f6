//! The projects of an environment, and the making of one.

use askama::Template;

use crate::console::{Desk, Field, IdChip, Listing, Moment};

/// `/w/{workspace}/{environment}/projects`.
#[derive(Template)]
#[template(path = "projects/index.html")]
struct IndexPage {
    desk: Desk,
    projects: Vec<ProjectRow>,
    list: Listing,
    form: ProjectForm,
    /// How to do the same by command.
    cli: String,
}

struct ProjectRow {
    name: String,
    id: IdChip,
    created: Moment,
}

struct ProjectForm {
    idempotency_key: String,
    name: Field,
    fault: Option<String>,
}

impl ProjectForm {
    fn has_faults(&self) -> bool {
        self.fault.is_some() || self.name.fault.is_some()
    }
}
