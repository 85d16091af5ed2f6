//! How data keys are kept: who keeps the KEK, and how long unwrapped keys serve.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::{Environment, Parser, Settings};

/// How data keys are kept.
#[derive(Clone, Debug)]
pub struct Vault {
    /// Who wraps.
    pub keeper: KekKeeper,
    /// The file of a local KEK, if there is one.
    pub kek_file: Option<PathBuf>,
    /// The transit engine, if there is one.
    pub transit: Option<Transit>,
    /// How long unwrapped keys serve.
    pub key_lifetime: Duration,
}

impl Vault {
    /// What the environment says of it, over the defaults, for a command on a development server.
    #[must_use]
    pub fn of_environment(environment: &Environment) -> Self {
        let settings = Settings::defaults().environment(environment);
        let draft = VaultDraft::parse(&mut Parser { settings: &settings, faults: &mut Vec::new() });
        Self {
            keeper: draft.keeper.unwrap_or(KekKeeper::Local),
            transit: draft.transit(),
            kek_file: draft.kek_file,
            key_lifetime: draft.key_lifetime.unwrap_or(Duration::from_secs(300)),
        }
    }
}

/// Who keeps the KEK that wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KekKeeper {
    /// A file.
    Local,
    /// Vault or `OpenBao`.
    Transit,
}

/// A key of a transit engine.
#[derive(Clone, Debug)]
pub struct Transit {
    /// The service, without a slash at its end.
    pub url: String,
    /// Where the engine is mounted.
    pub mount: String,
    /// The key's name.
    pub key: String,
    /// Lets us use it.
    pub token: SecretString,
}

/// What was given, well-formed.
#[derive(Clone, Debug)]
pub(crate) struct VaultDraft {
    pub(crate) keeper: Option<KekKeeper>,
    pub(crate) kek_file: Option<PathBuf>,
    pub(crate) transit_url: Option<String>,
    pub(crate) transit_mount: Option<String>,
    pub(crate) transit_key: Option<String>,
    pub(crate) transit_token: Option<SecretString>,
    pub(crate) key_lifetime: Option<Duration>,
}

impl VaultDraft {
    pub(super) fn parse(parser: &mut Parser<'_>) -> Self {
        let settings = parser.settings;
        Self {
            keeper: match settings.text("vault.kek").as_deref() {
                Some("local") => Some(KekKeeper::Local),
                Some("transit") => Some(KekKeeper::Transit),
                _ => None,
            },
            kek_file: settings.text("vault.kek_file").map(PathBuf::from),
            transit_url: parser.parsed("vault.transit_url", "of the form https://host:port", |text| {
                let is_url =
                    text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).is_some_and(|rest| {
                        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@".contains(&byte))
                    });
                is_url.then(|| text.trim_end_matches('/').to_owned())
            }),
            transit_mount: parser.parsed("vault.transit_mount", "a path of an engine", path),
            transit_key: parser.parsed("vault.transit_key", "the name of a key", path),
            transit_token: settings.text("vault.transit_token").map(SecretString::from),
            key_lifetime: parser.parsed("vault.key_lifetime", "a number of seconds from 10 to 3600", |text| {
                text.parse().ok().filter(|seconds| (10..=3600).contains(seconds)).map(Duration::from_secs)
            }),
        }
    }

    /// Everything of the transit engine, if all of it was given.
    pub(crate) fn transit(&self) -> Option<Transit> {
        Some(Transit {
            url: self.transit_url.clone()?,
            mount: self.transit_mount.clone()?,
            key: self.transit_key.clone()?,
            token: self.transit_token.clone()?,
        })
    }

    /// `None` when what the keeper needs is missing, which `boot` has listed then.
    pub(super) fn complete(self) -> Option<Vault> {
        let (keeper, transit) = (self.keeper?, self.transit());
        let enough = match keeper {
            KekKeeper::Local => self.kek_file.is_some(),
            KekKeeper::Transit => transit.is_some(),
        };
        enough.then_some(Vault { keeper, kek_file: self.kek_file, transit, key_lifetime: self.key_lifetime? })
    }
}

/// A path that stays within its engine.
fn path(text: &str) -> Option<String> {
    let good = |segment: &str| {
        !segment.is_empty()
            && segment != ".."
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    text.split('/').all(good).then(|| text.to_owned())
}
