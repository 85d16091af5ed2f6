//! `login` and `logout`: a token is checked with its server, stored, and forgotten.

use std::io::{self, IsTerminal, Read, Write};

use serde_json::{Value, json};

use crate::access::{WorkspaceRef, workspace_of_key};
use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::Answer;
use crate::profile::{Profile, ProfileName, Store};
use crate::server_url::ServerUrl;
use crate::token::Token;

/// More than any token; the rest of a larger input is not worth reading.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// Stores a token that its server has accepted, and makes its profile the current one.
pub(crate) async fn login(global: &Global) -> Result<Answer, Failure> {
    let store = Store::of_this_user()?;
    let name = global.profile.clone().unwrap_or_default();
    let server = server_for(global, &store, &name)?;
    let token = read_token()?;
    let client = Client::new(server.clone(), token.clone(), global)?;
    let workspace = check(&client, &token, global.workspace.as_ref()).await?;

    let told = json!({
        "profile": name.to_string(),
        "server": server.to_string(),
        "credential": token.kind(),
        "workspace": workspace.as_ref().map(WorkspaceRef::as_str),
    });
    store.update(|profiles| {
        profiles.current = Some(name.clone());
        profiles.profiles.insert(name.clone(), Profile { server, token, workspace });
        Ok(())
    })?;
    let note = format!("signed in; profile {name} is now the current one, stored in {}", store.path().display());
    Ok(Answer::one_by(told, "profile").note(note))
}

/// The server named, or the one that the profile had before.
fn server_for(global: &Global, store: &Store, name: &ProfileName) -> Result<ServerUrl, Failure> {
    if let Some(server) = &global.server {
        return Ok(server.clone());
    }
    let known = store.load()?.profiles.remove(name).map(|profile| profile.server);
    known.ok_or_else(|| {
        Failure::usage(format!("profile {name} does not know its server yet"))
            .hint("add --server URL, or set BAILIWICK_SERVER")
    })
}

/// Reads one line from a person, or everything from a pipe.
fn read_token() -> Result<Token, Failure> {
    let mut text = String::new();
    let stdin = io::stdin();
    let read = if stdin.is_terminal() {
        let _ = writeln!(
            io::stderr(),
            "Paste the token and press Enter (it will be seen; a pipe keeps it off the screen):"
        );
        stdin.read_line(&mut text)
    } else {
        stdin.lock().take(MAX_INPUT_BYTES).read_to_string(&mut text)
    };
    read.map_err(|err| Failure::local("could not read the token from standard input", &err))?;
    Token::parse(&text).map_err(|err| Failure::new(Exit::Auth, err))
}

/// Asks the server whether it accepts the token; answers the workspace to remember.
async fn check(client: &Client, token: &Token, named: Option<&WorkspaceRef>) -> Result<Option<WorkspaceRef>, Failure> {
    let own = match token {
        Token::ApiKey(_) => Some(workspace_of_key(&client.get(&["v1", "key"]).await?)?),
        Token::AccessToken(_) => {
            client.list(&["v1", "workspaces"], Some(1)).await?;
            None
        }
    };
    match named {
        Some(named) => find_workspace(client, named).await.map(Some),
        None => Ok(own),
    }
}

/// The id of a workspace that the server lets this principal see.
pub(crate) async fn find_workspace(client: &Client, named: &WorkspaceRef) -> Result<WorkspaceRef, Failure> {
    let workspace = client.get(&["v1", "workspaces", named.as_str()]).await?;
    let id = workspace.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Failure::new(Exit::Failure, "the server's workspace has no id"))
}

/// Forgets a profile. The token itself stays valid until it expires or is revoked.
pub(crate) fn logout(global: &Global) -> Result<Answer, Failure> {
    let (name, kind) = Store::of_this_user()?.update(|profiles| {
        let name = profiles.chosen(global.profile.as_ref())?;
        let kind = profiles.get(&name)?.token.kind();
        profiles.profiles.remove(&name);
        profiles.current.take_if(|current| *current == name);
        Ok((name, kind))
    })?;
    let told = json!({ "profile": name.to_string(), "credential": kind, "signed_out": true });
    Ok(Answer::one_by(told, "profile")
        .note("forgotten here; the token itself stays valid until it expires or is revoked"))
}
