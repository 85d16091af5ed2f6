//! A business change with its entry, against the same change without.
//!
//! The change is all that `POST /v1/workspaces/{workspace}/projects` asks of the database when it comes with an API key
//! and an `Idempotency-Key`: in the tenant's transaction the lock of the idempotency key, the search for an answer under
//! it, the project, the answer that is kept, and the commit. Whose key it is, the node knows without asking. The subject
//! stages the entry with the statement that keeps the answer. HTTP, JSON and sealing are left out on both sides, so an
//! entry's share of a whole request is smaller than what is measured here.

use crate::harness::{Mirror, Options};
use crate::with_entry::{self, Client, Line, MIRRORS};

/// As the report names it.
pub(crate) const NAME: &str = "change_with_entry";

const LINE: Line =
    Line { name: NAME, what: "all that a request for a project asks of the database", at_least: Some(0.85) };

/// # Errors
/// When a statement is no longer the server's, the server does not come up, or an entry is missing.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    MIRRORS.iter().try_for_each(Mirror::check)?;
    with_entry::run(options, &LINE, change)
}

async fn change(mut client: Client, entry: bool) -> anyhow::Result<Client> {
    client.next();
    let mut tx = client.begin().await?;
    let key_digest = tx.look_for_kept().await?;
    let project = tx.insert_project().await?;
    if entry {
        tx.stage_and_keep_reply(project, key_digest).await?;
    } else {
        tx.keep_reply(key_digest).await?;
    }
    tx.commit(entry).await?;
    Ok(client)
}
