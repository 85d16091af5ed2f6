//! `profiles`: which servers and tokens are stored, and which one is current.

use serde_json::json;

use crate::access::WorkspaceRef;
use crate::args::Profiles as Command;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Listing};
use crate::profile::Store;

static LISTING: Listing =
    Listing { noun: "profiles", id: "name", columns: &["name", "current", "server", "credential", "workspace"] };

/// Lists the profiles, never a token, or makes one current.
pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    let store = Store::of_this_user()?;
    match command {
        Command::List => {
            let stored = store.load()?;
            let rows = stored.profiles.iter().map(|(name, profile)| {
                json!({
                    "name": name.to_string(),
                    "current": stored.current.as_ref() == Some(name),
                    "server": profile.server.to_string(),
                    "credential": profile.credential(),
                    "workspace": profile.workspace.as_ref().map(WorkspaceRef::as_str),
                })
            });
            Ok(Answer::many(rows.collect(), &LISTING))
        }
        Command::Use { name } => {
            store.update(|profiles| {
                if !profiles.profiles.contains_key(&name) {
                    return Err(Failure::new(Exit::NotFound, format!("there is no profile {name}"))
                        .hint("`bailiwick profiles list` shows those there are"));
                }
                profiles.current = Some(name.clone());
                Ok(())
            })?;
            Ok(Answer::one_by(json!({ "name": name.to_string(), "current": true }), "name"))
        }
    }
}
