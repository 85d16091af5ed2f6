//! `login` and `logout`: a token is checked with its server, stored, and forgotten.

use std::io::{self, IsTerminal, Read, Write};

use serde_json::{Value, json};

use crate::access::{WorkspaceRef, workspace_of_key};
use crate::args::{Global, Login};
use crate::client::Client;
use crate::commands::device;
use crate::failure::{Exit, Failure};
use crate::output::Answer;
use crate::profile::{Profile, ProfileName, Store};
use crate::server_url::ServerUrl;
use crate::session;
use crate::surroundings;
use crate::token::Token;

/// More than any token; the rest of a larger input is not worth reading.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// Begins a session of this program's own, or stores a token that its server has accepted; its profile is the current one from then on.
pub(crate) async fn login(global: &Global, wanted: &Login) -> Result<Answer, Failure> {
    let store = Store::of_this_user()?;
    let name = global.profile.clone().unwrap_or_default();
    let server = server_for(global, &store, &name)?;
    let (token, session) = if wanted.token_stdin {
        (read_token()?, None)
    } else {
        let answer = device::sign_in(&Client::anonymous(server.clone(), global)?).await?;
        let (token, session) = session::tokens(answer, surroundings::now())?;
        (token, Some(session))
    };
    let client = Client::new(server.clone(), token.clone(), global)?;
    let workspace = check(&client, &token, global.workspace.as_ref()).await?;

    let profile = Profile { server, token, workspace, session };
    let told = json!({
        "profile": name.to_string(),
        "server": profile.server.to_string(),
        "credential": profile.credential(),
        "workspace": profile.workspace.as_ref().map(WorkspaceRef::as_str),
    });
    // Whoever is exchanging the tokens of the session that was there must not put them in the place of these.
    let _lock = store.lock_session(&name)?;
    store.update(|profiles| {
        profiles.current = Some(name.clone());
        profiles.profiles.insert(name.clone(), profile);
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

/// Forgets a profile, after ending its session if it has one of its own. Any other token stays valid until it expires or is revoked.
pub(crate) async fn logout(global: &Global) -> Result<Answer, Failure> {
    let store = Store::of_this_user()?;
    let profiles = store.load()?;
    let name = profiles.chosen(global.profile.as_ref())?;
    let profile = profiles.get(&name)?.clone();
    let kind = profile.credential();
    let ended = if profile.session.is_some() { Some(end(global, &store, &name, profile).await) } else { None };
    store.update(|profiles| {
        profiles.profiles.remove(&name);
        profiles.current.take_if(|current| *current == name);
        Ok(())
    })?;
    let told = json!({ "profile": name.to_string(), "credential": kind, "signed_out": true });
    let note = match ended {
        None => "forgotten here; the token itself stays valid until it expires or is revoked".to_owned(),
        Some(Ok(())) => "the session is ended, and forgotten here".to_owned(),
        Some(Err(failure)) => {
            format!("forgotten here; the server did not say that the session is ended: {}", failure.summary())
        }
    };
    Ok(Answer::one_by(told, "profile").note(note))
}

async fn end(global: &Global, store: &Store, name: &ProfileName, profile: Profile) -> Result<(), Failure> {
    let Profile { server, token, .. } = session::keep_alive(store, name, profile, global).await?;
    Client::new(server, token, global)?.post_quietly(&["auth", "sign-out"]).await
}
