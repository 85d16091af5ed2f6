//! `members`: who is in the workspace, and as what.

use crate::access::Access;
use crate::args::{Global, Members as Command};
use crate::failure::Failure;
use crate::output::{Answer, Listing};

static LISTING: Listing =
    Listing { noun: "members", id: "user_id", columns: &["user_id", "email", "role", "joined_at"] };

/// Lists the workspace's members.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    let access = Access::open(global)?;
    let workspace = access.workspace().await?;
    let Command::List(page) = command;
    let members = access.client.list(&["v1", "workspaces", workspace.as_str(), "members"], page.limit).await?;
    Ok(Answer::many(members, &LISTING))
}
