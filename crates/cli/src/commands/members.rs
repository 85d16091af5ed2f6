//! `members` and `invitations`: who is in the workspace, as what, and who is asked to come.

use bailiwick_proof::id::UserId;
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::Access;
use crate::args::{Global, Invitations, Members as Command, RemoveMember, Role};
use crate::failure::{Exit, Failure};
use crate::once::Once;
use crate::output::{Answer, Listing};

static LISTING: Listing =
    Listing { noun: "members", id: "user_id", columns: &["user_id", "email", "role", "joined_at"] };
static INVITED: Listing = Listing {
    noun: "invitations",
    id: "id",
    columns: &["id", "email", "role", "status", "invited_by", "sent_at", "expires_at"],
};

/// `POST /v1/workspaces/{workspace}/invitations`.
#[derive(Serialize)]
struct Invite<'a> {
    email: &'a str,
    role: Role,
}

/// Carries out a command about members.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    let access = Access::open(global).await?;
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str()];
    let below = |rest: &[&'static str]| [&path[..], rest].concat();
    match command {
        Command::List(page) => Ok(Answer::many(access.client.list(&below(&["members"]), page.limit).await?, &LISTING)),
        Command::Invite { email, role, repeat } => {
            let once = Once::new(repeat.idempotency_key)?;
            let invite = Invite { email: &email, role };
            let made = access.client.post(&below(&["invitations"]), &invite, &once).await?;
            Ok(Answer::one(made).note(format!("{email} gets a mail; it can be taken for seven days")))
        }
        Command::Role { member, role, repeat } => {
            let (id, _) = find(&access, &below(&["members"]), &member).await?;
            let once = Once::new(repeat.idempotency_key)?;
            let path = [&below(&["members"])[..], &[id.as_str()]].concat();
            Ok(Answer::one_by(access.client.patch(&path, &json!({ "role": role }), &once).await?, "user_id"))
        }
        Command::Remove(RemoveMember { member, confirm, repeat }) => {
            let (id, address) = find(&access, &below(&["members"]), &member).await?;
            if !address.eq_ignore_ascii_case(confirm.trim()) {
                return Err(Failure::usage(format!("--confirm is not {address}: nobody was removed")));
            }
            let once = Once::new(repeat.idempotency_key)?;
            access.client.delete(&[&below(&["members"])[..], &[id.as_str()]].concat(), &once).await?;
            Ok(Answer::one_by(json!({ "user_id": id, "email": address, "status": "removed" }), "user_id"))
        }
    }
}

/// Carries out a command about invitations.
pub(crate) async fn invitations(global: &Global, command: Invitations) -> Result<Answer, Failure> {
    let access = Access::open(global).await?;
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "invitations"];
    match command {
        Invitations::List(page) => Ok(Answer::many(access.client.list(&path, page.limit).await?, &INVITED)),
        Invitations::Resend { invitation, repeat } => {
            let (id, once) = (invitation.to_string(), Once::new(repeat.idempotency_key)?);
            Ok(Answer::one(access.client.post_nothing(&[&path[..], &[&id, "resend"]].concat(), &once).await?))
        }
        Invitations::Revoke { invitation, repeat } => {
            let (id, once) = (invitation.to_string(), Once::new(repeat.idempotency_key)?);
            access.client.delete(&[&path[..], &[&id]].concat(), &once).await?;
            Ok(Answer::one(json!({ "id": id, "status": "revoked" })))
        }
    }
}

/// A member's id and address, by either.
async fn find(access: &Access, path: &[&str], named: &str) -> Result<(String, String), Failure> {
    let text = |member: &Value, of: &str| member.get(of).and_then(Value::as_str).unwrap_or_default().to_owned();
    if named.parse::<UserId>().is_ok() {
        let member = access.client.get(&[path, &[named]].concat()).await?;
        return Ok((text(&member, "user_id"), text(&member, "email")));
    }
    let members = access.client.list(path, None).await?;
    let found = members.iter().find(|member| text(member, "email").eq_ignore_ascii_case(named));
    let found = found.ok_or_else(|| Failure::new(Exit::NotFound, format!("nobody here has the address {named}")));
    found.map(|member| (text(member, "user_id"), text(member, "email")))
}
