//! `audit actions`: which actions an environment's programs may record.

use serde::Serialize;
use serde_json::{Value, json};

use crate::access::Access;
use crate::args::Actions as Command;
use crate::failure::{Exit, Failure};
use crate::once::Once;
use crate::output::{Answer, Listing};

static LISTING: Listing =
    Listing { noun: "actions", id: "action", columns: &["action", "description", "registered_by", "registered_at"] };

/// `POST …/audit/actions`.
#[derive(Serialize)]
struct RegisterRequest<'a> {
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

pub(super) async fn actions(access: Access, command: Command) -> Result<Answer, Failure> {
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "audit", "actions"];
    match command {
        Command::List => {
            let mut told = access.client.get(&path).await?;
            match told.get_mut("actions").map(Value::take) {
                Some(Value::Array(actions)) => Ok(Answer::many(actions, &LISTING)),
                _ => Err(Failure::new(Exit::Failure, "the server's answer holds no list of actions")),
            }
        }
        Command::Add { action, description, repeat } => {
            let once = Once::new(repeat.idempotency_key)?;
            let wanted = RegisterRequest { action: &action, description: description.as_deref() };
            Ok(Answer::one_by(access.client.post(&path, &wanted, &once).await?, "action"))
        }
        Command::Remove { action, repeat } => {
            let once = Once::new(repeat.idempotency_key)?;
            access.client.delete(&[&path[..], &[&action]].concat(), &once).await?;
            Ok(Answer::one_by(json!({ "action": action, "status": "retired" }), "action"))
        }
    }
}
