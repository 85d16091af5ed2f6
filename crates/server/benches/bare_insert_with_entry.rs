//! One INSERT with its entry, against the INSERT alone: what an entry costs, beside the least that a change can cost.
//!
//! No request does so little, so there is no target. What is asked of requests is in `change_with_entry`.

use crate::harness::{Mirror, Options};
use crate::with_entry::{self, Client, Line, MIRRORS};

/// As the report names it.
pub(crate) const NAME: &str = "bare_insert_with_entry";

const LINE: Line = Line { name: NAME, what: "the INSERT of a project in a transaction of its own", at_least: None };

/// # Errors
/// When a statement is no longer the server's, the server does not come up, or an entry is missing.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    MIRRORS.iter().try_for_each(Mirror::check)?;
    with_entry::run(options, &LINE, insert)
}

async fn insert(mut client: Client, entry: bool) -> anyhow::Result<Client> {
    client.next();
    let mut tx = client.begin().await?;
    let project = tx.insert_project().await?;
    if entry {
        tx.stage(project).await?;
    }
    tx.commit(entry).await?;
    Ok(client)
}
