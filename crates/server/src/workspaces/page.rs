//! The choice of a workspace, the making of one, and a workspace's home.

use askama::Template;

use crate::console::{CodeLine, Desk, Field, Flash, IdChip, Listing, Moment};

/// `/workspaces`.
#[derive(Template)]
#[template(path = "workspaces/index.html")]
struct IndexPage {
    desk: Person,
    workspaces: Vec<WorkspaceRow>,
    list: Listing,
    form: WorkspaceForm,
}

/// Who is signed in, where there is no desk yet.
struct Person {
    person: String,
    flash: Option<Flash>,
}

struct WorkspaceRow {
    name: String,
    slug: String,
    role: &'static str,
    href: String,
    id: IdChip,
    created: Moment,
}

struct WorkspaceForm {
    idempotency_key: String,
    name: Field,
    slug: Field,
    fault: Option<String>,
}

impl WorkspaceForm {
    fn has_faults(&self) -> bool {
        self.fault.is_some() || self.name.fault.is_some() || self.slug.fault.is_some()
    }
}

/// `/w/{workspace}/{environment}`.
#[derive(Template)]
#[template(path = "workspaces/home.html")]
struct HomePage {
    desk: Desk,
    id: IdChip,
    slug: String,
    created: Moment,
    counts: Vec<Count>,
    steps: Vec<Step>,
    call: CodeLine,
}

struct Count {
    label: &'static str,
    number: String,
    href: String,
}

/// One thing to do in a new workspace.
struct Step {
    title: &'static str,
    why: &'static str,
    verb: &'static str,
    href: String,
    done: bool,
    /// The first that is not done.
    first: bool,
}

impl HomePage {
    fn done_count(&self) -> usize {
        self.steps.iter().filter(|step| step.done).count()
    }

    fn all_done(&self) -> bool {
        self.done_count() == self.steps.len()
    }
}
