//! `audit retention` and `audit holds`: for how long a log is kept, and what holds it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::access::Access;
use crate::args::{Days, Holds, Retention};
use crate::failure::Failure;
use crate::once::Once;
use crate::output::{Answer, Listing};

static LISTING: Listing = Listing {
    noun: "legal holds",
    id: "id",
    columns: &["id", "reason", "opened_by", "opened_at", "released_by", "released_at"],
};

/// `PUT /v1/workspaces/{workspace}/audit/retention`.
#[derive(Serialize)]
struct SetRequest {
    days: Option<u16>,
}

/// Carries out a command about a log's retention.
pub(super) async fn retention(access: Access, command: Retention) -> Result<Answer, Failure> {
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "audit", "retention"];
    match command {
        Retention::Show => {
            let shown = access.client.get(&path).await?;
            let note = due(&shown);
            Ok(Answer::one_by(shown, "days").note(note))
        }
        Retention::Set { days, confirm, repeat } => {
            let days = match days {
                Days::Of(days) => Some(days),
                Days::Forever => None,
            };
            if days.is_some() {
                refuse_unconfirmed(&access, &path, days, (workspace.as_str(), confirm.as_deref())).await?;
            }
            let once = Once::new(repeat.idempotency_key)?;
            let set = access.client.put(&path, &SetRequest { days }, &once).await?;
            let pending = set.pointer("/pending/effective_at").and_then(Value::as_str).map(str::to_owned);
            let answer = Answer::one_by(set, "days").if_lost(once.advice());
            Ok(match pending {
                Some(at) => answer.note(format!("it takes effect at {at}; until then it can be set back")),
                None => answer,
            })
        }
    }
}

/// Fewer days make entries go, so the workspace is named twice.
async fn refuse_unconfirmed(
    access: &Access,
    path: &[&str],
    days: Option<u16>,
    (named, confirm): (&str, Option<&str>),
) -> Result<(), Failure> {
    let now = access.client.get(path).await?;
    let now = now.get("days").and_then(Value::as_u64);
    let is_shorter = days.is_some_and(|days| now.is_none_or(|now| u64::from(days) < now));
    if !is_shorter || confirm == Some(named) {
        return Ok(());
    }
    let workspace = access.client.get(&["v1", "workspaces", named]).await?;
    let names = ["id", "slug"].map(|member| workspace.get(member).and_then(Value::as_str));
    if confirm.is_some() && names.contains(&confirm) {
        return Ok(());
    }
    Err(Failure::usage("fewer days make entries go: repeat the workspace with --confirm; nothing was changed"))
}

fn due(shown: &Value) -> String {
    let due = |member: &str| shown.pointer(&format!("/due/{member}")).cloned().unwrap_or_default();
    match due("stopped_by").as_str() {
        Some("kept_for_ever") => "nothing goes: entries are kept for ever".to_owned(),
        Some("legal_hold") => "nothing goes while a legal hold is open".to_owned(),
        Some("altered") => "nothing goes: the setting in the database is not the one that was decided".to_owned(),
        Some(_) => "nothing is old enough yet".to_owned(),
        None => format!("with the next run {} entries go, all below {}", due("entries"), due("to")),
    }
}

/// Carries out a command about legal holds.
pub(super) async fn holds(access: Access, command: Holds) -> Result<Answer, Failure> {
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "audit", "legal-holds"];
    match command {
        Holds::List(page) => Ok(Answer::many(access.client.list(&path, page.limit).await?, &LISTING)),
        Holds::Open { reason, repeat } => {
            let once = Once::new(repeat.idempotency_key)?;
            let opened = access.client.post(&path, &json!({ "reason": reason }), &once).await?;
            Ok(Answer::one(opened).if_lost(once.advice()))
        }
        Holds::Release { hold, confirm, repeat } => {
            let once = Once::new(repeat.idempotency_key)?;
            let id = hold.to_string();
            let path = [&path[..], &[&id, "release"]].concat();
            let released = access.client.post(&path, &json!({ "confirm": confirm }), &once).await?;
            Ok(Answer::one(released).if_lost(once.advice()))
        }
    }
}
