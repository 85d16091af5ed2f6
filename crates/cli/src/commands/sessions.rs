//! `sessions`: list where one is signed in, and end that.

use serde_json::json;

use crate::access::Access;
use crate::args::{EndSessions, Global, Sessions as Command};
use crate::failure::Failure;
use crate::once::Once;
use crate::output::{Answer, Listing};

static LISTING: Listing = Listing {
    noun: "sessions",
    id: "id",
    columns: &["id", "device", "network", "signed_in_by", "first_seen_at", "last_seen_at", "current"],
};

/// Carries out a command about one's own sessions.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    let access = Access::open(global).await?;
    match command {
        Command::List(page) => Ok(Answer::many(access.client.list(&["auth", "sessions"], page.limit).await?, &LISTING)),
        Command::End(EndSessions { session: Some(session), .. }) => {
            let id = session.to_string();
            access.client.delete(&["auth", "sessions", &id], &Once::new(None)?).await?;
            Ok(Answer::one(json!({ "id": id, "status": "ended" })))
        }
        Command::End(EndSessions { others, .. }) => {
            let way = if others { "sign-out-others" } else { "sign-out-everywhere" };
            let ended = access.client.post_nothing(&["auth", way], &Once::new(None)?).await?;
            Ok(Answer::one_by(ended, "sessions_ended"))
        }
    }
}
