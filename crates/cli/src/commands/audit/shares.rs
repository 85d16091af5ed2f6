//! `audit share`, `audit shares` and `audit unshare`: links that show a receipt to others.

use serde::Serialize;
use serde_json::json;

use crate::access::Access;
use crate::args::{Share, Shares, Unshare};
use crate::failure::Failure;
use crate::once::Once;
use crate::output::{Answer, Listing};

static LISTING: Listing = Listing {
    noun: "links",
    id: "id",
    columns: &["id", "event_id", "open", "created_by", "created_at", "expires_at", "revoked_at", "views"],
};

/// `POST …/audit/events/{id}/shares`.
#[derive(Serialize)]
struct ShareRequest {
    open: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u16>,
}

/// Makes a link.
pub(super) async fn share(access: Access, wanted: Share) -> Result<Answer, Failure> {
    let workspace = access.workspace().await?;
    let once = Once::new(wanted.repeat.idempotency_key)?;
    let (event, open) = (wanted.id.to_string(), wanted.open.iter().map(|field| field.as_str()).collect());
    let path = ["v1", "workspaces", workspace.as_str(), "audit", "events", &event, "shares"];
    let made = access.client.post(&path, &ShareRequest { open, days: wanted.days }, &once).await?;
    let note = "whoever has the url sees this; it is not shown again. `audit unshare` ends it";
    // What one wants of it in a script is where it leads.
    Ok(Answer::one_by(made, "url").note(note).if_lost(once.advice()))
}

/// Lists links, the newest first.
pub(super) async fn shares(access: Access, wanted: Shares) -> Result<Answer, Failure> {
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "audit", "shares"];
    let filters: Vec<_> = wanted.event.map(|event| ("event", event.to_string())).into_iter().collect();
    Ok(Answer::many(access.client.search(&path, &filters, wanted.page.limit).await?, &LISTING))
}

/// Revokes a link.
pub(super) async fn unshare(access: Access, wanted: Unshare) -> Result<Answer, Failure> {
    let workspace = access.workspace().await?;
    let once = Once::new(wanted.repeat.idempotency_key)?;
    let id = wanted.id.to_string();
    let path = ["v1", "workspaces", workspace.as_str(), "audit", "shares", &id];
    access.client.delete(&path, &once).await?;
    Ok(Answer::one(json!({ "id": id, "status": "revoked" })))
}
