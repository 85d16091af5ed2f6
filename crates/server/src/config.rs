//! What the operator decides, parsed once at the start.
//!
//! [`Settings`] gathers the layers (defaults, TOML, environment, flags), [`Draft`] parses each value into its type, and
//! [`crate::boot`] judges the draft against the database before it becomes a [`Config`]. Each step lists all faults
//! that it finds; none stops at the first.
//!
//! # Invariants
//! - The environment is read here and nowhere else.
//! - No fault, log line or `config show` holds a secret's value.
//! - [`SETTINGS`] is the one table of settings; documentation and checks come from it.

mod anchor;
mod fault;
mod layers;
mod limits;
mod public_url;
mod secrets;
mod setting;
mod smtp_url;
mod vault;
mod witness;

use std::net::SocketAddr;

use bailiwick_proof::log::LogName;
use bailiwick_proof::policy::Policy;
use secrecy::SecretString;

use crate::networks::Networks;

pub use self::anchor::{AnchorPlace, Bucket};
pub use self::fault::{Fault, Faults};
pub use self::layers::{Environment, Settings};
pub use self::limits::Limits;
pub use self::public_url::{PublicUrl, PublicUrlError};
pub use self::secrets::{DEV_MARK, InternalKey, SecretError};
pub use self::setting::{Kind, SETTINGS, Setting, reference_markdown};
pub use self::smtp_url::{NotAnSmtpUrl, SmtpUrl};
pub use self::vault::{KekKeeper, Transit, Vault};

/// What kind of server this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `bailiwickd dev`: everything of its own, for one person's machine.
    Dev,
    /// `bailiwickd serve`: production.
    Serve,
}

/// A complete configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// What kind of server this is.
    pub mode: Mode,
    /// The public listener's address.
    pub listen: SocketAddr,
    /// The private listener's address.
    pub private_listen: SocketAddr,
    /// Where people reach the public listener.
    pub public_url: PublicUrl,
    /// The `Host` values that the public listener answers to, in lower case; the public URL's own comes first.
    pub allowed_hosts: Vec<String>,
    /// Further `Host` values that the private listener answers to, in lower case.
    pub private_hosts: Vec<String>,
    /// From where `/internal` may be asked.
    pub internal_networks: Networks,
    /// Whose word is taken for where a request comes from.
    pub trusted_proxies: Networks,
    /// How to reach the database.
    pub database: Database,
    /// Where the anchor store is.
    pub anchor: AnchorPlace,
    /// The operator's own store of published logs, if there is one.
    pub publish: Option<AnchorPlace>,
    /// The name of the cell's logs, if one was chosen.
    pub log_name: Option<String>,
    /// Which witnesses cosign the cell's checkpoints, if any do.
    pub witness_policy: Option<Policy>,
    /// How jobs are run.
    pub jobs: Jobs,
    /// Private networks in which the buckets of customers may be.
    pub stream_networks: Networks,
    /// How often may be tried.
    pub limits: Limits,
    /// How mail leaves.
    pub mail: Mail,
    /// How data keys are kept.
    pub vault: Vault,
    /// The server's own secrets.
    pub secrets: Secrets,
    /// What is logged, and how.
    pub log: Log,
}

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct Database {
    /// For `bailiwick_runtime`.
    pub runtime_url: SecretString,
    /// For `bailiwick_system`.
    pub system_url: SecretString,
    /// For `bailiwick_owner`; `serve` does without.
    pub migrate_url: Option<SecretString>,
    /// Connections in each pool.
    pub pool_size: u32,
    /// What stands in between.
    pub pooler: Pooler,
}

/// What stands between the server and PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooler {
    /// Nothing: prepared statements are cached by connection.
    #[default]
    None,
    /// PgBouncer in transaction mode: no prepared statement outlives its transaction.
    Transaction,
}

/// How jobs are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// How many at once; none leaves them to other nodes.
    pub workers: usize,
}

/// How mail leaves.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The sender, a mailbox as in RFC 5322.
    pub from: String,
    /// Where it goes.
    pub transport: MailTransport,
}

/// Where mail goes.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// Into memory, to be read at `/dev/mail`.
    Mailbox,
    /// To an SMTP server.
    Smtp {
        /// Where, and as whom.
        url: SmtpUrl,
    },
}

/// The server's own secrets.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Lets the operator's services in, beside the credentials that each has for itself.
    pub internal_key: Option<InternalKey>,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The lines' form.
    pub format: LogFormat,
    /// Which events, in the syntax of `tracing_subscriber::EnvFilter`.
    pub filter: String,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// A configuration in which every given value is well-formed, and in which some may be missing: what
/// [`crate::boot`] judges.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) private_listen: Option<SocketAddr>,
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) private_hosts: Vec<String>,
    pub(crate) internal_networks: Networks,
    pub(crate) trusted_proxies: Networks,
    pub(crate) runtime_url: Option<SecretString>,
    pub(crate) system_url: Option<SecretString>,
    pub(crate) migrate_url: Option<SecretString>,
    pub(crate) pool_size: Option<u32>,
    pub(crate) pooler: Pooler,
    pub(crate) workers: Option<usize>,
    pub(crate) stream_networks: Networks,
    pub(crate) anchor: Option<AnchorPlace>,
    pub(crate) publish: Option<AnchorPlace>,
    pub(crate) log_name: Option<String>,
    pub(crate) witness_policy: Option<Policy>,
    pub(crate) limits: Option<Limits>,
    pub(crate) mail_from: Option<String>,
    pub(crate) mail_transport: Option<MailTransport>,
    pub(crate) vault: vault::VaultDraft,
    pub(crate) internal_key: Option<InternalKey>,
    pub(crate) log: Log,
}

impl Draft {
    /// Parses what was given, and adds what is wrong with it to `faults`. In [`Mode::Dev`] mail goes into the mailbox.
    #[must_use]
    pub fn parse(settings: &Settings, mode: Mode, faults: &mut Vec<Fault>) -> Self {
        faults.extend_from_slice(settings.faults());
        let mut parser = Parser { settings, faults };
        let smtp = parser.smtp_url().map(|url| MailTransport::Smtp { url });
        Self {
            listen: parser.parsed("listen", "an address and a port, like 127.0.0.1:8080", |text| text.parse().ok()),
            private_listen: parser
                .parsed("private_listen", "an address and a port, like 127.0.0.1:8081", |text| text.parse().ok()),
            public_url: parser.parsed("public_url", "of the form https://host or https://host:port", |text| {
                PublicUrl::parse(text).ok()
            }),
            allowed_hosts: settings.list("allowed_hosts").iter().map(|host| host.to_ascii_lowercase()).collect(),
            private_hosts: settings.list("private_hosts").iter().map(|host| host.to_ascii_lowercase()).collect(),
            internal_networks: parser.networks("internal_networks"),
            trusted_proxies: parser.trusted_proxies(),
            runtime_url: parser.database_url("database.runtime_url"),
            system_url: parser.database_url("database.system_url"),
            migrate_url: parser.database_url("database.migrate_url"),
            pool_size: parser.parsed("database.pool_size", "a number from 1 to 1000", |text| {
                text.parse().ok().filter(|size| (1..=1000).contains(size))
            }),
            pooler: match settings.text("database.pooler").as_deref() {
                Some("transaction") => Pooler::Transaction,
                _ => Pooler::None,
            },
            workers: parser.parsed("jobs.workers", "a number from 0 to 1000", |text| {
                text.parse().ok().filter(|workers| (0..=1000).contains(workers))
            }),
            stream_networks: parser.networks("stream.networks").or_nowhere(),
            anchor: parser.anchor(),
            publish: parser.publish(),
            log_name: parser.parsed("log_name", "a log's name: up to 128 of a-z 0-9 . : / _ -", |text| {
                text.parse::<LogName>().ok().map(|_| text.to_owned())
            }),
            witness_policy: parser.witness_policy(),
            limits: parser.limits(),
            mail_from: parser.parsed("mail.from", "a mail address, with or without a name", |text| {
                text.parse::<lettre::message::Mailbox>().ok().map(|_| text.to_owned())
            }),
            mail_transport: if mode == Mode::Dev { Some(MailTransport::Mailbox) } else { smtp },
            vault: vault::VaultDraft::parse(&mut parser),
            internal_key: parser.secret("secrets.internal_key", InternalKey::parse),
            log: parser.log(),
        }
    }

    /// What is logged, and how; known before the rest is judged.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The addresses of the public and the private listener, if both are well-formed.
    #[must_use]
    pub fn listeners(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.listen?, self.private_listen?))
    }

    /// The owner's URL, if one was given.
    #[must_use]
    pub fn migrate_url(&self) -> Option<&SecretString> {
        self.migrate_url.as_ref()
    }

    /// The URLs of the two serving roles, if both were given.
    #[must_use]
    pub fn databases(&self) -> Option<(&SecretString, &SecretString)> {
        self.runtime_url.as_ref().zip(self.system_url.as_ref())
    }

    /// What stands between the server and PostgreSQL.
    #[must_use]
    pub fn pooler(&self) -> Pooler {
        self.pooler
    }

    /// The anchor store, if one was given.
    #[must_use]
    pub fn anchor(&self) -> Option<&AnchorPlace> {
        self.anchor.as_ref()
    }

    /// Which witnesses cosign, if a policy was given.
    #[must_use]
    pub fn witness_policy(&self) -> Option<&Policy> {
        self.witness_policy.as_ref()
    }

    /// How data keys are kept, if enough was given.
    #[must_use]
    pub fn vault(&self) -> Option<Vault> {
        self.vault.clone().complete()
    }

    /// The configuration; `None` when something that it needs is missing, which `boot` has listed then.
    #[must_use]
    pub fn complete(self, mode: Mode) -> Option<Config> {
        let public_url = self.public_url?;
        let mut allowed_hosts = vec![public_url.authority().to_owned()];
        allowed_hosts.extend(self.allowed_hosts);
        Some(Config {
            mode,
            listen: self.listen?,
            private_listen: self.private_listen?,
            public_url,
            allowed_hosts,
            private_hosts: self.private_hosts,
            internal_networks: self.internal_networks,
            trusted_proxies: self.trusted_proxies,
            database: Database {
                runtime_url: self.runtime_url?,
                system_url: self.system_url?,
                migrate_url: self.migrate_url,
                pool_size: self.pool_size?,
                pooler: self.pooler,
            },
            jobs: Jobs { workers: self.workers? },
            stream_networks: self.stream_networks,
            anchor: self.anchor?,
            publish: self.publish,
            log_name: self.log_name,
            witness_policy: self.witness_policy,
            limits: self.limits?,
            mail: Mail { from: self.mail_from?, transport: self.mail_transport? },
            vault: self.vault.complete()?,
            secrets: Secrets { internal_key: self.internal_key },
            log: self.log,
        })
    }
}

struct Parser<'a> {
    settings: &'a Settings,
    faults: &'a mut Vec<Fault>,
}

impl Parser<'_> {
    /// The networks that are listed; none means anywhere.
    fn networks(&mut self, key: &str) -> Networks {
        let given = self.settings.list(key);
        let parsed: Result<Vec<_>, _> = given.iter().map(|text| text.parse()).collect();
        if parsed.is_err() {
            self.fault("config.value", key, "is no list of networks, such as 10.0.0.0/8", "Correct the value");
        }
        // A list with a fault in it lets nobody in, should anybody go on with it.
        parsed.map_or_else(|_| Networks::Within(Vec::new()), Networks::of)
    }

    /// The parsed value; `None` when there is none, or when it is malformed, which is a fault.
    fn parsed<T>(&mut self, key: &str, wanted: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.settings.text(key)?;
        let value = parse(&text);
        if value.is_none() {
            self.fault("config.value", key, &format!("is not {wanted}"), "Correct the value");
        }
        value
    }

    fn secret<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, SecretError>) -> Option<T> {
        let text = self.settings.text(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(SecretError::Form(form)) => {
                self.fault("secret.malformed", key, &format!("is not {form}"), "Make a new one");
                None
            }
            Err(SecretError::Weak) => {
                self.fault("secret.weak", key, "is too short or too regular to be a secret", "Make a new one");
                None
            }
        }
    }

    fn database_url(&mut self, key: &str) -> Option<SecretString> {
        self.parsed(key, "a URL like postgres://role:password@host:5432/database", |text| {
            let url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
            (url && text.parse::<sqlx::postgres::PgConnectOptions>().is_ok()).then(|| SecretString::from(text))
        })
    }

    fn smtp_url(&mut self) -> Option<SmtpUrl> {
        self.parsed("mail.smtp_url", "a URL like smtps://user:password@host:465", |text| text.parse().ok())
    }

    fn log(&mut self) -> Log {
        let filter = self.parsed("log.filter", "a list of target=level", |text| {
            tracing_subscriber::EnvFilter::try_new(text).ok().map(|_| text.to_owned())
        });
        let json = self.settings.text("log.format").as_deref() == Some("json");
        Log {
            format: if json { LogFormat::Json } else { LogFormat::Text },
            filter: filter.unwrap_or_else(|| "info".to_owned()),
        }
    }

    fn fault(&mut self, code: &'static str, key: &str, what: &str, mend: &str) {
        let source = self.settings.source(key).unwrap_or_default();
        self.faults.push(Fault::new(code, format!("{key} {what} ({source})"), mend));
    }
}

/// What `config show` prints: every setting with its value and source, secrets redacted.
#[must_use]
pub fn show(settings: &Settings) -> String {
    let rows: Vec<(String, &str)> = SETTINGS
        .iter()
        .map(|setting| {
            let source = settings.source(setting.key).unwrap_or("not set");
            let value = match (settings.source(setting.key), setting.kind) {
                (None, _) => String::new(),
                (Some(_), _) if setting.secret => "[redacted]".to_owned(),
                (Some(_), Kind::List) => format!("{:?}", settings.list(setting.key)),
                (Some(_), Kind::Number) => settings.text(setting.key).unwrap_or_default(),
                (Some(_), _) => format!("{:?}", settings.text(setting.key).unwrap_or_default()),
            };
            (format!("{} = {value}", setting.key), source)
        })
        .collect();
    let width = rows.iter().map(|(value, _)| value.chars().count()).max().unwrap_or_default();
    rows.iter().map(|(value, source)| format!("{value:width$}  # {source}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(variables: &[(&str, &str)]) -> (Draft, Vec<Fault>) {
        let settings =
            Settings::defaults().flags(variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let mut faults = Vec::new();
        let draft = Draft::parse(&settings, Mode::Serve, &mut faults);
        (draft, faults)
    }

    #[test]
    fn the_defaults_are_well_formed_and_incomplete() {
        let (draft, faults) = draft(&[]);
        assert_eq!(faults, []);
        assert_eq!(draft.pool_size, Some(16));
        assert!(draft.complete(Mode::Serve).is_none());
    }

    #[test]
    fn each_malformed_value_is_a_fault() {
        let (_, faults) = draft(&[
            ("listen", "8080"),
            ("public_url", "bailiwick.example"),
            ("database.pool_size", "0"),
            ("mail.from", "nobody"),
            ("log.filter", "=,="),
        ]);
        let keys: Vec<&str> = faults.iter().filter_map(|fault| fault.what.split(' ').next()).collect();
        assert_eq!(keys, ["listen", "public_url", "database.pool_size", "mail.from", "log.filter"]);
    }

    #[test]
    fn malformed_secrets_are_named_and_not_shown() {
        let settings = Settings::defaults().environment(&Environment::from([
            ("BAILIWICK_SECRETS_INTERNAL_KEY", "hunter2"),
            ("BAILIWICK_SECRETS_SEALING_KEY", "hunter2"),
            ("BAILIWICK_DATABASE_RUNTIME_URL", "mysql://hunter2"),
            ("BAILIWICK_MAIL_SMTP_URL", "http://hunter2"),
        ]));
        let mut faults = Vec::new();
        let draft = Draft::parse(&settings, Mode::Serve, &mut faults);
        assert_eq!(faults.len(), 4);
        let all = format!("{}{draft:?}{}", Faults(faults), show(&settings));
        assert!(!all.contains("hunter2"), "{all}");
        assert!(show(&settings).contains("secrets.internal_key = [redacted]"));
    }
}
