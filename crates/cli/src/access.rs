//! Which server a command speaks to, by which token, about which workspace.
//!
//! # Invariants
//! A stored token goes to the server it was stored for and to no other; `BAILIWICK_TOKEN` goes to
//! the server named beside it. The two never mix, so that no option can send a token elsewhere.

use std::fmt;
use std::str::FromStr;

use bailiwick_proof::id::WorkspaceId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::profile::{ProfileName, Store};
use crate::session;
use crate::surroundings;
use crate::token::Token;

/// A workspace as a person names it: its id or its slug.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct WorkspaceRef(String);

impl WorkspaceRef {
    /// The path segment.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkspaceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WorkspaceRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("ws_") {
            text.parse::<WorkspaceId>().map_err(|err| err.to_string())?;
        } else if text.is_empty() || !text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return Err("expected an id (ws_…) or a slug of lower-case letters, digits and hyphens".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for WorkspaceRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<WorkspaceRef> for String {
    fn from(workspace: WorkspaceRef) -> Self {
        workspace.0
    }
}

/// A client with the workspace that its commands are about.
pub(crate) struct Access {
    /// Speaks to the server as the chosen principal.
    pub(crate) client: Client,
    profile: Option<ProfileName>,
    workspace: Option<WorkspaceRef>,
    by_key: bool,
}

impl Access {
    /// Takes `BAILIWICK_TOKEN` if it is set, and a stored profile otherwise.
    ///
    /// # Errors
    /// [`Exit::Auth`] when nobody is signed in, [`Exit::Usage`] when the options contradict each other.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        match token_from_environment()? {
            Some(token) => Self::by_environment(global, token),
            None => Self::by_profile(global, &Store::of_this_user()?).await,
        }
    }

    fn by_environment(global: &Global, token: Token) -> Result<Self, Failure> {
        if global.profile.is_some() {
            return Err(Failure::usage("BAILIWICK_TOKEN is set and a profile is named").hint("unset one of them"));
        }
        let server = global.server.clone().ok_or_else(|| {
            Failure::usage("BAILIWICK_TOKEN is set without a server").hint("set BAILIWICK_SERVER, or add --server URL")
        })?;
        let by_key = matches!(token, Token::ApiKey(_));
        let client = Client::new(server, token, global)?;
        Ok(Self { client, profile: None, workspace: global.workspace.clone(), by_key })
    }

    async fn by_profile(global: &Global, store: &Store) -> Result<Self, Failure> {
        let profiles = store.load()?;
        let name = profiles.chosen(global.profile.as_ref())?;
        let profile = profiles.get(&name)?.clone();
        if let Some(other) = global.server.as_ref().filter(|server| **server != profile.server) {
            let message = format!("the token of profile {name} is for {}, not for {other}", profile.server);
            return Err(
                Failure::usage(message).hint("leave --server and BAILIWICK_SERVER out, or name another --profile")
            );
        }
        let profile = session::keep_alive(store, &name, profile, global).await?;
        let by_key = matches!(profile.token, Token::ApiKey(_));
        let client = Client::new(profile.server, profile.token, global)?;
        let workspace = global.workspace.clone().or(profile.workspace);
        Ok(Self { client, profile: Some(name), workspace, by_key })
    }

    /// The profile whose token is used.
    ///
    /// # Errors
    /// [`Exit::Usage`] when the token comes from the environment and belongs to no profile.
    pub(crate) fn profile(&self) -> Result<&ProfileName, Failure> {
        self.profile.as_ref().ok_or_else(|| {
            Failure::usage("BAILIWICK_TOKEN is used, and no profile").hint("set BAILIWICK_WORKSPACE instead")
        })
    }

    /// Whether the token is an API key, which knows its workspace and environment.
    pub(crate) const fn is_by_key(&self) -> bool {
        self.by_key
    }

    /// The workspace: the one named, the profile's default, or the API key's own.
    ///
    /// # Errors
    /// [`Exit::Usage`] when a session names none, and whatever the server says of the key.
    pub(crate) async fn workspace(&self) -> Result<WorkspaceRef, Failure> {
        match &self.workspace {
            Some(workspace) => Ok(workspace.clone()),
            None if self.by_key => workspace_of_key(&self.client.get(&["v1", "key"]).await?),
            None => Err(Failure::usage("no workspace is named")
                .hint("add --workspace ID|SLUG, or remember one with `bailiwick workspaces use ID|SLUG`")),
        }
    }
}

/// The workspace that an API key belongs to, from what it tells about itself.
pub(crate) fn workspace_of_key(key: &Value) -> Result<WorkspaceRef, Failure> {
    let id = key.get("workspace_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Failure::new(Exit::Failure, "the server did not say which workspace the key belongs to"))
}

/// # Errors
/// [`Exit::Auth`] when the variable holds no token.
fn token_from_environment() -> Result<Option<Token>, Failure> {
    let token = surroundings::token()?.map(|text| Token::parse(&text)).transpose();
    token.map_err(|err| Failure::new(Exit::Auth, format!("BAILIWICK_TOKEN: {err}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_are_ids_or_slugs() {
        for text in ["acme", "acme-2", "0", "ws_01h455vb4pex5vsknk084sn02q"] {
            assert_eq!(text.parse::<WorkspaceRef>().unwrap().as_str(), text);
        }
        for text in ["", ".", "..", "a/b", "Acme", "a b", "ws_1", "usr_01h455vb4pex5vsknk084sn02q", "é"] {
            assert!(text.parse::<WorkspaceRef>().is_err(), "{text}");
        }
    }
}
