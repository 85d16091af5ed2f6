//! Refuses to start what would not be safe.
//!
//! [`serve_faults`] and [`dev_faults`] are pure: a draft of the configuration, and [`Facts`] that were asked from the
//! database before. They list every fault with what to do about it, so that an operator mends all in one round.
//!
//! # Invariants
//! A server of [`Mode::Serve`] runs only with
//! - secrets of its own, none of them made by `bailiwickd dev`, and a database that is not the embedded one;
//! - a public URL over https, and mail that really leaves, not in plain text;
//! - two roles in the database that differ, own nothing, bypass nothing and belong to no other role;
//! - no parameter of theirs in the database's log: addresses of people, digests, what is sealed;
//! - the schema that it was built for.

mod facts;

pub use self::facts::{Facts, Login, Role, Schema, ask};

use crate::config::{AnchorPlace, Config, Draft, Fault, Faults, KekKeeper, MailTransport, Mode, Settings};
use crate::db::SchemaState;
use crate::db::embedded::DEV_CLUSTER_NAME;
use crate::entropy::Entropy;
use crate::vault::LocalFile;

const RUNTIME: &str = "bailiwick_runtime";
const SYSTEM: &str = "bailiwick_system";

/// Parses, asks and judges: the configuration of a production server.
///
/// # Errors
/// All faults that there are.
pub async fn check_serve(settings: &Settings) -> Result<Config, Faults> {
    let mut faults = Vec::new();
    let draft = Draft::parse(settings, Mode::Serve, &mut faults);
    let facts = facts::ask(&draft).await;
    // What is malformed has been named already; it is not missing.
    let given = |key: &str| settings.source(key).is_some();
    faults.extend(missing(given));
    faults.extend(serve_faults(&draft, &facts));
    finish(draft, Mode::Serve, faults)
}

/// Parses and judges the configuration of `bailiwickd dev`.
///
/// # Errors
/// All faults that there are.
pub fn check_dev(settings: &Settings) -> Result<Config, Faults> {
    let mut faults = Vec::new();
    let draft = Draft::parse(settings, Mode::Dev, &mut faults);
    faults.extend(dev_faults(&draft));
    finish(draft, Mode::Dev, faults)
}

fn finish(draft: Draft, mode: Mode, mut faults: Vec<Fault>) -> Result<Config, Faults> {
    let config = draft.complete(mode);
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => {
            if faults.is_empty() {
                faults.push(Fault::new("config.incomplete", "a setting is missing", "See `bailiwickd config show`"));
            }
            Err(Faults(faults))
        }
    }
}

/// The settings without which `serve` cannot run, and which nobody gave.
fn missing(given: impl Fn(&str) -> bool) -> Vec<Fault> {
    let anchored = given("anchor_dir") || given("anchor.s3_url");
    let anchor = (!anchored).then(|| {
        let mend = "Set it to a folder that is not part of the database's backups, or set anchor.s3_url to a bucket";
        Fault::new("config.missing", "anchor_dir is not set", mend)
    });
    [
        ("public_url", "Set it to the https URL that people open"),
        ("database.runtime_url", "Set it to the URL of the role bailiwick_runtime"),
        ("database.system_url", "Set it to the URL of the role bailiwick_system"),
        ("mail.from", "Set it to the address that mail comes from"),
        ("mail.smtp_url", "Set it to the SMTP server that takes the mail: nobody can sign in without mail"),
        ("vault.kek", "Say who keeps the key that wraps all others: transit (Vault, OpenBao), or local (a file)"),
    ]
    .into_iter()
    .filter(|(key, _)| !given(key))
    .map(|(key, mend)| Fault::new("config.missing", format!("{key} is not set"), mend))
    .chain(anchor)
    .collect()
}

/// What is wrong with a production server of this configuration on this database.
#[must_use]
pub fn serve_faults(draft: &Draft, facts: &Facts) -> Vec<Fault> {
    let mut faults = Vec::new();
    faults.extend(one_port(draft));
    faults.extend(plain_http(draft));
    faults.extend(plain_mail(draft));
    faults.extend(plain_anchor(draft));
    faults.extend(plain_publication(draft));
    faults.extend(dev_secret(draft));
    faults.extend(kek_faults(draft));
    faults.extend(role_faults("database.runtime_url", RUNTIME, &facts.runtime));
    faults.extend(role_faults("database.system_url", SYSTEM, &facts.system));
    faults.extend(same_role(facts));
    faults.extend(embedded(facts));
    faults.extend(schema_fault(facts));
    faults
}

/// What is wrong with a development server: the shorter list.
#[must_use]
pub fn dev_faults(draft: &Draft) -> Vec<Fault> {
    one_port(draft).into_iter().collect()
}

fn one_port(draft: &Draft) -> Option<Fault> {
    let (listen, private) = (draft.listen?, draft.private_listen?);
    (listen.port() == private.port() && listen.port() != 0).then(|| {
        Fault::new(
            "listen.one_port",
            format!("listen and private_listen share port {}", listen.port()),
            "Give the private listener a port of its own, which the outside cannot reach",
        )
    })
}

fn plain_http(draft: &Draft) -> Option<Fault> {
    let url = draft.public_url.as_ref().filter(|url| !url.is_https())?;
    let mend = "Set it to the https URL, and let a proxy in front of the public listener end TLS";
    Some(Fault::new("public_url.http", format!("public_url is {url}, without TLS"), mend))
}

fn plain_mail(draft: &Draft) -> Option<Fault> {
    let Some(MailTransport::Smtp { url }) = &draft.mail_transport else { return None };
    url.is_plain().then(|| {
        let what = "mail.smtp_url sends links and codes over the network in plain text";
        Fault::new("mail.plain", what, "Use smtps://, or add ?tls=required to smtp://")
    })
}

/// What lies in the anchor store is for nobody's eyes, and an answer of it decides whether the server goes on.
fn plain_anchor(draft: &Draft) -> Option<Fault> {
    let Some(AnchorPlace::Bucket(bucket)) = &draft.anchor else { return None };
    bucket.is_plain().then(|| {
        let what = "anchor.s3_endpoint sends what is anchored over the network in plain text";
        Fault::new("anchor.plain", what, "Use https://")
    })
}

/// What is published tells nothing but actions and times; an answer on the way could hide that the store holds something else.
fn plain_publication(draft: &Draft) -> Option<Fault> {
    let Some(AnchorPlace::Bucket(bucket)) = &draft.publish else { return None };
    bucket.is_plain().then(|| {
        let what = "publish.s3_endpoint sends what is published over the network in plain text";
        Fault::new("publish.plain", what, "Use https://")
    })
}

fn dev_secret(draft: &Draft) -> Option<Fault> {
    let what = "secrets.internal_key was made by bailiwickd dev";
    let made_by_dev = draft.internal_key.as_ref().filter(|key| key.is_made_by_dev());
    made_by_dev.map(|_| Fault::new("secret.dev", what, "Make a new one"))
}

/// What is missing of the KEK's keeper, and what would not be safe.
fn kek_faults(draft: &Draft) -> Vec<Fault> {
    let mut faults = Vec::new();
    let given = &draft.vault;
    let transit = [
        ("vault.transit_url", given.transit_url.is_some()),
        ("vault.transit_key", given.transit_key.is_some()),
        ("vault.transit_token", given.transit_token.is_some()),
    ];
    let needed: &[(&str, bool)] = match given.keeper {
        Some(KekKeeper::Local) => &[("vault.kek_file", given.kek_file.is_some())],
        Some(KekKeeper::Transit) => &transit,
        None => &[],
    };
    faults.extend(needed.iter().filter(|(_, is_given)| !is_given).map(|(key, _)| {
        Fault::new("config.missing", format!("{key} is not set"), "Set it: vault.kek names a keeper that needs it")
    }));
    let plain = given.transit_url.as_deref().and_then(|url| url.strip_prefix("http://"));
    let local = ["localhost", "127.0.0.1", "[::1]"];
    if plain.is_some_and(|rest| {
        !local.iter().any(|name| rest.split([':', '/']).next() == Some(name) || rest.starts_with("[::1]"))
    }) {
        let what = "vault.transit_url sends keys over the network in plain text";
        faults.push(Fault::new("vault.plain", what, "Use https://"));
    }
    if let Some(path) = &given.kek_file {
        match LocalFile::open(path, &Entropy::system()) {
            Ok(file) if file.is_made_by_dev() => {
                let what = "vault.kek_file was made by bailiwickd dev";
                faults.push(Fault::new("secret.dev", what, "Make a new one: bailiwickd kek make"));
            }
            Ok(_) => {}
            Err(error) => faults.push(Fault::new(
                "vault.kek_file",
                error.to_string(),
                "Put the cell's own file there, readable by the server alone; for a new cell: bailiwickd kek make",
            )),
        }
    }
    faults
}

fn role_faults(key: &str, expected: &str, login: &Login) -> Vec<Fault> {
    let role = match login {
        Login::NotAsked => return Vec::new(),
        Login::Unreachable(why) => {
            let mend = "Start the database, or correct the URL";
            return vec![Fault::new("database.unreachable", format!("{key} leads nowhere: {why}"), mend)];
        }
        Login::Known(role) => role,
    };
    let mut faults = Vec::new();
    let mut add = |wrong: bool, code, what: String, mend: String| {
        if wrong {
            faults.push(Fault::new(code, what, mend));
        }
    };
    let name = &role.name;
    let not_it = format!("{key} logs in as {name}, not as {expected}");
    add(name != expected, "role.other", not_it, format!("Use the URL of {expected}"));
    let is = |what: &str| format!("{name} ({key}) {what}");
    add(role.superuser, "role.superuser", is("is a superuser"), format!("ALTER ROLE {name} NOSUPERUSER"));
    add(role.bypass_rls, "role.bypassrls", is("bypasses row-level security"), format!("ALTER ROLE {name} NOBYPASSRLS"));
    let owns = is("owns tables, and so rules over their policies");
    add(role.owns_tables, "role.owner", owns, "Give them to bailiwick_owner: REASSIGN OWNED BY".to_owned());
    if !role.superuser {
        // A superuser counts as a member of every role.
        let groups = role.member_of.join(", ");
        let mend = format!("REVOKE {groups} FROM {name}");
        add(!role.member_of.is_empty(), "role.member", is(&format!("is a member of {groups}")), mend);
    }
    let logged = is("has what it passes to statements written into the database's log");
    let mends = role.log_mends.iter().map(|mend| format!("ALTER ROLE {name} SET {mend};"));
    let mend = format!("As a superuser: {}", mends.collect::<Vec<_>>().join(" "));
    add(!role.log_mends.is_empty(), "database.logs_parameters", logged, mend);
    faults
}

fn same_role(facts: &Facts) -> Option<Fault> {
    let (Login::Known(runtime), Login::Known(system)) = (&facts.runtime, &facts.system) else { return None };
    (runtime.name == system.name).then(|| {
        let what = format!("database.runtime_url and database.system_url both log in as {}", runtime.name);
        Fault::new("role.same", what, "Give each its own role: bailiwick_runtime and bailiwick_system")
    })
}

fn embedded(facts: &Facts) -> Option<Fault> {
    let known = [&facts.runtime, &facts.system].into_iter().find_map(|login| match login {
        Login::Known(role) => Some(role),
        Login::NotAsked | Login::Unreachable(_) => None,
    })?;
    (known.cluster_name == DEV_CLUSTER_NAME).then(|| {
        let what = "the database is the embedded one of bailiwickd dev";
        Fault::new("database.embedded", what, "Use a PostgreSQL of its own, with backups")
    })
}

fn schema_fault(facts: &Facts) -> Option<Fault> {
    let state = match &facts.schema {
        Schema::NotAsked => return None,
        Schema::Unknown(why) => {
            let what = format!("the database does not say which schema it has: {why}");
            return Some(Fault::new("schema.unknown", what, "Run `bailiwickd migrate` with the owner's URL first"));
        }
        Schema::Known(state) => state,
    };
    match state {
        SchemaState::Current => None,
        SchemaState::Behind => Some(Fault::new(
            "schema.behind",
            "the database's schema is older than this bailiwickd",
            "Run `bailiwickd migrate` with the owner's URL first",
        )),
        SchemaState::Ahead => Some(Fault::new(
            "schema.ahead",
            "the database's schema is newer than this bailiwickd",
            "Start the version that migrated it, or a newer one",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn role(name: &str) -> Role {
        Role {
            name: name.to_owned(),
            superuser: false,
            bypass_rls: false,
            owns_tables: false,
            member_of: Vec::new(),
            log_mends: Vec::new(),
            cluster_name: "main".to_owned(),
        }
    }

    fn good_facts() -> Facts {
        Facts {
            runtime: Login::Known(role(RUNTIME)),
            system: Login::Known(role(SYSTEM)),
            schema: Schema::Known(SchemaState::Current),
        }
    }

    fn codes(variables: &[(&str, &str)], facts: &Facts) -> Vec<&'static str> {
        let good = [
            ("BAILIWICK_PUBLIC_URL", "https://bailiwick.example"),
            ("BAILIWICK_MAIL_SMTP_URL", "smtps://mail.example"),
        ];
        let mut settings = Settings::defaults().environment(&Environment::from(good));
        for (name, value) in variables {
            settings = settings.environment(&Environment::from([(*name, *value)]));
        }
        let mut faults = Vec::new();
        let draft = Draft::parse(&settings, Mode::Serve, &mut faults);
        assert_eq!(faults, []);
        serve_faults(&draft, facts).iter().map(|fault| fault.code).collect()
    }

    #[test]
    fn a_safe_server_has_no_fault() {
        assert_eq!(codes(&[], &good_facts()), [""; 0]);
        assert_eq!(codes(&[("BAILIWICK_MAIL_SMTP_URL", "smtp://localhost:25")], &good_facts()), [""; 0]);
        assert_eq!(codes(&[("BAILIWICK_MAIL_SMTP_URL", "smtp://u:p@m.example?tls=required")], &good_facts()), [""; 0]);
    }

    #[test]
    fn all_faults_of_the_configuration_are_listed() {
        let entropy = crate::entropy::Entropy::system();
        let dev_key = crate::config::InternalKey::make_for_dev(&entropy);
        let variables = [
            ("BAILIWICK_PRIVATE_LISTEN", "127.0.0.1:8080"),
            ("BAILIWICK_PUBLIC_URL", "http://bailiwick.example"),
            ("BAILIWICK_MAIL_SMTP_URL", "smtp://mail.example"),
            ("BAILIWICK_SECRETS_INTERNAL_KEY", dev_key.as_str()),
            ("BAILIWICK_ANCHOR_S3_URL", "s3://anchors"),
            ("BAILIWICK_ANCHOR_S3_ENDPOINT", "http://s3.example"),
            ("BAILIWICK_ANCHOR_S3_ACCESS_KEY_ID", "id"),
            ("BAILIWICK_ANCHOR_S3_SECRET_ACCESS_KEY", "key"),
            ("BAILIWICK_PUBLISH_S3_URL", "s3://logs"),
            ("BAILIWICK_PUBLISH_S3_ENDPOINT", "http://s3.example"),
            ("BAILIWICK_PUBLISH_S3_ACCESS_KEY_ID", "id"),
            ("BAILIWICK_PUBLISH_S3_SECRET_ACCESS_KEY", "key"),
        ];
        let expected =
            ["listen.one_port", "public_url.http", "mail.plain", "anchor.plain", "publish.plain", "secret.dev"];
        assert_eq!(codes(&variables, &good_facts()), expected);
    }

    #[test]
    fn all_faults_of_the_roles_are_listed() {
        let mut strong = role("postgres");
        (strong.superuser, strong.bypass_rls, strong.owns_tables) = (true, true, true);
        strong.cluster_name = DEV_CLUSTER_NAME.to_owned();
        let mut member = role("postgres");
        member.member_of = vec!["bailiwick_owner".to_owned()];
        member.log_mends = vec!["log_parameter_max_length = 0".to_owned()];
        let facts = Facts {
            runtime: Login::Known(strong),
            system: Login::Known(member),
            schema: Schema::Known(SchemaState::Behind),
        };
        let expected = [
            "role.other",
            "role.superuser",
            "role.bypassrls",
            "role.owner",
            "role.other",
            "role.member",
            "database.logs_parameters",
            "role.same",
            "database.embedded",
            "schema.behind",
        ];
        assert_eq!(codes(&[], &facts), expected);
    }

    #[test]
    fn what_cannot_be_asked_is_said_once() {
        let facts = Facts {
            runtime: Login::Unreachable("connection refused".to_owned()),
            system: Login::NotAsked,
            schema: Schema::NotAsked,
        };
        assert_eq!(codes(&[], &facts), ["database.unreachable"]);
    }
}
