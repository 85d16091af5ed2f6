//! `workspaces`: list, show, make, and remember one as the default.

use serde_json::json;

use super::login::find_workspace;
use crate::access::{Access, WorkspaceRef};
use crate::args::{Global, Workspaces as Command};
use crate::failure::Failure;
use crate::once::Once;
use crate::output::{Answer, Listing};
use crate::profile::Store;

static LISTING: Listing =
    Listing { noun: "workspaces", id: "id", columns: &["id", "slug", "name", "role", "created_at"] };

/// Carries out a command about workspaces.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    let access = Access::open(global).await?;
    match command {
        Command::List(page) => Ok(Answer::many(access.client.list(&["v1", "workspaces"], page.limit).await?, &LISTING)),
        Command::Get { workspace } => {
            let workspace = match workspace {
                Some(workspace) => workspace,
                None => access.workspace().await?,
            };
            Ok(Answer::one(access.client.get(&["v1", "workspaces", workspace.as_str()]).await?))
        }
        Command::Create { name, slug, repeat } => {
            let once = Once::new(repeat.idempotency_key)?;
            let body = json!({ "name": name, "slug": slug });
            Ok(Answer::one(access.client.post(&["v1", "workspaces"], &body, &once).await?))
        }
        Command::Use { workspace } => remember(&access, &workspace).await,
    }
}

/// Stores the workspace's id, which stays when its slug changes.
async fn remember(access: &Access, named: &WorkspaceRef) -> Result<Answer, Failure> {
    let name = access.profile()?;
    let workspace = find_workspace(&access.client, named).await?;
    let told = json!({ "id": workspace.as_str(), "profile": name.to_string() });
    Store::of_this_user()?.update(|profiles| {
        // It may have been forgotten in the meantime.
        profiles.get(name)?;
        profiles.profiles.entry(name.clone()).and_modify(|profile| profile.workspace = Some(workspace));
        Ok(())
    })?;
    Ok(Answer::one(told).note(format!("profile {name} uses this workspace unless another is named")))
}
