//! The one table of settings. The documentation, `config show`, the names of environment variables and the check for
//! unknown keys all come from it.

use std::fmt::Write as _;

/// What a setting's value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number, not negative.
    Number,
    /// Several texts: an array in TOML, separated by commas elsewhere.
    List,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its dotted key in TOML.
    pub key: &'static str,
    /// What its value is made of.
    pub kind: Kind,
    /// Its value when nobody gives one.
    pub default: Option<&'static str>,
    /// Whether its value is never shown, and may also come from a file (`…_file`).
    pub secret: bool,
    /// What it is, in a sentence or two.
    pub about: &'static str,
}

/// Every setting there is, in the order of the reference.
pub const SETTINGS: &[Setting] = &[
    text("listen", Some("127.0.0.1:8080"), "Address and port of the public listener: API, sign-in and console."),
    text(
        "private_listen",
        Some("127.0.0.1:8081"),
        "Address and port of the private listener: health, metrics and `/internal`. Only the operator's own networks \
         may reach it.",
    ),
    text(
        "public_url",
        None,
        "Where people and clients reach the public listener, such as `https://bailiwick.example`. Links in mail are \
         built from it, and nothing else.",
    ),
    Setting {
        key: "allowed_hosts",
        kind: Kind::List,
        default: None,
        secret: false,
        about: "Further `Host` values that the public listener answers to, beside the public URL's own. Any other \
                gets 421.",
    },
    Setting {
        key: "private_hosts",
        kind: Kind::List,
        default: None,
        secret: false,
        about: "Further `Host` values that the private listener answers to, beside its own address: the names under \
                which services and proxies reach it. Any other gets 421.",
    },
    Setting {
        key: "internal_networks",
        kind: Kind::List,
        default: None,
        secret: false,
        about: "Networks (CIDR) whose addresses may ask at `/internal`, by the socket's peer; any, if none is named. \
                A credential is needed all the same.",
    },
    Setting {
        key: "trusted_proxies",
        kind: Kind::List,
        default: None,
        secret: false,
        about: "Networks (CIDR) of the proxies in front of the public listener; none, if none is named. From one of them \
                the client's address is the rightmost of `X-Forwarded-For` that is in none of them; from anybody else, \
                and on the private listener, it is the socket's peer. Everybody who is in them may say where they come from.",
    },
    text(
        "anchor_dir",
        None,
        "Folder of the anchor store: the journal of what the ledger signed. It must not be part of the database's \
         backups, and it outlives the database. For one machine; several take a bucket (`anchor.s3_url`) instead.",
    ),
    text(
        "log_name",
        None,
        "Name of this cell's logs, as it stands in every checkpoint and receipt: host and path of a URL without a \
         scheme. It is fixed when the server first starts; until then the public URL's host is taken.",
    ),
    text(
        "anchor.s3_url",
        None,
        "Bucket of the anchor store, in place of `anchor_dir`: `s3://bucket` or `s3://bucket/prefix`. The store must honour \
         conditional writes (`If-None-Match`, `If-Match`), and the bucket must not keep versions.",
    ),
    text(
        "anchor.s3_endpoint",
        None,
        "URL of the store that has the bucket, such as `https://s3.example:9000`; Amazon's for the region, if none is given.",
    ),
    text("anchor.s3_region", Some("us-east-1"), "Region of the bucket, which requests are signed for."),
    text(
        "anchor.s3_access_key_id",
        None,
        "Id of the key that signs requests to the bucket. Its account may read, write and list the bucket, and no more.",
    ),
    secret("anchor.s3_secret_access_key", "The key that signs requests to the bucket."),
    secret("database.runtime_url", "Connection URL of the role `bailiwick_runtime`, which serves requests."),
    secret("database.system_url", "Connection URL of the role `bailiwick_system`, which serves the operational paths."),
    secret(
        "database.migrate_url",
        "Connection URL of the role `bailiwick_owner`. Only `bailiwickd migrate` uses it; `serve` never needs it.",
    ),
    Setting {
        key: "database.pool_size",
        kind: Kind::Number,
        default: Some("16"),
        secret: false,
        about: "Connections in each of the two pools, 1 to 1000.",
    },
    Setting {
        key: "database.pooler",
        kind: Kind::Choice(&["none", "transaction"]),
        default: Some("none"),
        secret: false,
        about: "What stands between the server and PostgreSQL: nothing, or PgBouncer in transaction mode.",
    },
    Setting {
        key: "jobs.workers",
        kind: Kind::Number,
        default: Some("8"),
        secret: false,
        about: "Jobs that this node runs at once, 0 to 1000. With 0 it leaves all of them to other nodes, mail among \
                them; some node has to have workers.",
    },
    Setting {
        key: "stream.networks",
        kind: Kind::List,
        default: None,
        secret: false,
        about: "Private networks (CIDR) in which the buckets may be to which customers have their audit logs streamed; none, if none is \
                named: public addresses alone. `http` is spoken with loopback addresses in them, and with nothing else.",
    },
    text(
        "publish.dir",
        None,
        "Folder in which every log is published as C2SP tlog-tiles, below its origin: full tiles within minutes, the rest hourly. \
         Several machines take a bucket (`publish.s3_url`) instead. Without either nothing is published but over the API.",
    ),
    text(
        "publish.s3_url",
        None,
        "Bucket in which every log is published, in place of `publish.dir`: `s3://bucket` or `s3://bucket/prefix`. The store must \
         honour conditional writes (`If-None-Match`, `If-Match`).",
    ),
    text(
        "publish.s3_endpoint",
        None,
        "URL of the store that has the bucket, such as `https://s3.example:9000`; Amazon's for the region, if none is given.",
    ),
    text("publish.s3_region", Some("us-east-1"), "Region of the bucket, which requests are signed for."),
    text(
        "publish.s3_access_key_id",
        None,
        "Id of the key that signs requests to the bucket. Its account may read and write the bucket, and no more: nothing is deleted.",
    ),
    secret("publish.s3_secret_access_key", "The key that signs requests to the bucket."),
    text(
        "witness.policy_file",
        None,
        "File with the policy that names the witnesses of this cell's log, each with its URL, and the quorum (C2SP tlog-policy). Each \
         new checkpoint is sent to all of them; the quorum says which cosigned checkpoint is handed out. Without it nobody is asked.",
    ),
    number(
        "limits.sign_in_requests",
        "5",
        "How often in ten minutes one network (an IPv4 address, or an IPv6 /64) may ask for a sign-in mail to one address, 1 to \
         10000. Each node counts for itself.",
    ),
    number(
        "limits.sign_ins",
        "20",
        "How often in ten minutes one network may show a link, a code or an invitation, good or not, 1 to 10000. Each node \
         counts for itself.",
    ),
    number(
        "limits.sign_in_mails",
        "5",
        "How many sign-in mails one address gets at once, whoever asks, 1 to 10000; one more each ten minutes. Who asks beyond \
         that is answered alike, and signs in with the code of the newest mail. All nodes count together.",
    ),
    text("mail.from", None, "Sender of all mail, such as `Bailiwick <no-reply@bailiwick.example>`."),
    secret(
        "mail.smtp_url",
        "Server that takes the mail: `smtps://user:password@host:465`, or `smtp://user:password@host:587?tls=required`.",
    ),
    Setting {
        key: "vault.kek",
        kind: Kind::Choice(&["local", "transit"]),
        default: None,
        secret: false,
        about: "Who keeps the cell's key (KEK), which wraps all keys that seal data: a file on this machine, or the \
                transit engine of Vault or OpenBao. What is configured of the other one goes on unwrapping, so that \
                `bailiwickd kek migrate` can move between them.",
    },
    text(
        "vault.kek_file",
        None,
        "File of a local KEK, made by `bailiwickd kek make`. Whoever has it and the database and the anchor store reads \
         everything; without it nothing sealed opens. Every node needs the same.",
    ),
    text("vault.transit_url", None, "URL of Vault or OpenBao, such as `https://vault.example:8200`."),
    text("vault.transit_mount", Some("transit"), "Where its transit engine is mounted."),
    text("vault.transit_key", None, "Name of its key, of the type `aes256-gcm96`."),
    secret("vault.transit_token", "Token that may `update` the key's `encrypt` and `decrypt` and `read` the key."),
    Setting {
        key: "vault.key_lifetime",
        kind: Kind::Number,
        default: Some("300"),
        secret: false,
        about: "Seconds for which unwrapped keys serve from memory, 10 to 3600: so long the server goes on when the \
                KEK's keeper is away, and so long it reads on when the KEK was disabled.",
    },
    secret(
        "secrets.internal_key",
        "A credential for `/internal` with every audience, for the time before each service has its own \
         (`bailiwickd internal-key create`): at least 32 characters. `openssl rand -hex 32`",
    ),
    Setting {
        key: "log.format",
        kind: Kind::Choice(&["text", "json"]),
        default: Some("json"),
        secret: false,
        about: "How log lines are written to stderr.",
    },
    text(
        "log.filter",
        Some("info,sqlx=warn"),
        "Which events are logged, as a list of `target=level` in the syntax of tracing's `EnvFilter`.",
    ),
];

const fn text(key: &'static str, default: Option<&'static str>, about: &'static str) -> Setting {
    Setting { key, kind: Kind::Text, default, secret: false, about }
}

const fn number(key: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { key, kind: Kind::Number, default: Some(default), secret: false, about }
}

const fn secret(key: &'static str, about: &'static str) -> Setting {
    Setting { key, kind: Kind::Text, default: None, secret: true, about }
}

impl Setting {
    /// The setting of this key.
    #[must_use]
    pub fn by_key(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// Its environment variable, `BAILIWICK_DATABASE_POOL_SIZE`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("BAILIWICK_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }
}

/// The reference page of all settings, in Markdown: a table, and a file with every default.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         `bailiwickd serve` and `bailiwickd migrate` read a TOML file (`--config FILE` or `BAILIWICK_CONFIG`), then \
         the environment, then flags; the later wins. Each secret may also come from a file: `…_file` in TOML, \
         `…_FILE` in the environment. Unknown keys, and unknown variables that begin with `BAILIWICK_`, are errors. \
         `bailiwickd config show` prints what is in force and where each value comes from.\n\n\
         `bailiwickd dev` makes its own database, secrets and mailbox, and takes the rest from the environment and \
         its flags.\n\n\
         This page is generated by `bailiwickd reference config`.\n\n\
         | setting | environment variable | default | meaning |\n\
         |---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let variable = setting.variable();
        let file = if setting.secret { format!(", `{variable}_FILE`") } else { String::new() };
        let default = setting.default.map_or_else(String::new, |value| format!("`{value}`"));
        let choices = match setting.kind {
            Kind::Choice(words) => format!(" One of `{}`.", words.join("`, `")),
            Kind::Text | Kind::Number | Kind::List => String::new(),
        };
        let _infallible =
            writeln!(page, "| `{}` | `{variable}`{file} | {default} | {}{choices} |", setting.key, setting.about);
    }
    page.push_str("\n## A file with every default\n\n```toml\n");
    page.push_str(&default_file());
    page.push_str("```\n");
    page
}

/// A configuration file that changes nothing: defaults are set, the rest stands in comments.
fn default_file() -> String {
    let mut file = String::new();
    let mut section = "";
    for setting in SETTINGS {
        let (in_section, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if in_section != section {
            section = in_section;
            let _infallible = writeln!(file, "\n[{section}]");
        }
        let line = match (setting.kind, setting.default) {
            (Kind::Number, Some(value)) => format!("{name} = {value}"),
            (_, Some(value)) => format!("{name} = {value:?}"),
            (Kind::List, None) => format!("{name} = []"),
            (_, None) if setting.secret => format!("# {name}_file = \"/run/secrets/{name}\""),
            (_, None) => format!("# {name} = \"\""),
        };
        let _infallible = writeln!(file, "{line}");
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_belongs_to_one_setting() {
        let mut names: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
        names.extend(SETTINGS.iter().filter(|setting| setting.secret).map(|s| format!("{}_FILE", s.variable())));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn the_default_file_is_toml() {
        let file = default_file();
        let table: figment::value::Dict =
            figment::Figment::from(<figment::providers::Toml as figment::providers::Format>::string(&file))
                .extract()
                .unwrap();
        assert!(table.contains_key("database") && table.contains_key("log"), "{file}");
    }
}
