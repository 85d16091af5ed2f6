//! The profile file: `config.toml` under `$XDG_CONFIG_HOME/bailiwick`, or `~/.config/bailiwick`.
//!
//! ```toml
//! current = "default"
//!
//! [profiles.default]
//! server = "https://bailiwick.example.com"
//! token = "…"
//! workspace = "ws_…"      # optional
//!
//! [profiles.default.session]  # what keeps the token alive, of a session that `login` has begun
//! refresh_token = "…"
//! expires_at = 1767225600
//! ```
//!
//! Read and replaced as every file of a [`PrivateFolder`] is.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::access::WorkspaceRef;
use crate::failure::{Exit, Failure};
use crate::private_folder::PrivateFolder;
use crate::server_url::ServerUrl;
use crate::session::KeptAlive;
use crate::token::Token;

/// A profile's name: 1 to 64 letters, digits, dots, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ProfileName(String);

impl Default for ProfileName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProfileName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected 1 to 64 letters, digits, dots, hyphens and underscores".to_owned())
        }
    }
}

impl TryFrom<String> for ProfileName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ProfileName> for String {
    fn from(name: ProfileName) -> Self {
        name.0
    }
}

/// A server with the token that was given for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// The one server that the token is sent to.
    pub(crate) server: ServerUrl,
    /// The credential; this file is the one place where it is written down.
    #[serde(serialize_with = "Token::store", deserialize_with = "Token::load")]
    pub(crate) token: Token,
    /// The workspace for commands that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workspace: Option<WorkspaceRef>,
    /// What keeps the token alive, if `login` has begun a session of this program's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<KeptAlive>,
}

impl Profile {
    /// The words for profiles and lists.
    pub(crate) fn credential(&self) -> &'static str {
        if self.session.is_some() { "session" } else { self.token.kind() }
    }
}

/// The whole file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    /// The profile for commands that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<ProfileName>,
    /// All profiles by name.
    #[serde(default)]
    pub(crate) profiles: BTreeMap<ProfileName, Profile>,
}

impl Profiles {
    /// The name of the profile that a command works with.
    ///
    /// # Errors
    /// [`Exit::Auth`] when none is named and none is current.
    pub(crate) fn chosen(&self, named: Option<&ProfileName>) -> Result<ProfileName, Failure> {
        named.or(self.current.as_ref()).cloned().ok_or_else(|| not_signed_in("you are not signed in"))
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// [`Exit::Auth`] when there is none.
    pub(crate) fn get(&self, name: &ProfileName) -> Result<&Profile, Failure> {
        self.profiles.get(name).ok_or_else(|| not_signed_in(&format!("there is no profile {name}")))
    }
}

fn not_signed_in(message: &str) -> Failure {
    Failure::new(Exit::Auth, message).hint(
        "sign in with `bailiwick login --server URL`, pipe an API key into `bailiwick login --token-stdin --server URL`, \
         or set BAILIWICK_TOKEN and BAILIWICK_SERVER",
    )
}

/// Where the profiles are kept.
pub(crate) struct Store {
    folder: PrivateFolder,
}

const FILE: &str = "config.toml";

impl Store {
    /// Finds the folder; it need not exist yet.
    ///
    /// # Errors
    /// When this user has no home directory.
    pub(crate) fn of_this_user() -> Result<Self, Failure> {
        Ok(Self { folder: PrivateFolder::of_this_user()? })
    }

    /// The profile file's path.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.file(FILE)
    }

    /// Reads all profiles; no file means none.
    ///
    /// # Errors
    /// When the file cannot be read, others can read it too, or it is not as this module writes it.
    pub(crate) fn load(&self) -> Result<Profiles, Failure> {
        let Some(text) = self.folder.read(FILE)? else { return Ok(Profiles::default()) };
        let path = self.path();
        toml::from_str(&text).map_err(|err| {
            // Not the whole error: its rendering quotes the line, and the line may hold the token.
            let line =
                err.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.split('\n').count());
            Failure::new(Exit::Failure, format!("{}, line {line}: {}", path.display(), err.message()))
        })
    }

    /// Waits for whoever exchanges the tokens of this profile's session; the lock ends with the file handle.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn lock_session(&self, name: &ProfileName) -> Result<File, Failure> {
        let lock = format!("session-{name}.lock");
        self.folder.lock(&lock).map_err(|err| Failure::local(format!("could not lock {lock}"), &err))
    }

    /// Changes the profiles and replaces the file.
    ///
    /// # Errors
    /// Those of the change, which leaves the file as it was, and those of [`Self::load`] and the disk.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Profiles) -> Result<T, Failure>) -> Result<T, Failure> {
        let refused = |err: io::Error| Failure::local(format!("could not write {}", self.path().display()), &err);
        let _lock = self.folder.lock("config.lock").map_err(refused)?;
        let mut profiles = self.load()?;
        let outcome = change(&mut profiles)?;
        let text =
            toml::to_string(&profiles).map_err(|err| Failure::local("could not write the profiles as TOML", &err))?;
        self.folder.replace(FILE, &text).map_err(refused)?;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "bw_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde1dg76K";

    fn store() -> (tempfile::TempDir, Store) {
        let base = tempfile::tempdir().unwrap();
        let store = Store { folder: PrivateFolder::at(base.path().join("config/bailiwick")) };
        (base, store)
    }

    fn add(store: &Store, name: &str) {
        let profile = Profile {
            server: "https://bailiwick.example".parse().unwrap(),
            token: Token::parse(KEY).unwrap(),
            workspace: Some("acme".parse().unwrap()),
            session: None,
        };
        let name: ProfileName = name.parse().unwrap();
        let change = |profiles: &mut Profiles| {
            profiles.current = Some(name.clone());
            profiles.profiles.insert(name, profile);
            Ok(())
        };
        store.update(change).unwrap();
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let (_base, store) = store();
        assert!(store.load().unwrap().profiles.is_empty());
        add(&store, "prod");
        add(&store, "a.b-c_1");
        let profiles = store.load().unwrap();
        assert_eq!(profiles.profiles.len(), 2);
        let profile = profiles.get(&"prod".parse().unwrap()).unwrap();
        assert_eq!(profile.token.reveal(), KEY);
        assert_eq!(profile.server.to_string(), "https://bailiwick.example");
        assert_eq!(profile.workspace, Some("acme".parse().unwrap()));
        assert_eq!(profiles.chosen(None).unwrap(), "a.b-c_1".parse().unwrap());
    }

    #[test]
    fn a_refused_change_leaves_the_file_as_it_was() {
        let (_base, store) = store();
        add(&store, "prod");
        let before = fs::read_to_string(store.path()).unwrap();
        let refused = store.update(|profiles| -> Result<(), Failure> {
            profiles.profiles.clear();
            Err(Failure::usage("no"))
        });
        assert!(refused.is_err());
        assert_eq!(fs::read_to_string(store.path()).unwrap(), before);
    }

    #[test]
    fn writers_at_the_same_time_undo_nothing() {
        let (_base, store) = store();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let store = &store;
                scope.spawn(move || add(store, &format!("p{n}")));
            }
        });
        assert_eq!(store.load().unwrap().profiles.len(), 8);
    }

    #[test]
    fn an_error_in_the_file_does_not_show_the_token() {
        let (_base, store) = store();
        add(&store, "prod");
        let broken = fs::read_to_string(store.path()).unwrap().replace("K\"", "X\"");
        fs::write(store.path(), broken).unwrap();
        let failure = format!("{:?}", store.load().unwrap_err());
        assert!(failure.contains("line 5"), "{failure}");
        assert!(!failure.contains("01234567"), "{failure}");
    }

    #[test]
    fn names_are_plain() {
        for text in ["", "a b", "a/b", "é", &"a".repeat(65)] {
            assert!(text.parse::<ProfileName>().is_err(), "{text}");
        }
    }
}
