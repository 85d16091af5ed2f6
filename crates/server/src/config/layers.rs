//! The layers that settings come from, and where each value in force came from.
//!
//! Defaults, then the file, then the environment, then flags: the later wins, setting by setting. All that is wrong
//! with the layers is gathered as [`Fault`]s, so that an operator sees the whole list at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::fault::Fault;
use super::setting::{Kind, SETTINGS, Setting};

const PREFIX: &str = "BAILIWICK_";
/// Variables with our prefix that belong to somebody else: the file's name, and the client's own.
const NOT_SETTINGS: [&str; 6] = [
    "BAILIWICK_CONFIG",
    "BAILIWICK_KEY",
    "BAILIWICK_TOKEN",
    "BAILIWICK_SERVER",
    "BAILIWICK_PROFILE",
    "BAILIWICK_WORKSPACE",
];
const TEST_PREFIX: &str = "BAILIWICK_TEST_";

/// A copy of the process's environment, so that whoever needs it takes it as an argument.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of this process. The one place that reads it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the environment's home")]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<OsString> {
        self.0.get(std::ffi::OsStr::new(name)).cloned()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Settings as given, not yet parsed, with their sources and what was wrong with the giving.
#[derive(Clone, Debug)]
pub struct Settings {
    values: Figment,
    faults: Vec<Fault>,
}

impl Settings {
    /// The defaults alone.
    #[must_use]
    pub fn defaults() -> Self {
        let mut settings = Self { values: Figment::new(), faults: Vec::new() };
        for setting in SETTINGS {
            if let Some(default) = setting.default {
                settings.put(setting, Value::from(default), "default");
            }
        }
        settings
    }

    /// Adds a TOML file.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Self {
        let source = format!("file {}", path.display());
        match Toml::file_exact(path).data() {
            Ok(mut profiles) => {
                let mut leaves = Vec::new();
                flatten("", profiles.remove(&Profile::Default).unwrap_or_default(), &mut leaves);
                self.layer(leaves.into_iter().map(|(key, value)| {
                    let source = format!("{source} ({key})");
                    (key, value, source)
                }));
            }
            Err(error) => self.faults.push(Fault::new(
                "config.file",
                format!("{} cannot be read: {}", path.display(), without_excerpt(&error.to_string())),
                "Correct the file, or name another with --config",
            )),
        }
        self
    }

    /// Adds the environment's variables; an empty one counts as unset.
    #[must_use]
    pub fn environment(mut self, environment: &Environment) -> Self {
        let mut given = Vec::new();
        for (name, value) in &environment.0 {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            if NOT_SETTINGS.contains(&name) || name.starts_with(TEST_PREFIX) || value.is_empty() {
                continue;
            }
            let Some(value) = value.to_str() else {
                self.faults.push(Fault::new("config.value", format!("{name} is not text"), "Set it to UTF-8"));
                continue;
            };
            let source = format!("environment {name}");
            match key_of_variable(name) {
                Some(key) => given.push((key, Value::from(value), source)),
                None => self.faults.push(Fault::new(
                    "config.unknown",
                    format!("the environment variable {name} is no setting"),
                    "Unset it, or correct its name: `bailiwickd reference config` lists all",
                )),
            }
        }
        self.layer(given);
        self
    }

    /// Adds flags, as pairs of key and value. Secrets are refused: other users of the machine could read them.
    #[must_use]
    pub fn flags(mut self, flags: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut given = Vec::new();
        for (key, value) in flags {
            if Setting::by_key(&key).is_some_and(|setting| setting.secret) {
                self.faults.push(Fault::new(
                    "config.secret_flag",
                    format!("{key} is a secret and was given as a flag"),
                    "Give it in a file or in the environment",
                ));
                continue;
            }
            let source = format!("flag ({key})");
            given.push((key, Value::from(value), source));
        }
        self.layer(given);
        self
    }

    /// Adds what the program made itself.
    #[must_use]
    pub fn made(mut self, source: &str, values: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.layer(values.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value), source.to_owned())));
        self
    }

    /// The value in force as text, numbers included.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        match self.values.find_value(key).ok()? {
            Value::String(_, text) => Some(text),
            Value::Num(_, number) => number.to_u128().map(|number| number.to_string()),
            _ => None,
        }
    }

    /// The values in force of a list.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<String> {
        self.values.extract_inner(key).unwrap_or_default()
    }

    /// Where the value in force came from; `None` when there is no value.
    #[must_use]
    pub fn source(&self, key: &str) -> Option<&str> {
        self.values.find_metadata(key).map(|metadata| metadata.name.as_ref())
    }

    /// What is wrong with what was given.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Puts one layer on top, in which each setting may be given once.
    fn layer(&mut self, given: impl IntoIterator<Item = (String, Value, String)>) {
        let mut seen = BTreeSet::new();
        for (key, value, source) in given {
            match self.resolve(&key, value, &source) {
                Ok((setting, value, source)) => {
                    if !seen.insert(setting.key) {
                        self.faults.push(Fault::new(
                            "config.twice",
                            format!("{} is given both directly and by a file ({source})", setting.key),
                            "Keep one of them",
                        ));
                    }
                    self.put(setting, value, &source);
                }
                Err(fault) => self.faults.push(fault),
            }
        }
    }

    /// Finds the setting of a key, reads the file that a `…_file` names, and brings the value into the setting's kind.
    fn resolve(&self, key: &str, value: Value, source: &str) -> Result<(&'static Setting, Value, String), Fault> {
        if let Some(setting) = Setting::by_key(key) {
            let value = of_kind(setting.kind, value).map_err(|wanted| {
                Fault::new("config.value", format!("{key} must be {wanted} ({source})"), "Correct the value")
            })?;
            return Ok((setting, value, source.to_owned()));
        }
        let secret = key.strip_suffix("_file").and_then(Setting::by_key).filter(|setting| setting.secret);
        let Some(setting) = secret else {
            return Err(Fault::new(
                "config.unknown",
                format!("{key} is no setting ({source})"),
                "Remove it, or correct its name: `bailiwickd reference config` lists all",
            ));
        };
        let path = value.as_str().unwrap_or_default();
        let contents = std::fs::read_to_string(path).map_err(|error| {
            let what = format!("the file {path:?} for {} cannot be read: {error} ({source})", setting.key);
            Fault::new("config.secret_file", what, "Correct the path, or let this user read the file")
        })?;
        Ok((setting, Value::from(contents.trim_end()), format!("file {path} by {source}")))
    }

    fn put(&mut self, setting: &Setting, value: Value, source: &str) {
        let one = One { key: setting.key, value, source: source.to_owned() };
        self.values = std::mem::take(&mut self.values).merge(one);
    }
}

/// One value from one source.
struct One {
    key: &'static str,
    value: Value,
    source: String,
}

impl Provider for One {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut names = self.key.rsplit('.');
        let innermost = Dict::from([(names.next().unwrap_or_default().to_owned(), self.value.clone())]);
        let dict = names.fold(innermost, |inner, name| Dict::from([(name.to_owned(), Value::from(inner))]));
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

/// The key that a variable sets: `database.runtime_url_file` for `BAILIWICK_DATABASE_RUNTIME_URL_FILE`.
fn key_of_variable(name: &str) -> Option<String> {
    SETTINGS.iter().find_map(|setting| match name.strip_prefix(&setting.variable())? {
        "" => Some(setting.key.to_owned()),
        "_FILE" if setting.secret => Some(format!("{}_file", setting.key)),
        _ => None,
    })
}

/// Brings a value into a kind, or says which kind was wanted.
fn of_kind(kind: Kind, value: Value) -> Result<Value, String> {
    const NUMBER: &str = "a whole number that is not negative";
    let text = value.as_str().map(str::trim);
    match (kind, text) {
        (Kind::Text, Some(text)) => Ok(Value::from(text)),
        (Kind::Choice(words), Some(text)) if words.contains(&text) => Ok(Value::from(text)),
        (Kind::Number, Some(text)) => text.parse::<u32>().map(Value::from).map_err(|_| NUMBER.to_owned()),
        (Kind::Number, None) => value.deserialize::<u32>().map(Value::from).map_err(|_| NUMBER.to_owned()),
        (Kind::List, Some(text)) => {
            Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>().into())
        }
        (Kind::List, None) if value.deserialize::<Vec<String>>().is_ok() => Ok(value),
        (Kind::Text, None) => Err("text".to_owned()),
        (Kind::Choice(words), _) => Err(format!("one of {}", words.join(", "))),
        (Kind::List, None) => Err("a list of texts".to_owned()),
    }
}

fn flatten(prefix: &str, dict: Dict, leaves: &mut Vec<(String, Value)>) {
    for (name, value) in dict {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Dict(_, inner) => flatten(&key, inner, leaves),
            value => leaves.push((key, value)),
        }
    }
}

/// A parser's message without the lines of the file that it quotes: they may hold a secret.
fn without_excerpt(message: &str) -> String {
    let kept: Vec<&str> =
        message.lines().map(str::trim).filter(|line| !line.contains('|') && !line.is_empty()).collect();
    kept.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(settings: &Settings) -> Vec<&'static str> {
        settings.faults().iter().map(|fault| fault.code).collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_later_layer_wins_and_is_named() {
        let toml = file("listen = \"10.0.0.1:1\"\nprivate_listen = \"10.0.0.1:2\"\n[database]\npool_size = 7\n");
        let environment = Environment::from([
            ("BAILIWICK_LISTEN", "10.0.0.2:1"),
            ("BAILIWICK_PRIVATE_LISTEN", "10.0.0.2:2"),
            ("BAILIWICK_ALLOWED_HOSTS", "one.example, two.example"),
            ("BAILIWICK_TOKEN", "the client's"),
            ("PATH", "/bin"),
        ]);
        let settings = Settings::defaults()
            .file(toml.path())
            .environment(&environment)
            .flags([("listen".to_owned(), "10.0.0.3:1".to_owned())]);
        assert_eq!(settings.faults(), []);
        assert_eq!(settings.text("listen").as_deref(), Some("10.0.0.3:1"));
        assert_eq!(settings.source("listen"), Some("flag (listen)"));
        assert_eq!(settings.text("private_listen").as_deref(), Some("10.0.0.2:2"));
        assert_eq!(settings.source("private_listen"), Some("environment BAILIWICK_PRIVATE_LISTEN"));
        assert_eq!(settings.text("database.pool_size").as_deref(), Some("7"));
        assert_eq!(settings.list("allowed_hosts"), ["one.example", "two.example"]);
        assert_eq!(settings.source("log.filter"), Some("default"));
        assert_eq!(settings.source("mail.from"), None);
    }

    #[test]
    fn a_secret_may_come_from_a_file_in_either_layer() {
        let secret = file("from a file\n");
        let toml = file(&format!("[secrets]\ninternal_key_file = {:?}\n[mail]\nsmtp_url = \"toml\"\n", secret.path()));
        let path = secret.path().to_str().unwrap();
        let environment = Environment::from([("BAILIWICK_MAIL_SMTP_URL_FILE", path)]);
        let settings = Settings::defaults().file(toml.path()).environment(&environment);
        assert_eq!(settings.faults(), []);
        assert_eq!(settings.text("secrets.internal_key").as_deref(), Some("from a file"));
        assert_eq!(settings.text("mail.smtp_url").as_deref(), Some("from a file"));
        assert_eq!(
            settings.source("mail.smtp_url"),
            Some(format!("file {path} by environment BAILIWICK_MAIL_SMTP_URL_FILE").as_str())
        );
    }

    #[test]
    fn all_that_is_wrong_is_listed() {
        let toml = file("colour = \"red\"\nlisten = 5\n[log]\nformat = \"xml\"\n[database]\npool_size = -1\n");
        let environment = Environment::from([
            ("BAILIWICK_LISTN", "x"),
            ("BAILIWICK_MAIL_FROM_FILE", "/etc/hostname"),
            ("BAILIWICK_MAIL_SMTP_URL_FILE", "/nowhere"),
            ("BAILIWICK_SECRETS_INTERNAL_KEY", "a"),
            ("BAILIWICK_SECRETS_INTERNAL_KEY_FILE", "/dev/null"),
        ]);
        let settings = Settings::defaults()
            .file(toml.path())
            .environment(&environment)
            .flags([("secrets.internal_key".to_owned(), "seen in ps".to_owned())]);
        let mut found = codes(&settings);
        found.sort_unstable();
        let expected = [
            "config.secret_file",
            "config.secret_flag",
            "config.twice",
            "config.unknown",
            "config.unknown",
            "config.unknown",
            "config.value",
            "config.value",
            "config.value",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_broken_file_is_not_quoted() {
        let toml = file("[secrets]\ninternal_key = \"swordfish\n");
        let settings = Settings::defaults().file(toml.path());
        assert_eq!(codes(&settings), ["config.file"]);
        assert!(!settings.faults()[0].what.contains("swordfish"), "{}", settings.faults()[0]);
        assert!(settings.faults()[0].what.contains("line 2"), "{}", settings.faults()[0]);
        assert_eq!(codes(&Settings::defaults().file(Path::new("/nowhere.toml"))), ["config.file"]);
    }
}
