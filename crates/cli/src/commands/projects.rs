//! `projects`: list and make.

use serde_json::json;

use crate::access::Access;
use crate::args::{Global, Projects as Command};
use crate::failure::Failure;
use crate::once::Once;
use crate::output::{Answer, Listing};

static LISTING: Listing = Listing { noun: "projects", id: "id", columns: &["id", "name", "environment", "created_at"] };

/// Carries out a command about the workspace's projects.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    let access = Access::open(global).await?;
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "projects"];
    match command {
        Command::List(page) => Ok(Answer::many(access.client.list(&path, page.limit).await?, &LISTING)),
        Command::Create { name, repeat } => {
            let once = Once::new(repeat.idempotency_key)?;
            Ok(Answer::one(access.client.post(&path, &json!({ "name": name }), &once).await?))
        }
    }
}
